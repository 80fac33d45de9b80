"""One model to several files from one trace: export, load again, compare on real images, and only then put in place."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from automl_cells.datasets import Preprocessing
from automl_cells.errors import ExportError
from automl_cells.export.digests import sha256_of_file, sha256_of_folder, size_of
from automl_cells.export.int8 import LARGEST_LOSS, Accuracies, Evaluation, accuracy, write_int8
from automl_cells.export.litert import load_litert, write_litert
from automl_cells.export.onnx import check_opset, load_onnx, write_onnx
from automl_cells.export.onnx_graph import add_metadata
from automl_cells.export.parity import TOLERANCE, Parity, measure_parity
from automl_cells.export.savedmodel import describe_savedmodel, load_savedmodel, write_savedmodel
from automl_cells.export.tracing import Trace, trace
from automl_cells.files import write_atomically

if TYPE_CHECKING:
    import keras

PARITY_FILE = "parity.json"
STAGED = ".partial-"
"""How the names of unfinished folders start."""

PARITY_FORMAT = "automl_cells/parity"
FORMATS: dict[str, str] = {
    "savedmodel": "savedmodel",
    "onnx": "model.onnx",
    "int8": "model.int8.onnx",
    "litert": "model.tflite",
}
"""Formats and what their file or folder is called in the export folder."""

FEEDING = {
    "outside": {"preprocessing": "outside", "input_range": "feed (pixels - input_mean) / input_std, per channel"},
    "inside": {"preprocessing": "inside", "input_range": "feed pixels, as they are"},
}
"""What a file says about what it takes."""

_READERS: dict[str, Callable[[Path], Callable[[np.ndarray], np.ndarray]]] = {
    "savedmodel": load_savedmodel,
    "onnx": load_onnx,
    "int8": load_onnx,
    "litert": load_litert,
}


class ExportResult(NamedTuple):
    """One exported file or folder.

    Attributes:
        path: where it is.
        parity: how it compares with the Keras model.
        sha256: of the file, or of the folder (`sha256_of_folder`), hexadecimal.
        bytes: size.
        seconds: time that export and comparison took.
        accuracies: for int8: accuracy before and after.
    """

    path: Path
    parity: Parity
    sha256: str
    bytes: int
    seconds: float
    accuracies: Accuracies | None = None

    def to_document(self) -> dict[str, Any]:
        """What ``parity.json`` says about this export."""
        document = {
            "path": self.path.name,
            "max_abs_difference": self.parity.max_abs_difference,
            "tolerance": TOLERANCE,
            "top1_agreement": self.parity.top1_agreement,
            "images": self.parity.images,
            "sha256": self.sha256,
            "bytes": self.bytes,
        }
        if self.accuracies is None:
            return document
        document["tolerance"] = None  # int8 is judged by accuracy
        return document | {
            "accuracy_float": self.accuracies.float32,
            "accuracy_int8": self.accuracies.int8,
            "accuracy_images": self.accuracies.images,
            "largest_loss": LARGEST_LOSS,
        }


def export_model(
    model: keras.Model,
    formats: Sequence[str],
    out: str | Path,
    *,
    images: np.ndarray,
    metadata: Mapping[str, str],
    opset: int = 17,
    output: str | None = None,
    preprocessing: Preprocessing | None = None,
    evaluation: Evaluation | None = None,
    watch: Callable[[str], None] = lambda what: None,
) -> dict[str, ExportResult]:
    """Write `model` in each of `formats` to the folder `out`, with ``parity.json`` about them.

    The model is traced once, with its batch normalisation folded into its convolutions, and every format is written
    from that trace. Nothing is put into `out` before all have been loaded again and agree with the model as it was
    given: within 1e-4, and for int8 with at most one point less accuracy. Files of an earlier export there are
    replaced; ``parity.json`` keeps what it says about formats not exported now.

    Args:
        model: a built functional Keras model with one input and one output, float32, on the TensorFlow backend.
        formats: among ``savedmodel``, ``onnx``, ``int8`` (an ONNX file too) and ``litert``.
        out: the export folder.
        images: real images (n, height, width, channels), as the files take them: normalised, or, with
            `preprocessing`, pixels.
        metadata: what the files say about themselves; see `export_onnx` for what is added. ``parity_max_abs`` and
            ``parity_images`` are, too.
        opset: ONNX operator set, 14 to 18.
        output: ``probabilities`` or ``logits``; by default what the model gives.
        preprocessing: put this normalisation into the files, which then take pixels as uint8.
        evaluation: for int8: what it is calibrated on and judged by.
        watch: told what is done next.

    Raises:
        ExportError: an unknown format, another backend, layers that do not compute in float32, images that are not
            pixels, or an export that does not hold; `out` is then as it was.
    """
    _check(formats, opset, evaluation)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ExportError(f"Expected a folder to export to. Received: {out}, a file")
    for form in formats:
        target = out / FORMATS[form]
        if target.exists() and target.is_dir() != (form == "savedmodel"):
            raise ExportError(f"Expected {target} to be free for the {form} export. Received: something else there")
    fed = np.asarray(images, np.float32) if preprocessing is None else pixels(images)
    watch("trace")
    traced = trace(model, output, preprocessing)
    where = "outside" if preprocessing is None else "inside"
    borders = {"input_layout": "NHWC", "input_dtype": traced.dtype, "output": traced.output}
    told = {name: str(value) for name, value in {**metadata, **FEEDING[where], **borders}.items()}
    job = _Job(traced, fed, preprocessing, told, opset, evaluation)
    with _staging(out) as folder:
        staged = {}
        for form in [form for form in FORMATS if form in formats]:  # int8 after the float file it is made from
            watch(form)
            staged[form] = _export(job, form, folder)
        for result in staged.values():
            _move_into(result.path, out)
        results = {form: result._replace(path=out / result.path.name) for form, result in staged.items()}
        _write_parity(out, results, job.metadata)
    return results


@contextlib.contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A hidden folder in `out`, so that moving its files is a renaming; a new `out` that stays empty is removed."""
    there = out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=STAGED) as name:
            yield Path(name)
    finally:
        if not there and not any(out.iterdir()):
            out.rmdir()


class _Job(NamedTuple):
    """What is the same for all formats."""

    traced: Trace
    images: np.ndarray
    preprocessing: Preprocessing | None
    metadata: dict[str, str]
    opset: int
    evaluation: Evaluation | None


def pixels(images: np.ndarray) -> np.ndarray:
    """Raw images as uint8, which files with their own preprocessing take.

    Raises:
        ExportError: not whole numbers from 0 to 255.
    """
    images = np.asarray(images)
    whole = images.astype(np.uint8)
    if images.dtype != np.uint8 and not np.array_equal(whole, images):
        raise ExportError(
            "Expected images of whole numbers from 0 to 255 for a file that takes pixels as uint8. "
            f"Received: {images.dtype} from {images.min():g} to {images.max():g}"
        )
    return whole


def _check(formats: Sequence[str], opset: int, evaluation: Evaluation | None) -> None:
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or isinstance(formats, str) or not formats:
        raise ExportError(f"Expected a list of formats among {list(FORMATS)}. Received: {formats!r}")
    if "int8" in formats and evaluation is None:
        raise ExportError("Expected images to calibrate int8 with and to judge it by. Received: none")
    check_opset(opset)


def _export(job: _Job, form: str, folder: Path) -> ExportResult:
    """Export one format into the staging folder and compare it."""
    start = time.perf_counter()
    path = folder / FORMATS[form]
    _WRITERS[form](job, path)
    inputs = job.images if job.preprocessing is None else job.preprocessing(job.images)
    run = _READERS[form](path)
    parity = measure_parity(job.traced.reference, run, inputs, job.images)
    accuracies = _accuracies(job, path, folder) if form == "int8" else None
    if accuracies is None and not parity.holds:
        raise ExportError(
            f"Expected the {form} export to agree with Keras within {TOLERANCE:g} on {parity.images} images. "
            f"Received: a difference of {parity.max_abs_difference:.3g}, the same first class on "
            f"{parity.top1_agreement:.1%}"
        )
    if form != "litert":
        measured = {"parity_max_abs": f"{parity.max_abs_difference:.3g}", "parity_images": str(parity.images)}
        if accuracies is not None:
            measured |= {
                "accuracy_float": f"{accuracies.float32:.2f}",
                "accuracy_int8": f"{accuracies.int8:.2f}",
                "accuracy_images": str(accuracies.images),
            }
        (describe_savedmodel if form == "savedmodel" else add_metadata)(path, measured)
    sha256 = sha256_of_folder(path) if path.is_dir() else sha256_of_file(path)
    return ExportResult(path, parity, sha256, size_of(path), time.perf_counter() - start, accuracies)


def _float_onnx(job: _Job, folder: Path) -> Path:
    """The float ONNX file that int8 is made from: that of this export, or one made for the purpose."""
    path = folder / FORMATS["onnx"]
    if not path.exists():
        path = folder / "float.onnx"
        if not path.exists():
            write_onnx(job.traced, path, job.metadata, job.opset)
    return path


def _write_int8(job: _Job, path: Path) -> None:
    assert job.evaluation is not None  # `_check` saw to it
    write_int8(_float_onnx(job, path.parent), path, _typed(job, job.evaluation.calibration), job.metadata)


def _accuracies(job: _Job, path: Path, folder: Path) -> Accuracies:
    assert job.evaluation is not None
    images, labels = _typed(job, job.evaluation.images), job.evaluation.labels
    before, after = (accuracy(load_onnx(file), images, labels) for file in (_float_onnx(job, folder), path))
    found = Accuracies(before, after, len(images))
    if not found.holds:
        raise ExportError(
            f"Expected int8 to cost at most {LARGEST_LOSS:g} point of accuracy on {found.images} images. "
            f"Received: {after:.2f} % against {before:.2f} %"
        )
    return found


def _typed(job: _Job, images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float32) if job.preprocessing is None else pixels(images)


_WRITERS: dict[str, Callable[[_Job, Path], None]] = {
    "savedmodel": lambda job, path: write_savedmodel(job.traced, path, job.metadata),
    "onnx": lambda job, path: write_onnx(job.traced, path, job.metadata, job.opset),
    "int8": _write_int8,
    "litert": lambda job, path: write_litert(job.traced, path),
}


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


def _write_parity(out: Path, results: Mapping[str, ExportResult], metadata: Mapping[str, str]) -> None:
    path = out / PARITY_FILE
    kept: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        before = json.loads(path.read_text())["results"]
        kept = {form: before[form] for form, name in FORMATS.items() if form in before and (out / name).exists()}
    for form, result in results.items():
        kept[form] = result.to_document()
    document = {"format": PARITY_FORMAT, "version": 1, "results": kept, "metadata": dict(metadata)}
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False) + "\n")
