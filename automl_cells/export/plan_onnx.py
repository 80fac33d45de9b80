"""From a plan straight to an ONNX graph, without Keras and TensorFlow: in milliseconds, for measuring latency.

The operators are those that the export of the Keras model comes to (see `automl_cells.export.onnx`), with the same
borders and layouts: images come in as (batch, height, width, channels) and are transposed once. What is published is
still exported from the trained model, never from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from automl_cells.builder.cost import cost
from automl_cells.builder.plan import Layer, Plan, pair
from automl_cells.errors import ExportError
from automl_cells.export.onnx import MAX_BYTES

OPSET = 17
IR_VERSION = 8  # what opset 17 came with, so that older runtimes read it
INPUT, OUTPUT = "image", "output"

_FLATTENING = ("global_average_pool", "global_max_pool", "flatten", "dense")

_INPUT_AXES = {"depthwise_kernel": 2, "query_kernel": 1, "key_kernel": 1, "value_kernel": 1}
"""How many axes of a kernel are of its inputs; of others all but the last."""

Weights = Callable[[Layer, str, tuple[int, ...]], np.ndarray]
"""Values of a variable: its layer, what Keras calls it there, and its shape as in Keras; float32. The kernels of
self-attention are ``query_kernel``, ``key_kernel``, ``value_kernel``, each (channels, heads, width), and
``output_kernel``, (heads, width, channels)."""


def random_weights(seed: int = 0) -> Weights:
    """Kernels from a uniform distribution of variance 2 / fan-in (He et al. 2015), batch normalisation as at its start.

    No value of a network then vanishes or overflows, which could change how long it takes.
    """
    rng = np.random.default_rng(seed)

    def weights(layer: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if not name.endswith("kernel"):
            fill = np.ones if name in ("gamma", "moving_variance") else np.zeros
            return fill(shape, np.float32)
        inputs = math.prod(shape[: _INPUT_AXES.get(name, len(shape) - 1)])
        values = rng.random(shape, np.float32)
        values -= np.float32(0.5)
        values *= np.float32(math.sqrt(24 / inputs))
        return values

    return weights


def onnx_of_plan(plan: Plan, weights: Weights | None = None, *, epsilon: float = 1e-3) -> Any:
    """The network of a plan as an ONNX model for one image.

    Args:
        plan: of a network, with its input size known; layers that act in training only are left out.
        weights: the values of its variables; random by default.
        epsilon: of batch normalisation.

    Returns:
        An ``onnx.ModelProto``, opset 17: ``image``, float32 (1, height, width, channels), → ``output``, or ``output0``,
        ``output1``, … of a plan with several; a feature map comes out as (1, channels, height, width). Two plans with
        the same layers give the same model.

    Raises:
        ExportError: an open input size, weights of 2 GiB, or an operation that this module does not know.
    """
    from onnx import TensorProto, helper

    if (size := 4 * cost(plan).total_parameters) > MAX_BYTES:
        raise ExportError(f"Expected weights of at most {MAX_BYTES:,} bytes for an ONNX graph. Received: {size:,}")
    if None in plan[0].shape:
        raise ExportError(f"Expected a network with its input size known. Received: {plan[0].shape}")
    graph = _Graph(plan, weights or random_weights(), epsilon)
    outputs = graph.write()
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, (1, *plan[0].shape))
    named = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    proto = helper.make_graph(graph.nodes, "plan", [image], named, graph.initializers)
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


class _Graph:
    """Nodes and initializers, appended layer by layer."""

    def __init__(self, plan: Plan, weights: Weights, epsilon: float) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._plan, self._weights, self._epsilon = plan, weights, epsilon

    def write(self) -> dict[str, tuple[int | None, ...]]:
        """All layers; returns names and shapes of the outputs."""
        tensors: list[str] = []
        flat: list[bool] = []  # whether an output has no height and width any more
        ends: tuple[int, ...] = (len(self._plan) - 1,)
        for layer in self._plan:
            if layer.op == "outputs":
                ends = layer.inputs
                break
            tensors.append(self._layer(layer, [tensors[position] for position in layer.inputs]))
            flat.append(layer.op in _FLATTENING or any(flat[position] for position in layer.inputs))
        names = [OUTPUT] if len(ends) == 1 else [f"{OUTPUT}{number}" for number in range(len(ends))]
        shapes: dict[str, tuple[int | None, ...]] = {}
        for name, position in zip(names, ends, strict=True):
            self._node("Identity", [tensors[position]], name)
            height, width, channels = self._plan[position].shape
            shapes[name] = (1, channels) if flat[position] else (1, channels, height, width)
        return shapes

    def _layer(self, layer: Layer, reads: list[str]) -> str:
        """The node or nodes of one layer; returns the name of its output."""
        name, first = layer.name, self._plan[layer.inputs[0]] if layer.inputs else layer
        match layer.op:
            case "input":
                return self._node("Transpose", [INPUT], name, perm=(0, 3, 1, 2))
            case "conv":
                return self._conv(layer, first, reads[0])
            case "separable_conv":
                return self._separable_conv(layer, first, reads[0])
            case "batch_norm":
                shape = (layer.shape[2],)
                names = ("gamma", "beta", "moving_mean", "moving_variance")
                variables = [self._variable(layer, variable, shape) for variable in names]
                return self._node("BatchNormalization", [*reads, *variables], name, epsilon=self._epsilon)
            case "relu":
                return self._node("Relu", reads, name)
            case "max_pool":
                return self._node("MaxPool", reads, name, **_window(layer, first))
            case "avg_pool":  # zeros at the border are in no window
                return self._node("AveragePool", reads, name, count_include_pad=0, **_window(layer, first))
            case "pad":
                above, below, left, right = layer.margins
                margins = self._constant(f"{name}/margins", np.array([0, 0, above, left, 0, 0, below, right]))
                return self._node("Pad", [*reads, margins], name)
            case "crop":
                return self._crop(layer, first, reads[0])
            case "add":  # of two at a time, as TensorFlow adds
                total = reads[0]
                for number, other in enumerate(reads[1:], start=2):
                    total = self._node("Add", [total, other], name if number == len(reads) else f"{name}/{number}")
                return total
            case "concat":
                return self._node("Concat", reads, name, axis=1)
            case "multiply":
                return self._node("Mul", reads, name)
            case "squeeze":
                return self._node("ReduceMean", reads, name, axes=(2, 3), keepdims=1)
            case "sigmoid":
                return self._node("Sigmoid", reads, name)
            case "self_attention":
                return self._self_attention(layer, reads[0])
            case "global_average_pool":
                return self._node("ReduceMean", reads, name, axes=(2, 3), keepdims=0)
            case "global_max_pool":
                return self._node("ReduceMax", reads, name, axes=(2, 3), keepdims=0)
            case "flatten":
                back = self._node("Transpose", reads, f"{name}/transpose", perm=(0, 2, 3, 1))
                return self._node("Flatten", [back], name)
            case "dropout" | "drop_path":
                return reads[0]
            case "dense":
                kernel = self._variable(layer, "kernel", (first.shape[2], layer.shape[2]))
                return self._node("Gemm", [*reads, kernel, self._variable(layer, "bias", (layer.shape[2],))], name)
            case "softmax":
                return self._node("Softmax", reads, name, axis=1)
            case "average":
                return self._node("Mean", reads, name)
        raise ExportError(f"Expected a plan of operations that can be written as ONNX. Received: {layer.op!r}")

    def _conv(self, layer: Layer, first: Layer, read: str) -> str:
        shape = (*pair(layer.kernel), first.shape[2], layer.shape[2])
        inputs = [read, self._variable(layer, "kernel", shape, (3, 2, 0, 1))]
        if layer.bias:
            inputs.append(self._variable(layer, "bias", (layer.shape[2],)))
        return self._node("Conv", inputs, layer.name, dilations=(layer.dilation,) * 2, **_window(layer, first))

    def _separable_conv(self, layer: Layer, first: Layer, read: str) -> str:
        channels = first.shape[2]
        deep = self._variable(layer, "depthwise_kernel", (*pair(layer.kernel), channels, 1), (2, 3, 0, 1))
        wide = self._variable(layer, "pointwise_kernel", (1, 1, channels, layer.shape[2]), (3, 2, 0, 1))
        inputs = [read, deep]
        depthwise = self._node("Conv", inputs, f"{layer.name}/depthwise", group=channels, **_window(layer, first))
        return self._node("Conv", [depthwise, wide], layer.name)

    def _crop(self, layer: Layer, first: Layer, read: str) -> str:
        above, below, left, right = layer.margins
        height, width, _ = first.shape
        ends = ((height or 0) - below, (width or 0) - right)
        bounds = [
            self._constant(f"{layer.name}/{what}", np.array(values))
            for what, values in (("starts", (above, left)), ("ends", ends), ("axes", (2, 3)))
        ]
        return self._node("Slice", [read, *bounds], layer.name)

    def _self_attention(self, layer: Layer, read: str) -> str:
        """Of all positions at once: a map (1, C, H, W) → rows (1, H·W, C) → heads (1, heads, H·W, width) → a map."""
        name, heads, width, channels = layer.name, layer.heads, layer.head_width, layer.shape[2]

        def reshaped(source: str, what: str, *shape: int) -> str:
            sizes = self._constant(f"{name}/{what}/shape", np.array(shape))
            return self._node("Reshape", [source, sizes], f"{name}/{what}")

        def projected(what: str, perm: tuple[int, ...]) -> str:
            kernel = self._weights(layer, f"{what}_kernel", (channels, heads, width)).reshape(channels, -1)
            product = self._node(
                "MatMul", [rows, self._constant(f"{name}/{what}_kernel", kernel)], f"{name}/{what}/product"
            )
            split = reshaped(product, f"{what}/split", 1, -1, heads, width)
            return self._node("Transpose", [split], f"{name}/{what}", perm=perm)

        rows = self._node("Transpose", [reshaped(read, "flat", 1, channels, -1)], f"{name}/rows", perm=(0, 2, 1))
        queries, keys = projected("query", (0, 2, 1, 3)), projected("key", (0, 2, 3, 1))
        scale = self._constant(f"{name}/scale", np.array(1 / math.sqrt(width), np.float32))
        scaled = self._node("Mul", [queries, scale], f"{name}/scaled")
        scores = self._node("MatMul", [scaled, keys], f"{name}/scores")
        softmax = self._node("Softmax", [scores], f"{name}/softmax", axis=-1)
        weighed = self._node("MatMul", [softmax, projected("value", (0, 2, 1, 3))], f"{name}/weighed")
        back = self._node("Transpose", [weighed], f"{name}/back", perm=(0, 2, 1, 3))
        joined = reshaped(back, "joined", 1, -1, heads * width)
        kernel = self._weights(layer, "output_kernel", (heads, width, channels)).reshape(-1, channels)
        out = self._node("MatMul", [joined, self._constant(f"{name}/output_kernel", kernel)], f"{name}/out")
        turned = self._node("Transpose", [out], f"{name}/turned", perm=(0, 2, 1))
        shape = self._constant(f"{name}/shape", np.array((1, channels, *layer.shape[:2])))
        return self._node("Reshape", [turned, shape], name)

    def _variable(self, layer: Layer, name: str, shape: tuple[int, ...], axes: tuple[int, ...] | None = None) -> str:
        """A variable of a layer, its axes in the order that ONNX wants."""
        values = self._weights(layer, name, shape)
        return self._constant(f"{layer.name}/{name}", values if axes is None else values.transpose(axes))

    def _constant(self, name: str, values: np.ndarray) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output


def _window(layer: Layer, before: Layer) -> dict[str, tuple[int, ...]]:
    """Attributes of a window that moves over a map: its border is that of TensorFlow, the odd pixel last."""
    kernel, stride = pair(layer.kernel), pair(layer.stride)
    first, last = [0, 0], [0, 0]
    if layer.padding == "same":
        for axis in range(2):
            out, size = layer.shape[axis] or 0, before.shape[axis] or 0
            missing = max((out - 1) * stride[axis] + (kernel[axis] - 1) * layer.dilation + 1 - size, 0)
            first[axis], last[axis] = missing // 2, missing - missing // 2
    return {"kernel_shape": kernel, "strides": stride, "pads": (*first, *last)}
