"""The plan: a network as a flat list of layers with shapes, before any framework is asked.

Cost and the Keras builder both read the plan, so they cannot disagree. `PlanBuilder` infers the shapes and knows the
two composites that recur everywhere: the pre-activation convolution (BlockQNN's PCC) and the widening projection.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from automl_cells.errors import TemplateError

MAX_PLAN_LAYERS = 20_000  # bounds what a genotype and a template can ask for together

Shape = tuple[int | None, int | None, int]
"""(height, width, channels) of a feature map; height and width are None where any size is accepted."""


class TooManyParametersError(TemplateError):
    """Planning stopped at the limit of parameters."""


class Layer(NamedTuple):
    """One layer of a plan.

    Attributes:
        name: unique in the plan, and the name of the Keras layer.
        op: ``input``, ``conv``, ``batch_norm``, ``relu``, ``max_pool``, ``avg_pool``, ``add``, ``concat``,
            ``global_average_pool``, ``global_max_pool`` or ``dense``; ``outputs`` stands last in a plan of several
            outputs, those at its `inputs`, and is no layer of the network.
        inputs: positions in the plan of the layers it reads.
        shape: of its output; (1, 1, channels) after global pooling and for dense layers.
        kernel: side of the kernel or pooling window.
        stride: of the convolution or pooling.
    """

    name: str
    op: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: int = 0
    stride: int = 1


Plan = tuple[Layer, ...]


class PlanBuilder:
    """Appends layers one by one; every method returns the position of the new layer's output.

    Args:
        input_shape: of the images.
        max_params: weights of convolutions above which planning stops: blocks drawn at random explode, and most of a
            search's proposals need not be planned to their end to be refused. ``None`` for no limit.
    """

    def __init__(self, input_shape: Shape, max_params: int | None = None) -> None:
        self.layers: list[Layer] = [Layer("input", "input", (), input_shape)]
        self._relus: dict[int, int] = {}
        self._stage_ends: list[int] = []
        self._left = math.inf if max_params is None else max_params

    def plan(self) -> Plan:
        """The layers so far."""
        return tuple(self.layers)

    def shape(self, position: int) -> Shape:
        """Shape of the output at `position`."""
        return self.layers[position].shape

    def channels(self, position: int) -> int:
        """Channels of the output at `position`."""
        return self.layers[position].shape[2]

    def _append(
        self, name: str, op: str, inputs: tuple[int, ...], shape: Shape, kernel: int = 0, stride: int = 1
    ) -> int:
        if len(self.layers) >= MAX_PLAN_LAYERS:
            raise TemplateError(f"Expected a network of at most {MAX_PLAN_LAYERS} layers. Received: more")
        self.layers.append(Layer(name, op, inputs, shape, kernel, stride))
        return len(self.layers) - 1

    def conv(self, name: str, source: int, filters: int, kernel: int, stride: int = 1) -> int:
        """Convolution without bias, ``same`` padding."""
        height, width, channels = self.layers[source].shape
        self._left -= kernel * kernel * channels * filters
        if self._left < 0:
            raise TooManyParametersError("Expected a network within the limit of parameters. Received: a larger one")
        return self._append(
            name, "conv", (source,), (_strided(height, stride), _strided(width, stride), filters), kernel, stride
        )

    def batch_norm(self, name: str, source: int) -> int:
        """Batch normalisation with scale and offset."""
        return self._append(name, "batch_norm", (source,), self.layers[source].shape)

    def relu(self, source: int) -> int:
        """ReLU; a second ReLU of the same output is the first one."""
        position = self._relus.get(source)
        if position is None:
            layer = self.layers[source]
            position = self._append(f"{layer.name}_relu", "relu", (source,), layer.shape)
            self._relus[source] = position
        return position

    def pool(self, name: str, kind: str, source: int, kernel: int, stride: int = 1) -> int:
        """``max`` or ``avg`` pooling, ``same`` padding."""
        height, width, channels = self.layers[source].shape
        shape = (_strided(height, stride), _strided(width, stride), channels)
        return self._append(name, f"{kind}_pool", (source,), shape, kernel, stride)

    def add(self, name: str, sources: tuple[int, ...]) -> int:
        """Element-wise sum of outputs of one shape."""
        return self._append(name, "add", sources, self.layers[sources[0]].shape)

    def concat(self, name: str, sources: tuple[int, ...]) -> int:
        """Concatenation along the channels."""
        height, width, _ = self.layers[sources[0]].shape
        return self._append(name, "concat", sources, (height, width, sum(self.channels(s) for s in sources)))

    def preactivation_conv(self, name: str, source: int, filters: int, kernel: int) -> int:
        """ReLU → convolution → batch normalisation (the pre-activation convolutional cell, BlockQNN section 3.1)."""
        conv = self.conv(f"{name}_conv", self.relu(source), filters, kernel)
        return self.batch_norm(f"{name}_bn", conv)

    def widened(self, name: str, source: int, filters: int) -> int:
        """`source` itself if it has that many channels, else a 1×1 pre-activation convolution of it."""
        if self.channels(source) == filters:
            return source
        return self.preactivation_conv(name, source, filters, 1)

    def global_pool(self, kind: str, source: int) -> int:
        """``average`` or ``max`` over the whole map."""
        return self._append(f"{kind}_pool", f"global_{kind}_pool", (source,), (1, 1, self.channels(source)))

    def end_stage(self, position: int) -> int:
        """Note that the map at `position` is the last one before a downsampling; hands the position back."""
        if position:  # the image itself is no feature map
            self._stage_ends.append(position)
        return position

    def stage_outputs(self, last: int) -> int:
        """Make outputs of the ends of all stages noted so far and of `last`, each after a ReLU as before a head."""
        maps = tuple(self.relu(position) for position in (*self._stage_ends, last))
        return self._append("features", "outputs", maps, self.layers[maps[-1]].shape)

    def dense(self, name: str, source: int, units: int) -> int:
        """Fully connected layer with bias, no activation."""
        return self._append(name, "dense", (source,), (1, 1, units))


def _strided(size: int | None, stride: int) -> int | None:
    """Size of a map after a strided ``same`` operation."""
    return None if size is None else -(-size // stride)
