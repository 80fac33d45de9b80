"""The plan of one NASNet cell, wherever it stands in a network.

After the authors' code (tensorflow/models, research/slim/nets/nasnet/nasnet_utils.py):

- h_i goes through ReLU → 1×1 convolution → BN to the filters of the cell. h_(i-1) likewise if its width differs, and
  through ReLU → factorised reduction if it is twice as large; the first cell of all has none and takes h_i as it came.
- In a reduction cell the operations on these two have stride 2, all others stride 1.
- A separable convolution is applied twice. An identity that must change stride or width is ReLU → 1×1 convolution → BN;
  a pooling of a map of another width is followed by a 1×1 convolution and BN.
- An input that is part of the output and of another size or width than the rest is made to match, without ReLU.

Where the paper is silent and the authors' code lacks the operation: 1×n then n×1 convolutions are each ReLU →
convolution → BN, the first with stride in one direction, the second in the other; a dilated convolution (rate 2) in a
reduction cell is thinned out after the convolution, since no backend has both at once. States that reach no output are
not built.
"""

from __future__ import annotations

import re

from automl_cells.builder.plan import PlanBuilder
from automl_cells.builder.reduction import Map, factorised_reduction, zero_bordered_pool
from automl_cells.genotypes.cell import INPUTS, REGISTERED, Cell


class CellPlanner:
    """Plans one cell after the other into one network.

    Args:
        net: the plan so far.
        pool_borders: ``same`` or ``zeros``, see `CellTemplate`.
        total_cells: of the network, if its paths are to be dropped in training (ScheduledDropPath); else ``None``.
    """

    def __init__(self, net: PlanBuilder, pool_borders: str, total_cells: int | None) -> None:
        self._net = net
        self._zeros = pool_borders == "zeros"
        self._total_cells = total_cells
        self._cells = 0

    def cell(self, name: str, cell: Cell, now: Map, before: Map | None, filters: int, *, reduction: bool) -> Map:
        """One cell.

        Args:
            name: of its layers, as a prefix.
            cell: what to plan.
            now: h_i.
            before: h_(i-1), as large or twice as large as h_i; ``None`` for the first cell.
            filters: of its operations.
            reduction: whether it halves its inputs.
        """
        self._cells += 1
        depth = None if self._total_cells is None else self._cells / self._total_cells
        planned = _OneCell(self._net, name, cell, filters, 2 if reduction else 1, self._zeros, depth)
        return Map(planned.output(now, before), now.level + reduction)


class _OneCell:
    """The states of one cell, each planned when it is first asked for."""

    def __init__(
        self, net: PlanBuilder, name: str, cell: Cell, filters: int, stride: int, zeros: bool, depth: float | None
    ) -> None:
        self.net, self.name, self.cell, self.filters = net, name, cell, filters
        self.stride, self.zeros, self.depth = stride, zeros, depth
        self._states: dict[int, int] = {}
        self._pools: dict[tuple[str, int, int, int], int] = {}  # a pooling of the same map twice is one layer

    def output(self, now: Map, before: Map | None) -> int:
        needed = self._needed()
        self._inputs(now, before, needed)
        for number in range(len(self.cell.blocks)):
            if INPUTS + number in needed:
                self._states[INPUTS + number] = self._block(number)
        outputs = tuple(self._matched(state) for state in self.cell.outputs)
        return outputs[0] if len(outputs) == 1 else self.net.concat(f"{self.name}_output", outputs)

    def _needed(self) -> set[int]:
        """The states that reach an output."""
        needed = set(self.cell.outputs)
        for number in reversed(range(len(self.cell.blocks))):
            if INPUTS + number in needed:
                needed |= {self.cell.blocks[number].first, self.cell.blocks[number].second}
        return needed

    def _inputs(self, now: Map, before: Map | None, needed: set[int]) -> None:
        net, name = self.net, self.name
        if 1 in needed:
            if before is None:
                self._states[1] = now.position
            elif before.level < now.level:
                relu = net.relu(before.position)
                self._states[1] = factorised_reduction(net, f"{name}_before", relu, self.filters)
            else:
                self._states[1] = net.widened(f"{name}_before", before.position, self.filters)
        if 0 in needed:
            self._states[0] = net.preactivation_conv(f"{name}_input", now.position, self.filters, 1)

    def _block(self, number: int) -> int:
        block = self.cell.blocks[number]
        name = f"{self.name}_block{number + 1}"
        sides = tuple(
            self._operation(f"{name}_{side}", operation, state)
            for side, (state, operation) in zip(("left", "right"), block.inputs, strict=True)
        )
        if block.combination == "add":
            return self.net.add(f"{name}_add", sides)
        return self.net.concat(f"{name}_concat", sides)

    def _operation(self, name: str, operation: str, state: int) -> int:
        net, source = self.net, self._states[state]
        stride = self.stride if state < INPUTS else 1
        if operation == "identity":
            if stride == 1:
                return net.widened(name, source, self.filters)
            return net.preactivation_conv(name, source, self.filters, 1, stride)
        kind, kernel = _parsed(operation)
        if operation in REGISTERED:
            result = REGISTERED[operation](net, name, source, self.filters, stride)
        elif kind == "sep_conv":
            result = self._separable(name, source, kernel, stride)
        elif kind == "dil_conv":
            result = self._dilated(name, source, kernel, stride)
        elif kind == "conv_pair":
            across = net.preactivation_conv(f"{name}_across", source, self.filters, (1, kernel), (1, stride))
            result = net.preactivation_conv(f"{name}_down", across, self.filters, (kernel, 1), (stride, 1))
        elif kind == "conv":
            result = net.preactivation_conv(name, source, self.filters, kernel, stride)
        else:
            result = self._pooled(f"{name}_pool", kind.removesuffix("_pool"), source, kernel, stride)
            if net.channels(result) != self.filters:
                result = net.batch_norm(f"{name}_bn", net.conv(f"{name}_conv", result, self.filters, 1))
        return result if self.depth is None else net.drop_path(f"{name}_drop_path", result, self.depth)

    def _separable(self, name: str, source: int, kernel: int, stride: int) -> int:
        for number, step in ((1, stride), (2, 1)):
            conv = self.net.separable_conv(f"{name}_sep{number}", self.net.relu(source), self.filters, kernel, step)
            source = self.net.batch_norm(f"{name}_bn{number}", conv)
        return source

    def _dilated(self, name: str, source: int, kernel: int, stride: int) -> int:
        conv = self.net.conv(f"{name}_conv", self.net.relu(source), self.filters, kernel, dilation=2)
        if stride > 1:
            conv = self.net.pool(f"{name}_thin", "avg", conv, 1, stride)
        return self.net.batch_norm(f"{name}_bn", conv)

    def _pooled(self, name: str, kind: str, source: int, kernel: int, stride: int) -> int:
        key = (kind, source, kernel, stride)
        if key not in self._pools:
            if self.zeros and stride > 1:
                self._pools[key] = zero_bordered_pool(self.net, name, kind, source, kernel)
            else:
                self._pools[key] = self.net.pool(name, kind, source, kernel, stride)
        return self._pools[key]

    def _matched(self, state: int) -> int:
        """The output of a state with the size of the cell's output and, for an input, the filters of the cell."""
        position = self._states[state]
        if state >= INPUTS:
            return position
        name = f"{self.name}_output{state}"
        if self.stride > 1:
            return factorised_reduction(self.net, name, position, self.filters)
        if self.net.channels(position) == self.filters:
            return position
        return self.net.batch_norm(f"{name}_bn", self.net.conv(f"{name}_conv", position, self.filters, 1))


def _parsed(operation: str) -> tuple[str, int]:
    """Kind and kernel of an operation, e.g. ``("sep_conv", 5)``; ``conv_pair`` for 1×n then n×1."""
    paired = re.fullmatch(r"conv_1x(\d)_\1x1", operation)
    if paired:
        return "conv_pair", int(paired[1])
    kind, _, sides = operation.rpartition("_")
    return kind, int(sides[0])
