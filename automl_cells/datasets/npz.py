"""Data sets in ``.npz`` files in the layout of `keras.datasets`: x_train, y_train, x_test, y_test, optional classes.

Nothing in such a file is executed (no pickles), and its sizes are looked at before anything is unpacked.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from automl_cells.datasets.arrays import from_arrays
from automl_cells.datasets.base import Dataset
from automl_cells.datasets.encoded_images import EncodedImages
from automl_cells.errors import DataError
from automl_cells.files import replacing

MAX_BYTES = 8 * 1024**3  # unpacked; CIFAR-10 takes 0.2 GB
_REQUIRED = ("x_train", "y_train", "x_test", "y_test")
_OPTIONAL = ("classes", "name")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_npz(path: str | Path) -> Dataset:
    """Read a data set; its name is the one stored, else the file's name without suffix.

    Raises:
        DataError: no such file, not an npz file, arrays missing, of Python objects or too large, or as `from_arrays`.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"Expected an .npz file. Received: {path} ({'a folder' if path.is_dir() else 'no such file'})")
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _read(archive, path)
    except zipfile.BadZipFile as error:
        raise DataError(f"Expected an .npz file. Received: {path} ({error})") from None
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:  # what zlib and numpy raise
        if isinstance(error, DataError):
            raise
        raise DataError(f"Expected a readable .npz file. Received: {path} ({error})") from None
    name = str(arrays["name"]) if "name" in arrays else path.stem
    try:
        given: dict[str, Any] = {key: arrays[key] for key in _REQUIRED}
        return from_arrays(**given, class_names=_names(arrays.get("classes")), name=name)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def save_npz(dataset: Dataset, path: str | Path) -> None:
    """Write a data set that ``load("npz:PATH")`` gives back: the same arrays, names and fingerprint.

    Raises:
        DataError: a streamed data set, whose images do not fit into memory.
        OSError: the folder cannot be written to.
    """
    if isinstance(dataset.x_train, EncodedImages) or isinstance(dataset.x_test, EncodedImages):
        raise DataError(
            f"Expected a data set in memory to write into one file (name a streamed one by its words instead, such as "
            f"folder:PATH). Received: {dataset.name}, streamed"
        )
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            x_train=dataset.x_train,
            y_train=dataset.y_train,
            x_test=dataset.x_test,
            y_test=dataset.y_test,
            classes=np.array(dataset.class_names),
            name=np.array(dataset.name),
        )


def _read(archive: zipfile.ZipFile, path: Path) -> dict[str, np.ndarray]:
    members = {info.filename: info for info in archive.infolist()}
    missing = [key for key in _REQUIRED if f"{key}.npy" not in members]
    if missing:
        raise DataError(
            f"Expected the arrays {', '.join(_REQUIRED)} in {path}. "
            f"Received: no {', '.join(missing)} among {sorted(members)!r:.120}"
        )
    arrays = {}
    left = MAX_BYTES
    for key in (*_REQUIRED, *_OPTIONAL):
        if f"{key}.npy" in members:
            with archive.open(f"{key}.npy") as file:
                left -= _check_header(file, key, path, left)
            with archive.open(f"{key}.npy") as file:
                arrays[key] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _check_header(file: IO[bytes], key: str, path: Path, left: int) -> int:
    """The size in bytes that the array says it has; refused if it does not fit or holds Python objects."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise DataError(f"Expected a plain array {key} in {path}. Received: .npy version {version}")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise DataError(f"Expected numbers in {key} of {path}. Received: Python objects")
    size = math.prod(shape) * dtype.itemsize
    if size > left:
        raise DataError(f"Expected at most {MAX_BYTES:,} bytes of arrays in {path}. Received: {key} of shape {shape}")
    return size


def _names(classes: np.ndarray | None) -> list[str] | None:
    if classes is None:
        return None
    if classes.ndim != 1 or classes.dtype.kind not in "USiu":
        raise DataError(f"Expected classes as a list of names. Received: {classes.dtype}, shape {classes.shape}")
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in classes.tolist()]
