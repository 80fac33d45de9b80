"""The data set that an entry was trained on, found again by its name and known by its fingerprint."""

from __future__ import annotations

import os
from pathlib import Path

from automl_cells.datasets import Dataset, dataset_names, load
from automl_cells.errors import DataError, ZooError
from automl_cells.zoo.entry import Entry

FOLDER = "AUTOML_CELLS_DATA"
"""Environment variable: a folder with data sets as ``NAME.npz`` in the layout of `keras.datasets`."""


class MissingDataError(ZooError):
    """The data set of an entry is not at hand."""


def dataset_of(entry: Entry, folder: str | Path | None = None) -> Dataset:
    """The data that the entry learnt: an embedded data set, or ``NAME.npz`` in a folder.

    Args:
        entry: the entry.
        folder: where to look for ``NAME.npz``; by default the folder in the variable ``AUTOML_CELLS_DATA``.

    Raises:
        MissingDataError: it is not there.
        ZooError: it cannot be read, or it is not the same any more.
    """
    reference = entry.document.dataset
    folder = folder or os.environ.get(FOLDER)
    if reference.name in dataset_names():
        words = reference.name
    else:
        path = None if folder is None else Path(folder) / f"{reference.name}.npz"
        if path is None or path.name != f"{reference.name}.npz" or not path.is_file():
            raise MissingDataError(
                f"Expected the data set {reference.name!r} of {entry.name}/{entry.tag} as {reference.name}.npz in the "
                f"folder given, or in that of the variable {FOLDER}. Received: {path or 'no folder'}"
            )
        words = f"npz:{path}"
    try:
        dataset = load(words)
    except DataError as error:
        raise ZooError(f"Expected the data set {reference.name!r} to be readable. Received: {error}") from None
    if dataset.fingerprint != reference.fingerprint:
        raise ZooError(
            f"Expected the data set {reference.name!r} with fingerprint {reference.fingerprint}. "
            f"Received: {dataset.fingerprint}"
        )
    return dataset
