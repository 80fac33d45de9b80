"""Graphs: density, depth, and a hash that is equal if, and only if, two graphs are isomorphic."""

from __future__ import annotations

import itertools
import time

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import BlockGenotype, Graph
from automl_cells.genotypes import graph as graph_module
from tests.genotypes.blocks import graphs, ring_block


def isomorphic(one: Graph, other: Graph) -> bool:
    """What networkx says (VF2 compares the numbers of parallel edges of multigraphs)."""
    return nx.is_isomorphic(as_networkx(one), as_networkx(other), node_match=lambda a, b: a["label"] == b["label"])


def as_networkx(graph: Graph) -> nx.MultiDiGraph:
    found = nx.MultiDiGraph()
    for node, label in enumerate(graph.labels):
        found.add_node(node, label=label)
    found.add_edges_from((source, node) for node, sources in enumerate(graph.predecessors) for source in sources)
    return found


def refined_colours(graph: Graph) -> list[str]:
    """Colours of plain Weisfeiler-Lehman refinement over predecessors and successors, sorted."""
    colours = list(graph.labels)
    for _ in graph.labels:
        surroundings = [
            (colour, sorted(colours[p] for p in before), sorted(colours[s] for s in after))
            for colour, before, after in zip(colours, graph.predecessors, graph.successors, strict=True)
        ]
        colours = [str(sorted({str(s) for s in surroundings}).index(str(key))) for key in surroundings]
    return sorted(colours)


@pytest.mark.parametrize(("nodes", "expected"), [(1, 1), (2, 2), (3, 6), (4, 31), (5, 302)])
def test_as_many_hashes_as_unlabelled_acyclic_graphs(nodes: int, expected: int) -> None:
    # The numbers of unlabelled acyclic digraphs (OEIS A003087).
    pairs = list(itertools.combinations(range(nodes), 2))
    hashes = set()
    for edges in itertools.product((False, True), repeat=len(pairs)):
        sources = [pair for pair, there in zip(pairs, edges, strict=True) if there]
        predecessors = tuple(tuple(s for s, target in sources if target == node) for node in range(nodes))
        hashes.add(Graph(("x",) * nodes, predecessors).canonical_hash())
    assert len(hashes) == expected


@given(graphs(), graphs())
def test_hash_agrees_with_networkx_on_any_two_graphs(one: Graph, other: Graph) -> None:
    assert (one.canonical_hash() == other.canonical_hash()) == isomorphic(one, other)


@given(graphs(labels=("a",)), st.data())
def test_hash_agrees_with_networkx_on_near_misses(graph: Graph, data: st.DataObject) -> None:
    edges = [(node, place) for node, sources in enumerate(graph.predecessors) for place in range(len(sources))]
    if not edges:
        return
    node, place = data.draw(st.sampled_from(edges))
    sources = list(graph.predecessors[node])
    sources[place] = data.draw(st.integers(0, node - 1))
    moved = Graph(graph.labels, (*graph.predecessors[:node], tuple(sources), *graph.predecessors[node + 1 :]))
    assert (graph.canonical_hash() == moved.canonical_hash()) == isomorphic(graph, moved)


@pytest.mark.parametrize(
    ("one", "other"),
    [([6], [3, 3]), ([8], [4, 4]), ([8], [3, 5]), ([4, 4], [3, 5]), ([4, 5], [3, 6]), ([2, 4], [3, 3]), ([2, 4], [6])],
    ids=str,
)
def test_graphs_that_refinement_cannot_tell_apart(one: list[int], other: list[int]) -> None:
    first, second = ring_block(one).graph(), ring_block(other).graph()
    assert refined_colours(first) == refined_colours(second)
    assert not isomorphic(first, second)
    assert first.canonical_hash() != second.canonical_hash()


@pytest.mark.parametrize("lengths", [(3, 4, 5), (2, 2, 3, 3)], ids=str)
def test_rings_in_any_order_have_one_hash(lengths: tuple[int, ...]) -> None:
    assert len({ring_block(order).hash for order in itertools.permutations(lengths)}) == 1


def incidence(*parts: nx.Graph) -> Graph:
    """Graphs side by side: one node a corner, and one an edge that reads its two ends."""
    whole = nx.disjoint_union_all(parts)
    corners = whole.number_of_nodes()
    edges = tuple(whole.edges)
    return Graph(("corner",) * corners + ("edge",) * len(edges), ((),) * corners + edges)


def test_strongly_regular_graphs() -> None:
    # The rook's graph and Shrikhande's agree in all that refinement sees, even when one corner is singled out; so side
    # by side there are branches to follow that look the same and are not.
    rook = nx.line_graph(nx.complete_bipartite_graph(4, 4))
    steps = [(0, 1), (1, 0), (1, 1)]
    cells = [(x, y) for x in range(4) for y in range(4)]
    shrikhande = nx.Graph(((x, y), ((x + i) % 4, (y + j) % 4)) for x, y in cells for i, j in steps)
    hashes = [
        incidence(*parts).canonical_hash() for parts in ((rook,), (shrikhande,), (rook, rook), (rook, shrikhande))
    ]
    assert len(set(hashes)) == 4
    assert incidence(shrikhande, rook).canonical_hash() == hashes[3]


def test_parallel_edges_count() -> None:
    once = Graph(("input", "x"), ((), (0,)))
    twice = Graph(("input", "x"), ((), (0, 0)))
    assert (once.edges, twice.edges) == (1, 2)
    assert once.canonical_hash() != twice.canonical_hash()


def test_labels_and_salt_count() -> None:
    graph = Graph(("a", "b"), ((), (0,)))
    hashes = {graph.canonical_hash(), graph.canonical_hash("block"), Graph(("b", "a"), ((), (0,))).canonical_hash()}
    assert len(hashes) == 3
    assert all(len(text) == 71 and text.startswith("sha256:") for text in hashes)


def test_canonical_form_by_hand() -> None:
    # add(x, x) of a chain: only one order of the nodes is possible.
    assert Graph(("in", "x", "add"), ((), (0,), (1, 1))).canonical_form() == (("add", (2, 2)), ("in", ()), ("x", (1,)))


SYMMETRICAL = {
    "128 equal branches": BlockGenotype.from_codes([*((i, 1, 3, 0, 0) for i in range(1, 129)), (129, 7, 0, 0, 0)]),
    "a chain of doublings": BlockGenotype.from_codes(
        [*((i, 5, 0, i - 1, i - 1) for i in range(1, 129)), (129, 7, 0, 0, 0)]
    ),
    "64 equal chains": BlockGenotype.from_codes(
        [*((i, 1, 3 if i % 2 else 1, 0 if i % 2 else i - 1, 0) for i in range(1, 129)), (129, 7, 0, 0, 0)]
    ),
    "ring of 64": ring_block([64]),
    "equal rings": ring_block([3] * 12),
    "rings of two": ring_block([2] * 16),
    "unequal rings": ring_block([3, 4, 5, 6, 7, 8, 9, 10, 11]),
    "rings of two kinds": ring_block([6] * 5 + [3] * 10),
}


@pytest.mark.parametrize("block", SYMMETRICAL.values(), ids=SYMMETRICAL.keys())
def test_symmetry_is_no_trap(block: BlockGenotype) -> None:
    started = time.process_time()
    assert block.graph().canonical_hash().startswith("sha256:")
    assert time.process_time() - started < 20


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "_MAX_REFINEMENTS", 10)
    with pytest.raises(GenotypeError, match=r"at most 10 refinements\. Received: a graph of 44 nodes"):
        ring_block([3] * 7).graph().canonical_hash()


def test_measures_by_hand() -> None:
    #   0 -> 1 -> 3 -> 4,  0 -> 2 -> 4,  0 -> 4: six edges, five nodes, longest path of three edges
    graph = Graph(("input", "x", "y", "z", "output"), ((), (0,), (0,), (1,), (3, 2, 0)))
    assert (graph.edges, graph.density, graph.depth) == (6, 6 / 5, 3)
    assert graph.successors == ((1, 2, 4), (3,), (4,), (4,), ())


@pytest.mark.parametrize(
    ("labels", "predecessors", "message"),
    [
        (("a", "b"), ((),), r"as many predecessor lists as labels\. Received: 2 labels, 1 lists"),
        (("a", "b"), ((), (1,)), r"node 1 among 0 to 0\. Received: 1"),
        (("a", "b"), ((), (-1,)), r"node 1 among 0 to 0\. Received: -1"),
    ],
)
def test_bad_graphs_are_refused(labels: tuple, predecessors: tuple, message: str) -> None:
    with pytest.raises(GenotypeError, match=message):
        Graph(labels, predecessors)
