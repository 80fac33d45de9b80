"""From a user's word, such as ``digits`` or ``npz:PATH``, to a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from automl_cells.datasets.base import Dataset
from automl_cells.datasets.digits import load_digits
from automl_cells.datasets.npz import load_npz
from automl_cells.errors import DataError

_NAMED: dict[str, Callable[[], Dataset]] = {"digits": load_digits}
_AT_PATH: dict[str, Callable[[str], Dataset]] = {"npz": load_npz}


def dataset_names() -> list[str]:
    """What `load` understands, e.g. ``["digits", "npz:PATH"]``."""
    return sorted([*_NAMED, *(f"{prefix}:PATH" for prefix in _AT_PATH)])


def absolute(spec: str) -> str:
    """`spec` with its path, if it has one, made absolute, so that it means the same in every folder."""
    prefix, colon, path = spec.partition(":")
    return f"{prefix}:{Path(path).resolve()}" if colon and path and prefix in _AT_PATH else spec


def load(spec: str | Dataset) -> Dataset:
    """The data set of that name or address; a `Dataset` is handed back as it is.

    Raises:
        DataError: an unknown name, or a file that does not hold a usable data set.
    """
    if isinstance(spec, Dataset):
        return spec
    if spec in _NAMED:
        return _NAMED[spec]()
    prefix, colon, path = str(spec).partition(":")
    if colon and path and prefix in _AT_PATH:
        return _AT_PATH[prefix](path)
    raise DataError(f"Expected a data set among {', '.join(dataset_names())}. Received: {spec}")
