"""A trace → ONNX file with stable names and its own description, and the file run again by ONNX Runtime.

tf2onnx converts the operators. Its own optimizers are left out: on a network of cells they take twenty seconds, and
ONNX Runtime's basic ones (constants, duplicates, transpositions; nothing outside ONNX's own operators) reach the same
graph in a third of one.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_cells.errors import ExportError
from automl_cells.export.onnx_graph import (
    check_and_save,
    describe,
    keep_used_domains,
    name_borders,
    one_line,
    tidy_names,
)
from automl_cells.export.tracing import INPUT, Trace, trace

if TYPE_CHECKING:
    import keras

OPSETS = range(14, 19)  # what tf2onnx 1.17 is tested with
MAX_BYTES = 2**31 - 2**20  # a protobuf message ends at 2 GiB; one MiB is left for the graph itself
_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def export_onnx(model: keras.Model, path: str | Path, *, metadata: Mapping[str, str], opset: int = 17) -> None:
    """Write `model` as an ONNX file, beside its place first and then renamed.

    Args:
        model: a built functional Keras model with one input and one output, float32, on the TensorFlow backend.
        path: the file.
        metadata: goes into the file's ``metadata_props``; ``input_layout``, ``input_dtype``, ``output``, ``opset``,
            ``keras`` and ``tf2onnx`` are added.
        opset: ONNX operator set, 14 to 18.

    Raises:
        ExportError: an opset out of range, a model too large for one ONNX file, a graph that the ONNX checker refuses,
            or a model that cannot be traced, see `trace`.
    """
    check_opset(opset)
    write_onnx(trace(model), path, metadata, opset)


def check_opset(opset: int) -> None:
    """Refuse an operator set that the converter does not know.

    Raises:
        ExportError: it is out of range.
    """
    if type(opset) is not int or opset not in OPSETS:
        raise ExportError(f"Expected an opset from {OPSETS[0]} to {OPSETS[-1]}. Received: {opset}")


def write_onnx(traced: Trace, path: str | Path, metadata: Mapping[str, str], opset: int) -> None:
    """Write a trace as an ONNX file; see `export_onnx`.

    Raises:
        ExportError: as `export_onnx`.
    """
    import keras
    import onnx
    import tf2onnx

    check_opset(opset)
    if (size := 4 * traced.parameters) > MAX_BYTES:
        raise ExportError(f"Expected weights of at most {MAX_BYTES:,} bytes for an ONNX file. Received: {size:,}")
    with tempfile.TemporaryDirectory(prefix="automl-cells-") as folder:
        converted, optimized = Path(folder, "converted.onnx"), Path(folder, "optimized.onnx")
        try:
            onnx.save(_convert(traced, opset), str(converted))
            _optimize(converted, optimized)
        except Exception as error:  # tf2onnx and onnxruntime raise what they like
            raise ExportError(f"Expected a network that ONNX can express. Received: {one_line(error)}") from None
        proto = onnx.load(str(optimized))
    name_borders(proto.graph, INPUT, traced.output)
    tidy_names(proto.graph, traced.reference.name, {layer.name for layer in traced.reference.layers})
    keep_used_domains(proto, opset)
    proto.graph.name = metadata.get("name", traced.reference.name)
    versions = {"opset": str(opset), "keras": keras.__version__, "tf2onnx": tf2onnx.__version__}
    borders = {"input_layout": "NHWC", "input_dtype": traced.dtype, "output": traced.output}
    describe(proto, {name: str(value) for name, value in {**metadata, **borders, **versions}.items()})
    check_and_save(proto, path)


def _convert(traced: Trace, opset: int) -> Any:
    """The operators of the trace as those of ONNX, one by one."""
    import tensorflow as tf
    from tf2onnx import tf_loader, tfonnx

    concrete = traced.concrete
    # behind the arguments come what the function has captured: variables, and constants that layers keep
    given = [tensor.name for tensor in concrete.inputs[: len(concrete.inputs) - len(concrete.captured_inputs)]]
    wanted = [tensor.name for tensor in concrete.outputs]
    with _quiet_converter(), tf.device("/cpu:0"):
        frozen = tf_loader.from_function(concrete, given, wanted)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = tfonnx.process_tf_graph(graph, opset=opset, input_names=given, output_names=wanted)
        return converted.make_model(traced.reference.name)


def _optimize(source: Path, target: Path) -> None:
    """ONNX Runtime's basic optimizations, which keep to ONNX's own operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3  # errors: the optimized file is for any machine, whatever the warning says
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def load_onnx(path: str | Path, threads: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """The ONNX file run by ONNX Runtime on the CPU: images (batch, height, width, channels) → (batch, …).

    Args:
        path: the file.
        threads: how many threads share the work of an operator.

    Raises:
        ExportError: not an ONNX file with one input of images and one output; also when it is run on images of another
            shape.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise ExportError(f"Expected an ONNX file. Received: {path} ({one_line(error)})") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in _TYPES:
        raise ExportError(
            f"Expected one input of float32 or uint8 and one output. "
            f"Received: {[value.type for value in inputs]} and {len(outputs)} outputs in {path}"
        )
    given, wanted, dtype = inputs[0].name, outputs[0].name, _TYPES[inputs[0].type]

    def run(images: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(session.run([wanted], {given: np.asarray(images, dtype)})[0])
        except Exception as error:
            raise ExportError(
                f"Expected images of shape {inputs[0].shape} that {path} can be run on. "
                f"Received: {np.shape(images)} ({one_line(error)})"
            ) from None

    return run


@contextmanager
def _quiet_converter() -> Iterator[None]:
    """Hold back tf2onnx's log."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # its errors are raised too
    try:
        yield
    finally:
        logger.setLevel(level)
