"""Hypothesis strategies of blocks, and the same block written down another way."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from automl_cells.genotypes import BlockGenotype, Graph
from automl_cells.genotypes.block import OPERATIONS, TERMINAL, Code

CHOICES = [(kind, kernel) for kind in OPERATIONS if kind != TERMINAL for kernel in OPERATIONS[kind].kernels]


@st.composite
def blocks(draw: st.DrawFn, max_layers: int = 10, input_anywhere: bool | None = None) -> BlockGenotype:
    """Legal blocks; `input_anywhere`: whether later layers may read the input too, by default either."""
    anywhere = draw(st.booleans()) if input_anywhere is None else input_anywhere
    layers = []
    for index in range(1, draw(st.integers(0, max_layers)) + 1):
        kind, kernel = draw(st.sampled_from(CHOICES))
        predecessors = st.integers(0 if anywhere or index == 1 else 1, index - 1)
        second = draw(predecessors) if OPERATIONS[kind].arity == 2 else 0
        layers.append(Code(index, kind, kernel, draw(predecessors), second))
    return BlockGenotype(tuple(layers))


@st.composite
def relabelled(draw: st.DrawFn, block: BlockGenotype) -> BlockGenotype:
    """The same architecture: layers in another topological order, predecessors of add and concat swapped."""
    waiting = {code.index: code for code in block.layers}
    numbers = {0: 0}
    layers = []
    while waiting:
        ready = [index for index, code in waiting.items() if numbers.keys() >= set(code.predecessors)]
        code = waiting.pop(draw(st.sampled_from(ready)))
        sources = [numbers[index] for index in code.predecessors]
        if len(sources) == 2 and draw(st.booleans()):
            sources.reverse()
        numbers[code.index] = len(numbers)
        layers.append(Code(numbers[code.index], code.type, code.kernel, *(*sources, 0, 0)[:2]))
    return BlockGenotype(tuple(layers))


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 6, labels: Sequence[str] = ("a", "b")) -> Graph:
    """Small multigraphs, with parallel edges."""
    size = draw(st.integers(1, max_nodes))
    predecessors = [tuple(draw(st.lists(st.integers(0, node - 1), max_size=3))) if node else () for node in range(size)]
    return Graph(tuple(draw(st.sampled_from(labels)) for _ in range(size)), tuple(predecessors))


def ring_block(lengths: Sequence[int]) -> BlockGenotype:
    """Rings of convolutions of the input, of the given lengths; each two neighbours of a ring are added.

    Every convolution is read by two adds and every add reads two convolutions, whatever the lengths: colour refinement
    alone cannot tell apart rings of the same sum.
    """
    layers = [Code(index, 1, 3, 0, 0) for index in range(1, sum(lengths) + 1)]
    start = 1
    for length in lengths:
        for position in range(length):
            layers.append(Code(len(layers) + 1, 5, 0, start + position, start + (position + 1) % length))
        start += length
    return BlockGenotype(tuple(layers))
