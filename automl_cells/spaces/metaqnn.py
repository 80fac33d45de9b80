"""MetaQNN's search space: chains, one layer a decision.

Baker et al. (ICLR 2017, arXiv 1611.02167v2), table 1 and section 4.2. A state is the layers so far; an action is the
next layer as three integers: (1, filters, kernel) for a convolution with stride 1, (2, kernel, stride) for a pooling,
(3, neurons, 0) for a fully connected layer, (4, 0, 0) for the global average and (5, 0, 0) for the termination.

What may follow what:

- A convolution or a fully connected layer may come first, a pooling may not (the authors' code); the global average and
  the termination may come anywhere, and after the global average only the termination may come.
- No pooling right after a pooling. After a fully connected layer only another one, at most two in a row and not wider
  than the one before, and the termination. Fully connected layers need a map below eight pixels (the code's bins).
- From the last layer that the depth allows, only to an end: the global average or the termination.
- A window must fit into the map. Poolings have no border, so n pixels become ⌈(n - kernel + 1) / stride⌉.

The Q-table sees depth, last layer and in which of three bins the size of the map lies: 8 pixels or more, 4 to 7, below
4 (section 4.2, R-size; the bounds are the code's). The true size is tracked all the same and decides what is legal,
as section 4.2 has it: kernel ≤ size. The code compares the kernel with the bin, and strictly. Of an image that is not
square the smaller side counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

from automl_cells.errors import GenotypeError, SpaceError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.chain import (
    CONNECTED,
    CONVOLUTION,
    GLOBAL_AVERAGE,
    MAX_LAYERS,
    POOLING,
    TERMINAL,
    ChainGenotype,
    ChainLayer,
)
from automl_cells.spaces.base import Space

FILTERS = (64, 128, 256, 512)
KERNELS = (1, 3, 5)
POOLINGS = ((5, 3), (3, 2), (2, 2))
NEURONS = (512, 256, 128)
MOST_CONNECTED = 2
BINS = (8, 4)
"""Sizes of the map from which the upper two bins begin; fully connected layers need a map below the first."""

_CONVOLUTION, _POOLING, _CONNECTED, _GLOBAL_AVERAGE, _TERMINATION = range(1, 6)

Action = tuple[int, int, int]
State = tuple[Action, ...]

_AVERAGE: Action = (_GLOBAL_AVERAGE, 0, 0)
_END: Action = (_TERMINATION, 0, 0)


class MetaQNN(Space):
    """The space of table 1.

    Args:
        input_shape: (height, width, channels) of the images.
        max_depth: most layers before the global average and the termination (the paper: 12, for CIFAR-10 18).
        filter_multiplier: scales the filters of the convolutions and the neurons of the fully connected layers
            (rounded, at least 1), for searches on small machines.

    Raises:
        SpaceError: no size of the images, or an option out of range.
    """

    name: ClassVar[str] = "metaqnn"
    kind: ClassVar[str] = ChainGenotype.kind

    def __init__(
        self,
        input_shape: tuple[int | None, int | None, int] | None = None,
        max_depth: int = 12,
        filter_multiplier: float = 1.0,
    ) -> None:
        sides = () if input_shape is None else input_shape[:2]
        if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
            raise SpaceError(f"Expected the size of the images for the space {self.name}. Received: {input_shape!r}")
        if type(max_depth) is not int or not 1 <= max_depth <= MAX_LAYERS - 1:
            raise SpaceError(f"Expected max_depth from 1 to {MAX_LAYERS - 1}. Received: {max_depth!r}")
        if type(filter_multiplier) not in (int, float) or not 0.001 <= filter_multiplier <= 16:
            raise SpaceError(f"Expected filter_multiplier from 0.001 to 16. Received: {filter_multiplier!r}")
        self.size = min(side for side in sides if side is not None)
        self.max_depth = max_depth
        filters, neurons = (
            tuple(dict.fromkeys(max(1, round(width * filter_multiplier)) for width in widths))
            for widths in (FILTERS, NEURONS)
        )
        self._convolutions = tuple((_CONVOLUTION, width, kernel) for width in filters for kernel in KERNELS)
        self._poolings = tuple((_POOLING, kernel, stride) for kernel, stride in POOLINGS)
        self._connected = tuple((_CONNECTED, width, 0) for width in neurons)
        choices = (*self._convolutions, *self._poolings, *self._connected, _AVERAGE, _END)
        self._numbers = {choice: number for number, choice in enumerate(choices)}
        self._legal = cache(self._legal_after)  # a Q-table asks for the same few again and again

    def initial(self) -> State:
        """No layers yet."""
        return ()

    def actions(self, state: State) -> Sequence[Action]:
        """The layers that may come next, in the order of table 1; the termination is the last."""
        last = state[-1] if state else None
        in_a_row = _connected_at_the_end(state)
        return self._legal(last, in_a_row, self.map_size(state), len(state) >= self.max_depth)

    def _legal_after(self, last: Action | None, in_a_row: int, size: int, deep: bool) -> tuple[Action, ...]:
        kind = last[0] if last else None
        if kind == _GLOBAL_AVERAGE:
            return (_END,)
        ends = (_END,) if kind == _CONNECTED else (_AVERAGE, _END)
        if deep:
            return ends
        legal: list[Action] = []
        if kind != _CONNECTED:
            legal += [action for action in self._convolutions if action[2] <= size]
        if kind == _CONVOLUTION:
            legal += [action for action in self._poolings if action[1] <= size]
        if size < BINS[0] and in_a_row < MOST_CONNECTED:
            widest = last[1] if last and kind == _CONNECTED else self._connected[0][1]
            legal += [action for action in self._connected if action[1] <= widest]
        return (*legal, *ends)

    def map_size(self, state: State) -> int:
        """Pixels of the smaller side of the map after these layers."""
        size = self.size
        for kind, kernel, stride in state:
            if kind == _POOLING:
                size = -(-(size - kernel + 1) // stride)
        return size

    def step(self, state: State, action: Action) -> State:
        """The layers with one more."""
        return (*state, action)

    def is_terminal(self, state: State) -> bool:
        """Whether the last layer is the termination."""
        return bool(state) and state[-1] == _END

    def key(self, state: State) -> tuple[int, Action | None, int, int]:
        """Depth, last layer, fully connected layers in a row, and the bin of the size of the map: 0, 1 or 2.

        Fully connected layers have no map, so no bin.
        """
        in_a_row = _connected_at_the_end(state)
        size = self.map_size(state)
        where = 0 if in_a_row else sum(size >= bound for bound in BINS)
        return (len(state), state[-1] if state else None, in_a_row, where)

    @property
    def factor_sizes(self) -> tuple[int]:
        """The layer."""
        return (len(self._numbers),)

    def factors(self, action: Action) -> tuple[int]:
        """The number of the layer in the order of table 1; the depth is where the action stands."""
        return (self._numbers[action],)

    def genotype(self, state: State) -> ChainGenotype:
        """The chain of a terminal state."""
        return ChainGenotype(tuple(_layer(action) for action in state[:-1]))

    def decisions(self, genotype: Genotype) -> tuple[Action, ...]:
        """The actions that make a chain.

        Raises:
            GenotypeError: not a chain, or one that the space cannot make; the message names the layer.
        """
        if not isinstance(genotype, ChainGenotype):
            raise GenotypeError(f"Expected a chain for the space {self.name}. Received: a {genotype.kind}")
        state: State = ()
        for position, layer in enumerate((*genotype.layers, TERMINAL), start=1):
            action = _action(layer)
            if action is None or action not in self.actions(state):
                raise GenotypeError(
                    f"Expected layer {position} of the chain among those that the space {self.name} allows there: "
                    f"{', '.join(_layer(legal).text() for legal in self.actions(state))}. Received: {layer.text()}"
                )
            state = self.step(state, action)
        return state


def _connected_at_the_end(state: State) -> int:
    """How many fully connected layers the state ends with."""
    count = 0
    while count < len(state) and state[-1 - count][0] == _CONNECTED:
        count += 1
    return count


def _layer(action: Action) -> ChainLayer:
    """The layer that an action adds."""
    kind, one, two = action
    match kind:
        case 1:
            return ChainLayer(CONVOLUTION, (one, two, 1))
        case 2:
            return ChainLayer(POOLING, (one, two))
        case 3:
            return ChainLayer(CONNECTED, (one,))
        case 4:
            return ChainLayer(GLOBAL_AVERAGE)
    return TERMINAL


def _action(layer: ChainLayer) -> Action | None:
    """The action that adds a layer; ``None`` for a convolution with a stride, which no action adds."""
    match layer.letter, layer.numbers:
        case "C", (filters, kernel, 1):
            return (_CONVOLUTION, filters, kernel)
        case "P", (kernel, stride):
            return (_POOLING, kernel, stride)
        case "FC", (neurons,):
            return (_CONNECTED, neurons, 0)
        case "GAP", _:
            return _AVERAGE
        case "SM", _:
            return _END
    return None
