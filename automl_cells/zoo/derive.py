"""Derived files: SavedModel, ONNX, int8 and LiteRT made from an entry, measured against it on real images.

They can always be made again from the immutable files, so they are listed in ``derived.json`` and not in the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from automl_cells.datasets import Dataset
from automl_cells.errors import ExportError, ZooError
from automl_cells.export import FORMATS, Evaluation, ExportResult, export_model, sha256_of_file
from automl_cells.export.digests import files_below
from automl_cells.export.exporting import PARITY_FILE
from automl_cells.zoo.data import dataset_of
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.manifest import DERIVED, Derived, FileRecord, now, read_document, write_document

IMAGES = 64
CALIBRATION_IMAGES = 256
LARGEST_SIDE = 4096
ACCURACY_IMAGES = 2000
"""How many test images int8 is judged by: its error is then a tenth of the point that it may cost, or thereabouts."""

BUILT = ("savedmodel", "onnx", "int8")
"""What `build_entry` makes by default."""

Size = tuple[int, int] | Literal["any"] | None


def sample_images(entry: Entry, count: int = IMAGES) -> np.ndarray:
    """The first test images of the data set that the entry was trained on.

    Returns:
        (count, height, width, channels), raw pixels.

    Raises:
        ZooError: the data set cannot be found, see `dataset_of`, or is not the same any more.
    """
    return _data(entry).x_test[:count]


def export_entry(
    entry: Entry,
    formats: Sequence[str],
    out: str | Path,
    *,
    data: Dataset | np.ndarray | None = None,
    opset: int = 17,
    output: str | None = None,
    with_preprocessing: bool = False,
    size: Size = None,
    watch: Callable[[str], None] = lambda what: None,
) -> dict[str, ExportResult]:
    """Export the model of an entry, see `automl_cells.export.export_model`.

    Parity is measured on the first 64 test images. int8 is calibrated on the first 256 training images and judged by
    the first 2,000 test images.

    Args:
        entry: the entry.
        formats: among ``savedmodel``, ``onnx``, ``int8`` and ``litert``.
        out: the export folder.
        data: real images: a data set, or, for all but int8, an array (n, height, width, channels) of raw pixels; by
            default the data set that the entry learnt.
        opset: ONNX operator set.
        output: ``probabilities`` or ``logits``; by default what the model gives.
        with_preprocessing: put the normalisation into the files, which then take raw pixels as uint8.
        size: (height, width) of the images, or ``any``; by default that of the entry. The images of `data` are
            resized to it.
        watch: told what is done next.

    Raises:
        ZooError: the weights do not load, or there are no images.
        ExportError: see `automl_cells.export.export_model`; or an array of images for int8.
        DataError: images with another number of channels.
    """
    found = _data(entry) if data is None else data
    _check_size(size)
    model = entry.load_model(size)  # which refuses sizes that the network cannot have
    prepare = _preparation(entry, size, with_preprocessing)
    images = found.x_test[:IMAGES] if isinstance(found, Dataset) else np.asarray(found)
    if not len(images):
        raise ExportError("Expected at least one image to compare on. Received: none")
    evaluation = None
    if "int8" in formats and isinstance(found, Dataset):
        _check_labels(entry, found)
        evaluation = Evaluation(
            prepare(found.x_train[:CALIBRATION_IMAGES]),
            prepare(found.x_test[:ACCURACY_IMAGES]),
            found.y_test[:ACCURACY_IMAGES],
        )
    return export_model(
        model,
        formats,
        out,
        images=prepare(images),
        metadata={**entry.export_metadata(), "pixel_range": json.dumps(pixel_range(images))},
        opset=opset,
        output=output,
        preprocessing=entry.preprocessing if with_preprocessing else None,
        evaluation=evaluation,
        watch=watch,
    )


def _check_size(size: Any) -> None:
    """Refuse what is no size, or so large that only a slip of the pen can be meant."""
    if size is None or size == "any":
        return
    whole = isinstance(size, tuple) and len(size) == 2 and all(type(side) is int for side in size)
    if not whole or not all(1 <= side <= LARGEST_SIDE for side in size):
        raise ExportError(f"Expected a size (height, width) up to {LARGEST_SIDE}, or 'any'. Received: {size!r:.60}")


def _check_labels(entry: Entry, data: Dataset) -> None:
    """Accuracy means something only with the classes that the network learnt."""
    if tuple(data.class_names) != entry.labels and data.fingerprint != entry.document.dataset.fingerprint:
        raise ExportError(
            f"Expected labelled images of the classes {list(entry.labels[:3])} … to judge int8 by. "
            f"Received: {data.name} with {list(data.class_names[:3])} …"
        )


def pixel_range(images: np.ndarray) -> list[float]:
    """What range the pixels of a data set have, told from some of its images: 0 to 1, to 16 (the digits) or to 255.

    Pixels outside all of these give their own smallest and largest value.
    """
    low, high = float(np.min(images)), float(np.max(images))
    top = next((top for top in (1.0, 16.0, 255.0) if high <= top), None)
    return [low, high] if low < 0 or top is None else [0.0, top]


def _data(entry: Entry) -> Dataset:
    try:
        return dataset_of(entry)
    except ZooError as error:
        # of the same type: that the data are only missing is something a caller may want to know
        raise type(error)(f"Other images can be given (--dataset on the command line). {error}") from None


def _preparation(entry: Entry, size: Size, with_preprocessing: bool) -> Callable[[np.ndarray], np.ndarray]:
    """From raw pixels to what an exported file takes."""

    def prepare(images: np.ndarray) -> np.ndarray:
        images = np.asarray(images)
        if isinstance(size, tuple) and images.shape[1:3] != size:
            import keras

            resized = keras.ops.convert_to_numpy(
                keras.ops.image.resize(images.astype(np.float32), size, antialias=True, data_format="channels_last")
            )
            images = np.round(np.clip(resized, images.min(), images.max())) if with_preprocessing else resized
        return images if with_preprocessing else entry.preprocessing(images)

    return prepare


def build_entry(
    entry: Entry,
    *,
    data: Dataset | np.ndarray | None = None,
    formats: Sequence[str] = BUILT,
    opset: int = 17,
    watch: Callable[[str], None] = lambda what: None,
) -> dict[str, ExportResult]:
    """Make ``savedmodel/``, ``model.onnx`` and ``model.int8.onnx`` in the folder of the entry, and ``derived.json``.

    Args:
        entry: the entry, published or not.
        data: real images, see `export_entry`.
        formats: as for `export_entry`; what was made before in other formats stays.
        opset: ONNX operator set.
        watch: told what is done next.

    Raises:
        ZooError: see `export_entry`.
        ExportError: see `export_entry`.
        DataError: see `export_entry`.
    """
    results = export_entry(entry, formats, entry.folder, data=data, opset=opset, watch=watch)
    weights = sha256_of_file(entry.weights)
    files, parity = _kept(entry.folder / DERIVED, weights, replaced=list(results))
    for path in [*(path for result in results.values() for path in _files_of(result.path)), entry.folder / PARITY_FILE]:
        files[path.relative_to(entry.folder).as_posix()] = FileRecord.of(path)
    parity |= {form: result.to_document() for form, result in results.items()}
    derived = Derived(made=now(), weights_sha256=weights, parity=parity, files=files)
    write_document(entry.folder / DERIVED, derived)
    return results


def _kept(path: Path, weights: str, replaced: Sequence[str]) -> tuple[dict[str, FileRecord], dict[str, Any]]:
    """What an earlier build of the same weights says about formats that were not replaced: files and parity."""
    try:
        before = read_document(path, Derived)
    except ZooError:
        return {}, {}
    if before.weights_sha256 != weights:
        return {}, {}
    stays = {name for form, name in FORMATS.items() if form not in replaced}
    files = {name: record for name, record in before.files.items() if name.partition("/")[0] in stays}
    return files, {form: what for form, what in before.parity.items() if form not in replaced}


def _files_of(path: Path) -> list[Path]:
    return files_below(path) if path.is_dir() else [path]
