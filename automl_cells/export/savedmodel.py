"""A trace → TensorFlow SavedModel, and the SavedModel run again through its serving signature."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl_cells.errors import ExportError
from automl_cells.export.backend import check_backend
from automl_cells.export.tracing import Trace, trace

if TYPE_CHECKING:
    import keras

SIGNATURE = "serving_default"
METADATA = "assets.extra/metadata.json"
"""Where a SavedModel may carry files of its producer; serving systems leave the folder alone."""


def export_savedmodel(model: keras.Model, folder: str | Path) -> None:
    """Write `model` as a SavedModel: float32 ``image`` (batch, height, width, channels) → its output.

    Args:
        model: a built functional Keras model with one input and one output.
        folder: where the SavedModel goes; must not exist yet or be empty.

    Raises:
        ExportError: `folder` holds something already, or the model cannot be traced, see `trace`.
    """
    check_empty(Path(folder))
    write_savedmodel(trace(model), folder, {})


def write_savedmodel(traced: Trace, folder: str | Path, metadata: Mapping[str, str]) -> None:
    """Write a trace as a SavedModel with the signature ``serving_default``.

    The input is called ``image``, the output as in the trace. `metadata` goes to ``assets.extra/metadata.json``.

    Raises:
        ExportError: `folder` holds something already.
    """
    import tensorflow as tf

    folder = Path(folder)
    check_empty(folder)
    with _quiet("tensorflow", "absl"):
        tf.saved_model.save(traced.module, str(folder), signatures={SIGNATURE: traced.concrete})
    describe_savedmodel(folder, metadata)


def describe_savedmodel(folder: str | Path, metadata: Mapping[str, str]) -> None:
    """Add to what a SavedModel says about itself."""
    path = Path(folder) / METADATA
    path.parent.mkdir(exist_ok=True)
    present = json.loads(path.read_bytes()) if path.exists() else {}
    path.write_text(json.dumps({**present, **metadata}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def check_empty(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        ExportError: it does.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ExportError(f"Expected a folder that is empty or does not exist. Received: {folder}")


def load_savedmodel(folder: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function that a serving system would call: images (batch, height, width, channels) → (batch, …), float32.

    Raises:
        ExportError: not a SavedModel with one serving signature of one input and one output, or another backend.
    """
    check_backend()
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
    except OSError as error:
        raise ExportError(f"Expected the folder of a SavedModel. Received: {folder} ({error})") from None
    serve = loaded.signatures.get(SIGNATURE)
    inputs = serve.structured_input_signature[1] if serve is not None else {}
    if serve is None or len(inputs) != 1 or len(serve.structured_outputs) != 1:
        raise ExportError(
            f"Expected a signature {SIGNATURE!r} with one input and one output. Received: {list(loaded.signatures)}"
        )
    ((given, spec),) = inputs.items()
    (wanted,) = serve.structured_outputs

    def run(images: np.ndarray) -> np.ndarray:
        # `loaded` must stay alive: the signature holds its variables by weak references only
        return np.asarray(loaded.signatures[SIGNATURE](**{given: tf.constant(images, spec.dtype)})[wanted])

    return run


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Hold back what these loggers say below an error."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
