"""One model to several files: export, load again, compare on real images, and only then put into place."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from automl_cells.errors import ExportError
from automl_cells.export.backend import check_backend
from automl_cells.export.digests import sha256_of_file, sha256_of_folder, size_of
from automl_cells.export.onnx import add_metadata, export_onnx, load_onnx
from automl_cells.export.parity import TOLERANCE, Parity, measure_parity
from automl_cells.export.savedmodel import export_savedmodel, load_savedmodel
from automl_cells.files import write_atomically

if TYPE_CHECKING:
    import keras

PARITY_FILE = "parity.json"
PARITY_FORMAT = "automl_cells/parity"
FORMATS: dict[str, str] = {"savedmodel": "savedmodel", "onnx": "model.onnx"}
"""Formats and what their file or folder is called in the export folder."""


class ExportResult(NamedTuple):
    """One exported file or folder.

    Attributes:
        path: where it is.
        parity: how it compares with the Keras model.
        sha256: of the file, or of the folder (`sha256_of_folder`), hexadecimal.
        bytes: size.
        seconds: time that export and comparison took.
    """

    path: Path
    parity: Parity
    sha256: str
    bytes: int
    seconds: float

    def to_document(self) -> dict[str, Any]:
        """What ``parity.json`` says about this export."""
        return {
            "path": self.path.name,
            "max_abs_difference": self.parity.max_abs_difference,
            "tolerance": TOLERANCE,
            "top1_agreement": self.parity.top1_agreement,
            "images": self.parity.images,
            "sha256": self.sha256,
            "bytes": self.bytes,
        }


def export_model(
    model: keras.Model,
    formats: Sequence[str],
    out: str | Path,
    *,
    images: np.ndarray,
    metadata: Mapping[str, str],
    opset: int = 17,
) -> dict[str, ExportResult]:
    """Write `model` in each of `formats` to ``out/savedmodel/`` and ``out/model.onnx``, with ``out/parity.json``.

    Nothing is written to `out` before every format has been loaded again and agrees with Keras within 1e-4. Files of
    an earlier export there are replaced; ``parity.json`` keeps what it says about formats not exported now.

    Args:
        model: a built Keras model with one input and one output, float32, on the TensorFlow backend.
        formats: among ``savedmodel`` and ``onnx``.
        out: the export folder.
        images: real images (n, height, width, channels), as the model takes them (normalised).
        metadata: for the ONNX file's ``metadata_props``, see `export_onnx`; ``parity_max_abs`` is added.
        opset: ONNX operator set.

    Raises:
        ExportError: an unknown format, another backend, layers that do not compute in float32, or an export that
            differs from Keras by more than 1e-4; `out` is then as it was.
    """
    _check(model, formats)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ExportError(f"Expected a folder to export to. Received: {out}, a file")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".exporting-") as name:
        staged = {form: _export(model, form, Path(name), images, metadata, opset) for form in dict.fromkeys(formats)}
        out.mkdir(exist_ok=True)
        for result in staged.values():
            _move_into(result.path, out)
    results = {form: result._replace(path=out / result.path.name) for form, result in staged.items()}
    _write_parity(out, results)
    return results


def _check(model: keras.Model, formats: Sequence[str]) -> None:
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or isinstance(formats, str) or not formats:
        raise ExportError(f"Expected a list of formats among {list(FORMATS)}. Received: {formats!r}")
    check_backend()
    for layer in model.layers:
        if layer.compute_dtype != "float32":
            raise ExportError(
                f"Expected layers that compute in float32. Received: {layer.name}, which computes in "
                f"{layer.compute_dtype}"
            )


def _export_savedmodel(model: keras.Model, path: Path, metadata: Mapping[str, str], opset: int) -> None:
    export_savedmodel(model, path)


def _export_onnx(model: keras.Model, path: Path, metadata: Mapping[str, str], opset: int) -> None:
    export_onnx(model, path, metadata=metadata, opset=opset)


_WRITERS: dict[str, Callable[[Any, Path, Mapping[str, str], int], None]] = {
    "savedmodel": _export_savedmodel,
    "onnx": _export_onnx,
}
_READERS: dict[str, Callable[[Path], Callable[[np.ndarray], np.ndarray]]] = {
    "savedmodel": load_savedmodel,
    "onnx": load_onnx,
}


def _export(
    model: keras.Model, form: str, folder: Path, images: np.ndarray, metadata: Mapping[str, str], opset: int
) -> ExportResult:
    """Export one format into the staging folder and compare it."""
    start = time.perf_counter()
    path = folder / FORMATS[form]
    _WRITERS[form](model, path, metadata, opset)
    parity = measure_parity(model, _READERS[form](path), images)
    if not parity.holds:
        raise ExportError(
            f"Expected the {form} export to agree with Keras within {TOLERANCE:g} on {parity.images} images. "
            f"Received: a difference of {parity.max_abs_difference:.3g}, the same first class on "
            f"{parity.top1_agreement:.1%}"
        )
    if form == "onnx":
        add_metadata(path, {"parity_max_abs": f"{parity.max_abs_difference:.3g}", "parity_images": str(parity.images)})
    sha256 = sha256_of_folder(path) if path.is_dir() else sha256_of_file(path)
    return ExportResult(path, parity, sha256, size_of(path), time.perf_counter() - start)


def _move_into(source: Path, folder: Path) -> None:
    """Rename `source` into `folder`; a folder of the same name is set aside first, since no rename replaces one."""
    target = folder / source.name
    if not source.is_dir():
        source.replace(target)
        return
    old = source.with_name(f"{source.name}-old")
    if target.exists():
        target.rename(old)
    try:
        source.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_parity(out: Path, results: Mapping[str, ExportResult]) -> None:
    path = out / PARITY_FILE
    kept: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        before = json.loads(path.read_text())["results"]
        kept = {form: before[form] for form, name in FORMATS.items() if form in before and (out / name).exists()}
    for form, result in results.items():
        kept[form] = result.to_document()
    document = {"format": PARITY_FORMAT, "version": 1, "results": kept}
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False) + "\n")
