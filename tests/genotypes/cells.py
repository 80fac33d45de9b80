"""Random cells for property tests, and cells drawn anew that describe the same architecture."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
from hypothesis import strategies as st

from automl_cells.genotypes import Block, Cell, CellGenotype, Graph
from automl_cells.genotypes.cell import COMBINATIONS, INPUTS, OPERATIONS


@st.composite
def cells(draw: st.DrawFn, most: int = 5) -> Cell:
    """Any cell of up to `most` blocks, with and without a list of concatenated states."""
    blocks = []
    for number in range(draw(st.integers(1, most))):
        state, operation = st.integers(0, INPUTS + number - 1), st.sampled_from(OPERATIONS)
        combination = st.sampled_from(COMBINATIONS)
        blocks.append(Block(draw(state), draw(state), draw(operation), draw(operation), draw(combination)))
    states = st.lists(st.sampled_from(range(INPUTS + len(blocks))), min_size=1, unique=True)
    return Cell(tuple(blocks), draw(st.none() | states.map(tuple)))


def genotypes() -> st.SearchStrategy[CellGenotype]:
    return st.builds(CellGenotype, cells(), cells())


def redrawn(cell: Cell, choose: Callable[[int], int]) -> Cell:
    """The same cell with its blocks in another order that keeps what each takes before it, and its sides swapped.

    Args:
        cell: any.
        choose: from a number n a number below n.
    """
    left = list(range(len(cell.blocks)))
    new = {0: 0, 1: 1}
    blocks = []
    while left:
        ready = [number for number in left if {cell.blocks[number].first, cell.blocks[number].second} <= set(new)]
        number = ready[choose(len(ready))]
        left.remove(number)
        first, second, one, other, combination = cell.blocks[number]
        sides = [(new[first], one), (new[second], other)]
        if choose(2):
            sides.reverse()
        blocks.append(Block(sides[0][0], sides[1][0], sides[0][1], sides[1][1], combination))
        new[INPUTS + number] = INPUTS + len(blocks) - 1
    outputs = [new[state] for state in cell.outputs]
    if choose(2):
        outputs.reverse()
    return Cell(tuple(blocks), tuple(outputs))


def same_graph(one: Graph, other: Graph) -> bool:
    """What networkx says of two labelled multigraphs."""

    def as_networkx(graph: Graph) -> nx.MultiDiGraph:
        made = nx.MultiDiGraph()
        made.add_nodes_from((node, {"label": label}) for node, label in enumerate(graph.labels))
        made.add_edges_from((source, node) for node, sources in enumerate(graph.predecessors) for source in sources)
        return made

    def same_label(first: dict[str, str], second: dict[str, str]) -> bool:
        return first["label"] == second["label"]

    return nx.is_isomorphic(as_networkx(one), as_networkx(other), node_match=same_label)
