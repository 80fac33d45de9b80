"""Keras model → ONNX file with stable names and its own description, and the file run again by ONNX Runtime.

Keras' exporter (tf2onnx) leaves a graph whose axes and output have generated names and whose metadata is empty. Here
the input is called ``image``, the output ``probabilities`` (after a softmax), ``logits`` or ``features``, the first
axis of both ``batch``, and the file carries what a user needs to feed it: layout, normalisation, labels, versions.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_cells.errors import ExportError
from automl_cells.export.backend import check_backend
from automl_cells.files import replacing

if TYPE_CHECKING:
    import keras

OPSETS = range(14, 19)  # what tf2onnx 1.17 is tested with
MAX_BYTES = 2**31 - 2**20  # a protobuf message ends at 2 GiB; one MiB is left for the graph itself
INPUT = "image"


def export_onnx(model: keras.Model, path: str | Path, *, metadata: Mapping[str, str], opset: int = 17) -> None:
    """Write `model` as an ONNX file, beside its place first and then renamed.

    Args:
        model: a built Keras model with one input and one output, float32, on the TensorFlow backend.
        path: the file.
        metadata: goes into the file's ``metadata_props``; ``input_layout``, ``opset``, ``keras`` and ``tf2onnx`` are
            added.
        opset: ONNX operator set, 14 to 18.

    Raises:
        ExportError: an opset out of range, a model too large for one ONNX file, or a graph that the ONNX checker
            refuses; or another backend than TensorFlow.
    """
    check_backend()
    import keras
    import onnx
    import tf2onnx

    if opset not in OPSETS:
        raise ExportError(f"Expected an opset from {OPSETS[0]} to {OPSETS[-1]}. Received: {opset}")
    if (size := 4 * model.count_params()) > MAX_BYTES:
        raise ExportError(f"Expected weights of at most {MAX_BYTES:,} bytes for an ONNX file. Received: {size:,}")
    model(keras.Input(batch_shape=model.input_shape))  # Keras refuses to export what was never called
    with replacing(path) as temporary:
        with _quiet_converter():
            model.export(str(temporary), format="onnx", opset_version=opset, verbose=False)
        proto = onnx.load(str(temporary))
        _name(proto.graph, output_name(model))
        proto.graph.name = metadata.get("name", model.name)
        versions = {"opset": str(opset), "keras": keras.__version__, "tf2onnx": tf2onnx.__version__}
        onnx.helper.set_model_props(proto, {**metadata, "input_layout": "NHWC", **versions})
        _check_and_save(proto, temporary)


def add_metadata(path: str | Path, metadata: Mapping[str, str]) -> None:
    """Add to the ``metadata_props`` of an ONNX file, e.g. what was measured on it.

    Raises:
        ExportError: the ONNX checker refuses the file.
    """
    import onnx

    proto = onnx.load(str(path))
    present = {entry.key: entry.value for entry in proto.metadata_props}
    onnx.helper.set_model_props(proto, {**present, **metadata})
    with replacing(path) as temporary:
        _check_and_save(proto, temporary)


def load_onnx(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The ONNX file run by ONNX Runtime on one CPU thread: images (batch, height, width, channels) → (batch, …).

    Raises:
        ExportError: not an ONNX file with one input and one output.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise ExportError(f"Expected an ONNX file. Received: {path} ({error!s:.200})") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(
            f"Expected one input and one output. Received: {len(inputs)} inputs and {len(outputs)} outputs in {path}"
        )
    given, wanted = inputs[0].name, outputs[0].name

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([wanted], {given: np.asarray(images, np.float32)})[0])

    return run


def output_name(model: keras.Model) -> str:
    """``probabilities`` if the model ends with a softmax, ``features`` if with no classifier, else ``logits``."""
    import keras

    last = model.outputs[0]._keras_history.operation
    if getattr(last, "activation", None) is keras.activations.softmax:
        return "probabilities"
    return "logits" if isinstance(last, keras.layers.Dense | keras.layers.Activation) else "features"


def _name(graph: Any, output: str) -> None:
    """Give the input, the output and their open axes names that do not change from one export to the next."""
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise ExportError(
            f"Expected one input and one output. Received: {len(graph.input)} inputs and {len(graph.output)} outputs"
        )
    _rename(graph, graph.input[0].name, INPUT)
    _rename(graph, graph.output[0].name, output)
    axes = {0: "batch", 1: "height", 2: "width"}
    for value, prefix in ((graph.input[0], ""), (graph.output[0], f"{output}_")):
        for number, axis in enumerate(value.type.tensor_type.shape.dim):
            if not axis.HasField("dim_value"):
                axis.dim_param = axes[0] if number == 0 else prefix + axes.get(number, f"axis{number}")
    del graph.value_info[:]  # shapes in between would still speak of the old axis names; any reader infers them


def _rename(graph: Any, old: str, new: str) -> None:
    if old == new:
        return
    taken = {name for node in graph.node for name in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    if new in taken:
        raise ExportError(f"Expected a graph in which the name {new!r} is free. Received: a graph that uses it")
    for value in (*graph.input, *graph.output):
        if value.name == old:
            value.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new


def _check_and_save(proto: Any, path: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"Expected a graph that the ONNX checker accepts. Received: {error}") from None
    onnx.save(proto, str(path))


@contextmanager
def _quiet_converter() -> Iterator[None]:
    """Hold back tf2onnx's log below an error, and the one warning that Keras' patch of it is known to raise."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"In the future `np\.object`", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
