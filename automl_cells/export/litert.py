"""A trace → LiteRT (TensorFlow Lite) file, and the file run again by its interpreter."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.errors import ExportError
from automl_cells.export.backend import check_backend
from automl_cells.export.onnx_graph import one_line
from automl_cells.export.tracing import Trace
from automl_cells.files import write_atomically


def write_litert(traced: Trace, path: str | Path) -> None:
    """Write a trace as a LiteRT file of built-in operators, float32 weights; the batch axis can be resized.

    Raises:
        ExportError: an operator that LiteRT does not have.
    """
    import tensorflow as tf

    with _quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.concrete], traced.module)
        try:
            content = converter.convert()
        except Exception as error:  # the converter's exceptions have no public base class
            raise ExportError(f"Expected operators that LiteRT has. Received: {one_line(error)}") from None
    write_atomically(path, content)


def load_litert(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The file run by TensorFlow's LiteRT interpreter on one thread: images (batch, …) → (batch, …).

    Raises:
        ExportError: not a LiteRT file with one input and one output, or another backend.
    """
    check_backend()
    import tensorflow as tf

    with _quiet():
        try:
            interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=1)
            interpreter.allocate_tensors()  # says which delegate it uses, once
        except (ValueError, RuntimeError) as error:
            raise ExportError(f"Expected a LiteRT file. Received: {path} ({one_line(error)})") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(
            f"Expected one input and one output. Received: {len(inputs)} inputs and {len(outputs)} outputs in {path}"
        )
    given, wanted = inputs[0], outputs[0]["index"]

    def run(images: np.ndarray) -> np.ndarray:
        images = np.asarray(images, given["dtype"])
        interpreter.resize_tensor_input(given["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(wanted))

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back TensorFlow's log below an error, its notice about LiteRT's new home, and what C++ writes itself."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _no_native_output():
            warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated.*")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _no_native_output() -> Iterator[Any]:
    """The converter's C++ writes to file descriptor 2 past every logger."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
