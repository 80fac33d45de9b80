"""From a user's words, such as ``digits`` or ``folder:PATH?size=64``, to a data set.

Words are ``KIND``, ``KIND:TARGET``, each with ``?option=value&…`` behind it if wanted. Options of every kind:

- ``train=500``: only so many training images, the classes as equal in number as possible; see `balanced_subset`.
- ``seed=1``: which ones.

Options of ``folder`` and ``tfds``:

- ``size=64`` or ``size=48,64``: the side, or height and width, of every image.
- ``corrupt=skip``: leave out images that cannot be read instead of refusing them.
- ``memory=2g``: a part that takes more when decoded is streamed.

Option of ``tfds``: ``data_dir=FOLDER``, where TensorFlow Datasets keeps its prepared sets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_cells.datasets import address as words
from automl_cells.datasets.base import Dataset
from automl_cells.datasets.digits import load_digits
from automl_cells.datasets.encoded import Reading
from automl_cells.datasets.folder import load_folder
from automl_cells.datasets.npz import load_npz
from automl_cells.datasets.subsets import balanced_subset
from automl_cells.datasets.tfds import load_tfds
from automl_cells.errors import DataError

_Option = Callable[[str, str], Any]

_GENERAL: dict[str, _Option] = {"train": words.whole, "seed": words.whole}
_READING: dict[str, _Option] = {
    "size": words.size,
    "corrupt": words.one_of("refuse", "skip"),
    "memory": words.memory,
}


@dataclass(frozen=True)
class _Kind:
    """A kind of data set: how its target reads in help texts (``""``: none), how to load it, its own options."""

    target: str
    load: Callable[..., Dataset]  # (target, **options), or (**options) without a target
    options: Mapping[str, _Option] = field(default_factory=dict)


def _folder(path: str, **options: Any) -> Dataset:
    return load_folder(path, Reading(**options))


def _tfds(name: str, data_dir: Path | None = None, **options: Any) -> Dataset:
    return load_tfds(name, data_dir, Reading(**options))


_KINDS: dict[str, _Kind] = {
    "digits": _Kind("", load_digits),
    "folder": _Kind("PATH", _folder, _READING),
    "npz": _Kind("PATH", load_npz),
    "tfds": _Kind("NAME", _tfds, {**_READING, "data_dir": words.folder}),
}


def dataset_names() -> list[str]:
    """What `load` understands, e.g. ``["digits", "npz:PATH"]``."""
    return [f"{name}:{kind.target}" if kind.target else name for name, kind in _KINDS.items()]


def embedded(spec: str) -> bool:
    """Whether `spec` is a whole data set of the package, which an entry that learnt it finds again by its name."""
    return spec in _KINDS and not _KINDS[spec].target


def absolute(spec: str) -> str:
    """`spec` with its paths, if it has any, made absolute, so that it means the same in every folder.

    Raises:
        DataError: options that are not name=value.
    """
    found = words.parse(spec)
    kind = _KINDS.get(found.kind)
    if kind is None:
        return spec
    target = str(Path(found.target).resolve()) if kind.target == "PATH" and found.target else found.target
    options = {
        name: str(Path(text).expanduser().resolve()) if kind.options.get(name) is words.folder and text else text
        for name, text in found.options.items()
    }
    return str(words.Address(found.kind, target, options))


def without_folder(spec: str) -> str:
    """`spec` with the names of its files and folders alone, for what others shall read: not where they lie here.

    Example:
        >>> without_folder("npz:/home/ada/mnist.npz?train=4000"), without_folder("digits")
        ('npz:mnist.npz?train=4000', 'digits')
    """
    found = words.parse(spec)
    kind = _KINDS.get(found.kind)
    if kind is None:
        return spec
    target = Path(found.target).name if kind.target == "PATH" and found.target else found.target
    options = {name: text for name, text in found.options.items() if kind.options.get(name) is not words.folder}
    return str(words.Address(found.kind, target, options))


def with_data_dir(spec: str, data_dir: str | Path | None) -> str:
    """`spec` with the folder of prepared sets among its options; ``None`` changes nothing.

    Raises:
        DataError: words that are not ``tfds:NAME``, or that name a folder already.
    """
    if data_dir is None:
        return spec
    found = words.parse(spec)
    if found.kind != "tfds":
        raise DataError(f"Expected tfds:NAME with a data folder. Received: {spec} with {data_dir}")
    if "data_dir" in found.options:
        raise DataError(f"Expected one data folder. Received: {spec} and {data_dir}")
    return str(dataclasses.replace(found, options={**found.options, "data_dir": str(data_dir)}))


def load(spec: str | Dataset) -> Dataset:
    """The data set of those words; a `Dataset` is handed back as it is.

    Args:
        spec: ``digits``, ``npz:PATH``, ``folder:PATH`` or ``tfds:NAME``, with options such as ``?size=64`` behind it.

    Raises:
        DataError: an unknown name or option, or a file that does not hold a usable data set.
    """
    if isinstance(spec, Dataset):
        return spec
    found = words.parse(str(spec))
    kind = _KINDS.get(found.kind)
    if kind is None or bool(kind.target) != bool(found.target):
        raise DataError(f"Expected a data set among {', '.join(dataset_names())}. Received: {spec}")
    options = words.values(found, {**_GENERAL, **kind.options})
    count, seed = options.pop("train", None), options.pop("seed", None)
    if count is None and seed is not None:
        raise DataError(f"Expected the option seed with train, whose images it chooses. Received: {spec}")
    dataset = kind.load(found.target, **options) if kind.target else kind.load(**options)
    return dataset if count is None else balanced_subset(dataset, count, seed or 0)
