"""The variables of a plan, without a framework: their shapes, their place in one flat vector, and their first values.

All weights of a network lie in one vector, so that an optimizer is one operation however many layers there are; the
kernels lie first, since they alone have L2. The moving averages of batch normalisation lie in another: all means, then
all variances. The first values are drawn by NumPy, from the distributions of the Keras layers that `builder.build`
makes of the same plan, and are the same under every backend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from automl_cells.builder.plan import Layer, Plan, pair
from automl_cells.errors import TemplateError

_GLOROT: Mapping[str, Any] = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}
_BY_NAME: Mapping[str, Mapping[str, Any]] = {
    "glorot_uniform": _GLOROT,
    "he_normal": {"scale": 2.0, "mode": "fan_in", "distribution": "truncated_normal"},
}
_OF_A_NORMAL_CUT_AT_TWO = 0.87962566103423978  # its standard deviation, as Keras has it
_PROJECTIONS = ("query", "key", "value")


class Variable(NamedTuple):
    """One trainable variable.

    Attributes:
        layer: name of its layer in the plan.
        name: what Keras calls it there; the kernels of self-attention are ``query_kernel``, ``key_kernel``,
            ``value_kernel``, each (channels, heads, width), and ``output_kernel``, (heads, width, channels).
        shape: as in Keras.
        convolution: whether it is the kernel of a convolution, which starts as the template has it.
    """

    layer: str
    name: str
    shape: tuple[int, ...]
    convolution: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


class Network:
    """A plan with what it leaves open.

    Args:
        plan: its input size known; it ends in logits.
        epsilon: of batch normalisation.
        kernel_initializer: how kernels of convolutions start, in a form that Keras takes: a name, or
            ``{"class_name": "VarianceScaling", "config": {…}}``.

    Attributes:
        variables: the trainable ones in the order of the vector of weights, kernels first.
        norms: the layers of batch normalisation, in the order of the statistics.

    Raises:
        TemplateError: an open input size, or an end that is no fully connected layer, as that of an ensemble.
    """

    def __init__(
        self, plan: Plan, epsilon: float = 1e-3, kernel_initializer: str | Mapping[str, Any] = "he_normal"
    ) -> None:
        if None in plan[0].shape or plan[-1].op != "dense":
            raise TemplateError(
                "Expected a network of a known input size that ends in a fully connected layer. "
                f"Received: {plan[0].shape}, {plan[-1].op}"
            )
        self.plan, self.epsilon, self.kernel_initializer = plan, epsilon, kernel_initializer
        found = [variable for layer in plan for variable in _variables(layer, plan)]
        self.variables = tuple(sorted(found, key=lambda variable: len(variable.shape) == 1))  # a stable sort
        self.norms = tuple(layer for layer in plan if layer.op == "batch_norm")

    @cached_property
    def kernels(self) -> int:
        """How many of the weights, at the start of the vector, are those of kernels."""
        return sum(variable.size for variable in self.variables if len(variable.shape) > 1)

    @cached_property
    def channels(self) -> int:
        """Channels of all layers of batch normalisation: as many means, and as many variances."""
        return sum(layer.shape[2] for layer in self.norms)

    def first_weights(self, seed: int) -> np.ndarray:
        """Float32, shape (weights,), reproducible.

        Raises:
            TemplateError: an initializer that this module does not know.
        """
        rng = np.random.default_rng(seed)
        scaling = _variance_scaling(self.kernel_initializer)
        parts = []
        for variable in self.variables:
            if len(variable.shape) > 1:
                parts.append(_drawn(variable.shape, scaling if variable.convolution else _GLOROT, rng))
            else:
                parts.append(np.full(variable.size, variable.name == "gamma", np.float32))
        return np.concatenate(parts)

    def first_statistics(self) -> np.ndarray:
        """Float32, shape (2 · channels,): means 0, variances 1."""
        return np.repeat(np.array([0, 1], np.float32), self.channels)

    def counts(self, batch: int) -> np.ndarray:
        """Float32, shape (channels,): how many values of a batch the statistics of each channel are of."""
        values = [batch * (layer.shape[0] or 0) * (layer.shape[1] or 0) for layer in self.norms]
        return np.repeat(np.array(values, np.float32), [layer.shape[2] for layer in self.norms])


def _variables(layer: Layer, plan: Plan) -> Iterator[Variable]:
    """The trainable variables of one layer."""
    before = plan[layer.inputs[0]].shape[2] if layer.inputs else 0
    name, after = layer.name, layer.shape[2]
    match layer.op:
        case "conv":
            yield Variable(name, "kernel", (*pair(layer.kernel), before, after), convolution=True)
            if layer.bias:
                yield Variable(name, "bias", (after,))
        case "separable_conv":
            yield Variable(name, "depthwise_kernel", (*pair(layer.kernel), before, 1), convolution=True)
            yield Variable(name, "pointwise_kernel", (1, 1, before, after), convolution=True)
        case "batch_norm":
            yield Variable(name, "gamma", (after,))
            yield Variable(name, "beta", (after,))
        case "dense":
            yield Variable(name, "kernel", (before, after))
            yield Variable(name, "bias", (after,))
        case "self_attention":
            for what in _PROJECTIONS:
                yield Variable(name, f"{what}_kernel", (after, layer.heads, layer.head_width))
            yield Variable(name, "output_kernel", (layer.heads, layer.head_width, after))


def _variance_scaling(initializer: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Scale, mode and distribution of Keras' `VarianceScaling`, which all initializers of templates are."""
    if isinstance(initializer, str):
        found = _BY_NAME.get(initializer)
    else:
        found = initializer["config"] if initializer.get("class_name") == "VarianceScaling" else None
    if found is None:
        raise TemplateError(
            f"Expected a kernel initializer among {sorted(_BY_NAME)}, or a VarianceScaling. Received: {initializer!r}"
        )
    return found


def _drawn(shape: tuple[int, ...], scaling: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Values of a kernel, flat: He et al. (2015), Glorot and Bengio (2010), with fans as Keras counts them."""
    field = math.prod(shape[:-2])  # the receptive field; Keras counts the first axis of attention's kernels as one too
    fan_in, fan_out = field * shape[-2], field * shape[-1]
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[scaling["mode"]]
    deviation = math.sqrt(scaling["scale"] / max(1.0, fan))
    size = math.prod(shape)
    match scaling["distribution"]:
        case "uniform":
            return (rng.random(size, np.float32) * 2 - 1) * np.float32(math.sqrt(3) * deviation)
        case "untruncated_normal":
            return rng.standard_normal(size, np.float32) * np.float32(deviation)
    values = rng.standard_normal(size, np.float32)
    while (outside := np.flatnonzero(np.abs(values) > 2)).size:
        values[outside] = rng.standard_normal(outside.size, np.float32)
    return values * np.float32(deviation / _OF_A_NORMAL_CUT_AT_TWO)
