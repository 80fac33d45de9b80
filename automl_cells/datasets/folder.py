"""Folders of images, one sub-folder a class.

Layouts: ``PATH/<class>/…`` (a test part is held out), or ``PATH/train/<class>/…`` with ``PATH/test``, ``PATH/val`` or
``PATH/validation`` of the same classes; of several the first in this order is the test part and the others are left
alone. The names of the class folders in alphabetical order are the class names. An image may lie deeper inside its
class folder.

Image files are told by their suffix (any format that Pillow reads by itself); others, such as ``notes.txt`` and
``Thumbs.db``, and everything whose name begins with a dot is passed over. Links to files and to class folders are
followed, links to folders inside a class are not, nor a class folder that leads back to where the data set is.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from automl_cells.datasets.base import Dataset
from automl_cells.datasets.encoded import Part, Reading, from_encoded
from automl_cells.datasets.pixels import EncodedImage, suffixes
from automl_cells.errors import DataError

_TEST = ("test", "val", "validation")


def load_folder(path: str | Path, reading: Reading | None = None) -> Dataset:
    """Read a folder of images; its name is the data set's name.

    Args:
        path: the folder.
        reading: sizes, damaged files, memory; by default as `Reading` says.

    Raises:
        DataError: no such folder, no class folders, an empty class, or images that cannot be read.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"Expected a folder of images. Received: {path} ({'a file' if root.exists() else 'not there'})")
    training = root / "train"
    apart = training.is_dir() and bool(_class_folders(training))
    classes = _class_folders(training if apart else root)
    if not classes:
        raise DataError(f"Expected a folder with one sub-folder of images a class. Received: {root}, without folders")
    names = [folder.name for folder in classes]
    train = _part(dict(enumerate(classes)))
    _refuse_empty(classes, train)
    test = _test_part(root, names) if apart else None
    return from_encoded(train, test, names, root.resolve().name or "folder", reading or Reading())


def _class_folders(folder: Path) -> list[Path]:
    here = folder.resolve()
    found = []
    for entry in os.scandir(folder):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        if entry.is_symlink() and here.is_relative_to(Path(entry.path).resolve()):
            continue  # a loop
        found.append(folder / entry.name)
    return sorted(found, key=lambda path: path.name)


def _part(classes: dict[int, Path]) -> Part:
    images: list[EncodedImage] = []
    labels: list[int] = []
    for label, folder in classes.items():
        found = _images(folder)
        images += found
        labels += [label] * len(found)
    return Part(images, np.array(labels, np.int64))


def _images(folder: Path) -> list[EncodedImage]:
    known = suffixes()
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            EncodedImage(Path(where, name))
            for name in sorted(files)
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in known
        ]
    return found


def _refuse_empty(classes: list[Path], train: Part) -> None:
    counts = np.bincount(train.labels, minlength=len(classes))
    empty = [folder for folder, count in zip(classes, counts, strict=True) if not count]
    if empty:
        others = f"; and {len(empty) - 5} more" if len(empty) > 5 else ""
        raise DataError(
            "Expected image files (.jpg, .png, …) in every class folder. "
            f"Received: none in {'; '.join(map(str, empty[:5]))}{others}"
        )


def _test_part(root: Path, names: list[str]) -> Part | None:
    """The first of the test folders whose classes are those of the training folder; ``None`` if there is no folder."""
    strange = []
    for name in _TEST:
        folder = root / name
        if not folder.is_dir():
            continue
        found = _class_folders(folder)
        unknown = [each.name for each in found if each.name not in names]
        if found and not unknown:
            part = _part({names.index(each.name): each for each in found})
            if part.images:
                return part
            unknown = ["no images"]
        strange.append(f"{folder} with {', '.join(unknown[:5]) or 'no class folders'}")
    if strange:
        raise DataError(
            f"Expected the class folders of {root / 'train'} in a test folder. Received: {'; '.join(strange)}"
        )
    return None
