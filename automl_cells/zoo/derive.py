"""Derived files: SavedModel and ONNX made from an entry, measured against it on real images.

They can always be made again from the immutable files, so they are listed in ``derived.json`` and not in the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.errors import ZooError
from automl_cells.export import FORMATS, ExportResult, export_model, sha256_of_file
from automl_cells.export.digests import files_below
from automl_cells.export.exporting import PARITY_FILE
from automl_cells.zoo.data import dataset_of
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.manifest import DERIVED, Derived, FileRecord, now, read_document, write_document

IMAGES = 64


def sample_images(entry: Entry, count: int = IMAGES) -> np.ndarray:
    """The first test images of the data set that the entry was trained on.

    Returns:
        (count, height, width, channels), raw pixels.

    Raises:
        ZooError: the data set cannot be found, see `dataset_of`, or is not the same any more.
    """
    try:
        dataset = dataset_of(entry)
    except ZooError as error:
        raise ZooError(f"Other images can be given (--dataset on the command line). {error}") from None
    return dataset.x_test[:count]


def export_entry(
    entry: Entry,
    formats: Sequence[str],
    out: str | Path,
    *,
    images: np.ndarray | None = None,
    opset: int = 17,
) -> dict[str, ExportResult]:
    """Export the model of an entry, see `automl_cells.export.export_model`.

    Args:
        entry: the entry.
        formats: among ``savedmodel`` and ``onnx``.
        out: the export folder.
        images: real images (n, height, width, channels), raw pixels; by default `sample_images`.
        opset: ONNX operator set.

    Raises:
        ZooError: the weights do not load, or there are no images.
        ExportError: see `automl_cells.export.export_model`.
        DataError: images with another number of channels.
    """
    inputs = entry.preprocessing(sample_images(entry) if images is None else images)
    return export_model(entry.load_model(), formats, out, images=inputs, metadata=entry.export_metadata(), opset=opset)


def build_entry(
    entry: Entry,
    *,
    images: np.ndarray | None = None,
    formats: Sequence[str] = tuple(FORMATS),
    opset: int = 17,
) -> dict[str, ExportResult]:
    """Make ``savedmodel/`` and ``model.onnx`` in the folder of the entry, with ``derived.json`` about them.

    Args:
        entry: the entry, published or not.
        images: real images (n, height, width, channels), raw pixels; by default `sample_images`.
        formats: among ``savedmodel`` and ``onnx``; what was made before in other formats stays.
        opset: ONNX operator set.

    Raises:
        ZooError: see `export_entry`.
        ExportError: see `export_entry`.
        DataError: see `export_entry`.
    """
    results = export_entry(entry, formats, entry.folder, images=images, opset=opset)
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
