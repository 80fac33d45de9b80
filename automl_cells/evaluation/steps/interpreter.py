"""A network straight from its plan: one walk over the layers, in whatever primitives a backend gives.

No Keras model is built. Its functional build computes the shape of every layer, which the plan has, and its calls cost
most of what tracing a training step costs. The arithmetic is that of the layers that `builder.build` makes of the same
plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from automl_cells.builder.plan import Layer, pair
from automl_cells.errors import TemplateError
from automl_cells.evaluation.steps.network import Network

Tensor = Any
Sides = tuple[int, int]


class Primitives(Protocol):
    """What a backend does with its tensors; maps are (batch, height, width, channels), kernels as in Keras."""

    def conv(self, x: Tensor, kernel: Tensor, stride: Sides, padding: str, dilation: int) -> Tensor:
        """Convolution without bias."""
        ...

    def depthwise_conv(self, x: Tensor, kernel: Tensor, stride: Sides) -> Tensor:
        """Depthwise convolution, ``same`` border."""
        ...

    def max_pool(self, x: Tensor, window: Sides, stride: Sides, padding: str) -> Tensor:
        """Maximum over windows."""
        ...

    def avg_pool(self, x: Tensor, window: Sides, stride: Sides, padding: str) -> Tensor:
        """Average over windows, without what lies outside of the map."""
        ...

    def pad(self, x: Tensor, margins: tuple[int, int, int, int]) -> Tensor:
        """Zeros around a map, see `Layer.margins`."""
        ...

    def crop(self, x: Tensor, margins: tuple[int, int, int, int]) -> Tensor:
        """A map without its margins."""
        ...

    def add_bias(self, x: Tensor, bias: Tensor) -> Tensor:
        """One value a channel."""
        ...

    def add(self, terms: Sequence[Tensor]) -> Tensor:
        """Sum of two or more of one shape."""
        ...

    def concat(self, maps: Sequence[Tensor]) -> Tensor:
        """Along the channels."""
        ...

    def multiply(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Product, the smaller repeated as NumPy does it."""
        ...

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the last two axes."""
        ...

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """As in NumPy."""
        ...

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """As in NumPy."""
        ...

    def relu(self, x: Tensor) -> Tensor:
        """Of every value."""
        ...

    def sigmoid(self, x: Tensor) -> Tensor:
        """Of every value."""
        ...

    def softmax(self, x: Tensor) -> Tensor:
        """Along the last axis."""
        ...

    def mean(self, x: Tensor, keep: bool) -> Tensor:
        """Over height and width, which are kept as 1 or left out."""
        ...

    def maximum(self, x: Tensor) -> Tensor:
        """Over height and width, which are left out."""
        ...

    def dropout(self, x: Tensor, rate: float, key: Tensor, place: int) -> Tensor:
        """Zeros at random, by the key of the step and the place in the plan; the rest divided by 1 - `rate`."""
        ...

    def normalise(
        self, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, epsilon: float
    ) -> Tensor:
        """Batch normalisation by given statistics."""
        ...

    def normalise_batch(self, x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        """Batch normalisation by the batch's own statistics; the map, its means and its variances (divided by n)."""
        ...


class Mode(NamedTuple):
    """How a network acts.

    Attributes:
        statistics: mean and variance for each layer of batch normalisation, in their order; ``None`` for the batch's.
        key: what dropout draws from; ``None`` for no dropout.
    """

    statistics: Sequence[tuple[Tensor, Tensor]] | None = None
    key: Tensor | None = None


class Outcome(NamedTuple):
    """What comes of a batch.

    Attributes:
        logits: (batch, classes).
        statistics: mean and variance that each layer of batch normalisation used.
    """

    logits: Tensor
    statistics: list[tuple[Tensor, Tensor]]


def forward(
    network: Network, weights: Mapping[tuple[str, str], Tensor], images: Tensor, does: Primitives, mode: Mode
) -> Outcome:
    """The network's output.

    Args:
        network: what to compute.
        weights: by names of layer and variable.
        images: (batch, height, width, channels).
        does: the primitives of a backend.
        mode: of training or inference.

    Raises:
        TemplateError: an operation that is not trained here: dropped paths, what ensembles need.
    """
    plan, found = network.plan, []
    last_use = {source: place for place, layer in enumerate(plan) for source in layer.inputs}
    tensors: dict[int, Tensor] = {0: images}
    for place, layer in enumerate(plan[1:], start=1):
        read = [tensors[source] for source in layer.inputs]
        if layer.op == "batch_norm":
            gamma, beta = weights[layer.name, "gamma"], weights[layer.name, "beta"]
            if mode.statistics is None:
                out, *statistics = does.normalise_batch(read[0], gamma, beta, network.epsilon)
                found.append((statistics[0], statistics[1]))
            else:
                mean, variance = mode.statistics[len(found)]
                found.append((mean, variance))
                out = does.normalise(read[0], gamma, beta, mean, variance, network.epsilon)
        elif layer.op == "dropout":
            out = read[0] if mode.key is None else does.dropout(read[0], layer.rate, mode.key, place)
        elif layer.op == "self_attention":
            out = _self_attention(layer, read[0], weights, does)
        elif layer.op in _OPERATIONS:
            out = _OPERATIONS[layer.op](layer, read, weights, does)
        else:
            raise TemplateError(f"Expected a plan of operations that can be trained here. Received: {layer.op!r}")
        tensors[place] = out
        for source in set(layer.inputs):  # so that an eager walk holds no more maps than it needs
            if last_use[source] == place:
                del tensors[source]
    return Outcome(out, found)


def _conv(layer: Layer, read: list[Tensor], weights: Mapping[tuple[str, str], Tensor], does: Primitives) -> Tensor:
    out = does.conv(read[0], weights[layer.name, "kernel"], pair(layer.stride), layer.padding, layer.dilation)
    return does.add_bias(out, weights[layer.name, "bias"]) if layer.bias else out


def _separable_conv(
    layer: Layer, read: list[Tensor], weights: Mapping[tuple[str, str], Tensor], does: Primitives
) -> Tensor:
    deep = does.depthwise_conv(read[0], weights[layer.name, "depthwise_kernel"], pair(layer.stride))
    return does.conv(deep, weights[layer.name, "pointwise_kernel"], (1, 1), "same", 1)


def _self_attention(layer: Layer, x: Tensor, weights: Mapping[tuple[str, str], Tensor], does: Primitives) -> Tensor:
    """Between all positions: a map → rows (batch, positions, channels) → (batch, heads, positions, width) → a map."""
    height, width, channels = (side or 0 for side in layer.shape)  # all are known: `Network` sees to it
    positions, heads, size = height * width, layer.heads, layer.head_width

    def projected(what: str) -> Tensor:
        kernel = does.reshape(weights[layer.name, f"{what}_kernel"], (channels, heads * size))
        split = does.reshape(does.matmul(rows, kernel), (-1, positions, heads, size))
        return does.transpose(split, (0, 2, 1, 3))

    rows = does.reshape(x, (-1, channels))
    queries, keys, values = (projected(what) for what in ("query", "key", "value"))
    scores = does.matmul(does.multiply(queries, 1 / math.sqrt(size)), does.transpose(keys, (0, 1, 3, 2)))
    weighed = does.transpose(does.matmul(does.softmax(scores), values), (0, 2, 1, 3))
    kernel = does.reshape(weights[layer.name, "output_kernel"], (heads * size, channels))
    return does.reshape(does.matmul(does.reshape(weighed, (-1, heads * size)), kernel), (-1, height, width, channels))


_Operation = Callable[[Layer, list[Tensor], Mapping[tuple[str, str], Tensor], Primitives], Tensor]
_OPERATIONS: dict[str, _Operation] = {
    "conv": _conv,
    "separable_conv": _separable_conv,
    "relu": lambda layer, read, weights, does: does.relu(read[0]),
    "sigmoid": lambda layer, read, weights, does: does.sigmoid(read[0]),
    "max_pool": lambda layer, read, weights, does: does.max_pool(
        read[0], pair(layer.kernel), pair(layer.stride), layer.padding
    ),
    "avg_pool": lambda layer, read, weights, does: does.avg_pool(
        read[0], pair(layer.kernel), pair(layer.stride), layer.padding
    ),
    "pad": lambda layer, read, weights, does: does.pad(read[0], layer.margins),
    "crop": lambda layer, read, weights, does: does.crop(read[0], layer.margins),
    "add": lambda layer, read, weights, does: does.add(read),
    "concat": lambda layer, read, weights, does: does.concat(read),
    "multiply": lambda layer, read, weights, does: does.multiply(read[0], read[1]),
    "squeeze": lambda layer, read, weights, does: does.mean(read[0], keep=True),
    "global_average_pool": lambda layer, read, weights, does: does.mean(read[0], keep=False),
    "global_max_pool": lambda layer, read, weights, does: does.maximum(read[0]),
    "flatten": lambda layer, read, weights, does: does.reshape(read[0], (-1, layer.shape[2])),
    "dense": lambda layer, read, weights, does: does.add_bias(
        does.matmul(read[0], weights[layer.name, "kernel"]), weights[layer.name, "bias"]
    ),
}
