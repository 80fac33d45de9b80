"""The plan: a network as a flat list of layers with shapes, before any framework is asked.

Cost and the Keras builder both read the plan, so they cannot disagree. `PlanBuilder` infers the shapes and knows the
composites that recur everywhere: the pre-activation convolution (BlockQNN's PCC) and the widening projection.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from automl_cells.errors import TemplateError

MAX_PLAN_LAYERS = 20_000  # bounds what a genotype and a template can ask for together

Shape = tuple[int | None, int | None, int]
"""(height, width, channels) of a feature map; height and width are None where any size is accepted."""


class TooManyParametersError(TemplateError):
    """Planning stopped at the limit of parameters."""


Sides = int | tuple[int, int]
"""One number for height and width, or (height, width)."""

Padding = str
"""``same`` (as many pixels out as in, divided by the stride and rounded up) or ``valid`` (no border)."""


class Layer(NamedTuple):
    """One layer of a plan.

    Attributes:
        name: unique in the plan, and the name of the Keras layer.
        op: ``input``, ``conv``, ``separable_conv``, ``batch_norm``, ``relu``, ``max_pool``, ``avg_pool``, ``pad``,
            ``crop``, ``add``, ``concat``, ``flatten``, ``dropout``, ``drop_path``, ``global_average_pool``,
            ``global_max_pool``, ``squeeze``, ``sigmoid``, ``multiply``, ``self_attention``, ``dense``, ``softmax`` or
            ``average``;
            ``outputs`` stands last in a plan of several outputs, those at its `inputs`, and is no layer of the network.
        inputs: positions in the plan of the layers it reads.
        shape: of its output; (1, 1, channels) after global pooling, squeezing, flattening and for dense layers.
        kernel: sides of the kernel or pooling window.
        stride: of the convolution or pooling.
        padding: of the convolution or pooling.
        dilation: of the convolution.
        margins: rows above and below, columns left and right that ``pad`` adds or ``crop`` takes away.
        depth: of ``drop_path``: how deep in the network the path lies, above 0 to 1.
        bias: whether the convolution has one; those in front of a batch normalisation have none.
        rate: of ``dropout``: the share of the features that is dropped in training.
        heads: of ``self_attention``.
        head_width: of ``self_attention``: features of the queries, keys and values of one head.
    """

    name: str
    op: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: Sides = 0
    stride: Sides = 1
    padding: Padding = "same"
    dilation: int = 1
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    depth: float = 0.0
    bias: bool = False
    rate: float = 0.0
    heads: int = 0
    head_width: int = 0


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
        self._pads: dict[tuple[int, tuple[int, int, int, int]], int] = {}
        self._stage_ends: list[int] = []
        self._left = math.inf if max_params is None else max_params

    def plan(self) -> Plan:
        """The layers so far that the last one needs: a network may have cells that no later one reads."""
        needed = {0, len(self.layers) - 1}
        for position in reversed(range(len(self.layers))):
            if position in needed:
                needed.update(self.layers[position].inputs)
        if len(needed) == len(self.layers):
            return tuple(self.layers)
        new = {position: number for number, position in enumerate(sorted(needed))}
        return tuple(
            self.layers[position]._replace(inputs=tuple(new[source] for source in self.layers[position].inputs))
            for position in sorted(needed)
        )

    def shape(self, position: int) -> Shape:
        """Shape of the output at `position`."""
        return self.layers[position].shape

    def channels(self, position: int) -> int:
        """Channels of the output at `position`."""
        return self.layers[position].shape[2]

    def _append(self, name: str, op: str, inputs: tuple[int, ...], shape: Shape, **details: Any) -> int:
        if len(self.layers) >= MAX_PLAN_LAYERS:
            raise TemplateError(f"Expected a network of at most {MAX_PLAN_LAYERS} layers. Received: more")
        self.layers.append(Layer(name, op, inputs, shape, **details))
        return len(self.layers) - 1

    def _spend(self, weights: int) -> None:
        self._left -= weights
        if self._left < 0:
            raise TooManyParametersError("Expected a network within the limit of parameters. Received: a larger one")

    def conv(
        self,
        name: str,
        source: int,
        filters: int,
        kernel: Sides,
        stride: Sides = 1,
        *,
        padding: Padding = "same",
        dilation: int = 1,
        bias: bool = False,
    ) -> int:
        """Convolution. Keras has none with both a stride and a dilation."""
        height, width = pair(kernel)
        self._spend(height * width * self.channels(source) * filters)
        shape = self._windowed(source, kernel, stride, padding, filters)
        return self._append(
            name, "conv", (source,), shape, kernel=kernel, stride=stride, padding=padding, dilation=dilation, bias=bias
        )

    def separable_conv(self, name: str, source: int, filters: int, kernel: int, stride: int = 1) -> int:
        """Depthwise and then 1×1 convolution, nothing between, without bias, ``same`` padding."""
        channels = self.channels(source)
        self._spend(kernel * kernel * channels + channels * filters)
        shape = self._windowed(source, kernel, stride, "same", filters)
        return self._append(name, "separable_conv", (source,), shape, kernel=kernel, stride=stride)

    def _windowed(self, source: int, kernel: Sides, stride: Sides, padding: Padding, channels: int) -> Shape:
        """Shape after an operation with a window that moves."""
        height, width, _ = self.layers[source].shape
        (tall, wide), (down, right) = pair(kernel), pair(stride)
        return strided(height, tall, down, padding), strided(width, wide, right, padding), channels

    def batch_norm(self, name: str, source: int) -> int:
        """Batch normalisation with scale and offset."""
        return self._append(name, "batch_norm", (source,), self.layers[source].shape)

    def relu(self, source: int) -> int:
        """ReLU; a second ReLU of the same output is the first one, and one of a ReLU is that."""
        position = source if self.layers[source].op == "relu" else self._relus.get(source)
        if position is None:
            layer = self.layers[source]
            position = self._append(f"{layer.name}_relu", "relu", (source,), layer.shape)
            self._relus[source] = position
        return position

    def pool(self, name: str, kind: str, source: int, kernel: int, stride: int = 1, padding: Padding = "same") -> int:
        """``max`` or ``avg`` pooling; with ``same`` padding a border is not part of any window."""
        shape = self._windowed(source, kernel, stride, padding, self.channels(source))
        return self._append(name, f"{kind}_pool", (source,), shape, kernel=kernel, stride=stride, padding=padding)

    def pad(self, name: str, source: int, margins: tuple[int, int, int, int]) -> int:
        """Zeros around the map: rows above and below, columns left and right; the same ones again are the first."""
        if (source, margins) not in self._pads:
            shape = self._resized(source, margins, 1)
            self._pads[source, margins] = self._append(name, "pad", (source,), shape, margins=margins)
        return self._pads[source, margins]

    def crop(self, name: str, source: int, margins: tuple[int, int, int, int]) -> int:
        """Without so many rows above and below, columns left and right."""
        return self._append(name, "crop", (source,), self._resized(source, margins, -1), margins=margins)

    def _resized(self, source: int, margins: tuple[int, int, int, int], sign: int) -> Shape:
        height, width, channels = self.layers[source].shape
        tall, wide = sign * (margins[0] + margins[1]), sign * (margins[2] + margins[3])
        return None if height is None else height + tall, None if width is None else width + wide, channels

    def drop_path(self, name: str, source: int, depth: float) -> int:
        """In training, the map of some of the images of a batch becomes zero; see `Layer.depth`."""
        return self._append(name, "drop_path", (source,), self.layers[source].shape, depth=depth)

    def add(self, name: str, sources: tuple[int, ...]) -> int:
        """Element-wise sum of outputs of one shape."""
        return self._append(name, "add", sources, self.layers[sources[0]].shape)

    def concat(self, name: str, sources: tuple[int, ...]) -> int:
        """Concatenation along the channels."""
        height, width, _ = self.layers[sources[0]].shape
        return self._append(name, "concat", sources, (height, width, sum(self.channels(s) for s in sources)))

    def preactivation_conv(
        self, name: str, source: int, filters: int, kernel: Sides, stride: Sides = 1, *, dilation: int = 1
    ) -> int:
        """ReLU → convolution → batch normalisation (the pre-activation convolutional cell, BlockQNN section 3.1)."""
        conv = self.conv(f"{name}_conv", self.relu(source), filters, kernel, stride, dilation=dilation)
        return self.batch_norm(f"{name}_bn", conv)

    def widened(self, name: str, source: int, filters: int) -> int:
        """`source` itself if it has that many channels, else a 1×1 pre-activation convolution of it."""
        if self.channels(source) == filters:
            return source
        return self.preactivation_conv(name, source, filters, 1)

    def global_pool(self, kind: str, source: int, name: str | None = None) -> int:
        """``average`` or ``max`` over the whole map; called after the kind unless it has another name."""
        return self._append(name or f"{kind}_pool", f"global_{kind}_pool", (source,), (1, 1, self.channels(source)))

    def squeeze(self, name: str, source: int) -> int:
        """The average over the whole map, as a map of one pixel."""
        return self._append(name, "squeeze", (source,), (1, 1, self.channels(source)))

    def sigmoid(self, name: str, source: int) -> int:
        """Logistic function of every value."""
        return self._append(name, "sigmoid", (source,), self.shape(source))

    def multiply(self, name: str, source: int, factors: int) -> int:
        """Every channel of the map at `source` times its value in the map of one pixel at `factors`."""
        return self._append(name, "multiply", (source, factors), self.shape(source))

    def self_attention(self, name: str, source: int, heads: int, head_width: int) -> int:
        """Scaled dot-product attention (Vaswani et al. 2017) between all positions of a map of known size; no bias.

        As many channels come out as go in. Nothing tells positions apart but what they hold.
        """
        self._known_size(source, "attends to all positions of its map")
        self._spend(4 * self.channels(source) * heads * head_width)
        shape = self.shape(source)
        return self._append(name, "self_attention", (source,), shape, heads=heads, head_width=head_width)

    def _known_size(self, source: int, what: str) -> tuple[int, int]:
        """Height and width of a map that `what` needs to know."""
        height, width, _ = self.shape(source)
        if height is None or width is None:
            raise TemplateError(
                f"Expected images of a fixed size with a network that {what}. Received: input_shape={self.shape(0)}"
            )
        return height, width

    def end_stage(self, position: int) -> int:
        """Note that the map at `position` is the last one before a downsampling; hands the position back."""
        if position:  # the image itself is no feature map
            self._stage_ends.append(position)
        return position

    def stage_outputs(self, last: int) -> int:
        """Make outputs of the ends of all stages noted so far and of `last`, each after a ReLU as before a head."""
        return self.outputs("features", tuple(self.relu(position) for position in (*self._stage_ends, last)))

    def outputs(self, name: str, positions: tuple[int, ...]) -> int:
        """Several outputs of the network, in this order."""
        return self._append(name, "outputs", positions, self.layers[positions[-1]].shape)

    def flatten(self, name: str, source: int) -> int:
        """All values of a map, whose size must be known, as channels."""
        height, width = self._known_size(source, "flattens its map")
        return self._append(name, "flatten", (source,), (1, 1, height * width * self.channels(source)))

    def dropout(self, name: str, source: int, rate: float) -> int:
        """In training, this share of the features becomes zero."""
        return self._append(name, "dropout", (source,), self.shape(source), rate=rate)

    def dense(self, name: str, source: int, units: int) -> int:
        """Fully connected layer with bias, no activation."""
        self._spend(self.channels(source) * units)
        return self._append(name, "dense", (source,), (1, 1, units))


def pair(sides: Sides) -> tuple[int, int]:
    """(height, width) of one number or two."""
    return sides if isinstance(sides, tuple) else (sides, sides)


def strided(size: int | None, kernel: int, stride: int, padding: Padding) -> int | None:
    """Pixels in one direction after a window has moved over a map; at least 0.

    Example:
        >>> strided(7, 3, 2, "same"), strided(7, 3, 2, "valid"), strided(None, 3, 2, "same")
        (4, 3, None)
    """
    if size is None:
        return None
    return -(-size // stride) if padding == "same" else max(0, (size - kernel) // stride + 1)
