"""Cells of NAS-Bench-201: the benchmark's string, its hash, and what a drawing of them shows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import NasBench201Genotype, dumps, loads
from automl_cells.genotypes.drawing import draw_svg, draw_text
from automl_cells.genotypes.nasbench201 import OPERATIONS

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"

cells = st.tuples(*[st.sampled_from(OPERATIONS)] * 6).map(NasBench201Genotype)


def cell(*operations: str) -> NasBench201Genotype:
    """The cell of six words: ``-`` none, ``skip``, ``1``, ``3`` and ``pool``."""
    names = {"-": "none", "skip": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "pool": "avg_pool_3x3"}
    return NasBench201Genotype(tuple(names[word] for word in operations))


def test_the_string_by_hand() -> None:
    # The best of the benchmark: edges 0→1, 0→2, 1→2, 0→3, 1→3, 2→3.
    best = NasBench201Genotype.from_architecture(BEST)
    assert best == cell("3", "3", "3", "skip", "1", "3")
    assert best.architecture == BEST
    assert best.body() == {"architecture": BEST}


@given(cells)
def test_string_body_and_file_are_inverse(genotype: NasBench201Genotype) -> None:
    assert NasBench201Genotype.from_architecture(genotype.architecture) == genotype
    assert NasBench201Genotype.from_body(genotype.body()) == genotype
    assert loads(dumps(genotype)) == genotype


def test_every_string_has_its_own_hash_though_some_are_isomorphic() -> None:
    # In both cells the input goes through one 3×3 convolution on its way to the output.
    first, second = cell("3", "-", "-", "-", "skip", "-"), cell("skip", "-", "-", "-", "3", "-")
    assert first.hash != second.hash
    everything = {NasBench201Genotype(operations).hash for operations in itertools.product(OPERATIONS, repeat=6)}
    assert len(everything) == 15_625
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in everything)


def test_the_hash_is_the_same_for_ever() -> None:
    # printf 'nasbench201\n%s' "$BEST" | sha256sum
    expected = "sha256:57460358508885ddb40f997556f71388edcf16324131e0ad4b0ca5035d32e8c0"
    assert NasBench201Genotype.from_architecture(BEST).hash == expected


@pytest.mark.parametrize(
    ("genotype", "labels", "predecessors"),
    [
        # Node 1 is conv 3 (1). Node 2 is conv 3 of the input (2) + conv 3 of node 1 (3) = add (4). The output is the
        # input (5) + conv 1 of node 1 (6) + conv 3 of node 2 (7) = add (8).
        (
            NasBench201Genotype.from_architecture(BEST),
            ("input", "conv 3", "conv 3", "conv 3", "add", "identity", "conv 1", "conv 3", "add", "output"),
            ((), (0,), (0,), (1,), (2, 3), (0,), (1,), (4,), (5, 6, 7), (8,)),
        ),
        # A chain has nothing to add.
        (
            cell("pool", "-", "1", "-", "-", "skip"),
            ("input", "avg_pool 3", "conv 1", "identity", "output"),
            ((), (0,), (1,), (2,), (3,)),
        ),
        # Node 1 is read by nobody; node 2 has no input, so its way to the output carries nothing.
        (cell("3", "-", "-", "1", "-", "3"), ("input", "conv 1", "output"), ((), (0,), (1,))),
        # Nothing arrives.
        (cell("3", "3", "3", "-", "-", "-"), ("input", "none", "output"), ((), (0,), (1,))),
        (cell("-", "-", "3", "-", "3", "3"), ("input", "none", "output"), ((), (0,), (1,))),
        (cell(*["-"] * 6), ("input", "none", "output"), ((), (0,), (1,))),
    ],
    ids=["best", "chain", "cut off", "no way out", "no way in", "nothing"],
)
def test_graph_by_hand(
    genotype: NasBench201Genotype, labels: tuple[str, ...], predecessors: tuple[tuple[int, ...], ...]
) -> None:
    assert genotype.graph().labels == labels
    assert genotype.graph().predecessors == predecessors
    assert genotype.parts() == (("cell", genotype.graph()),)


@given(cells)
def test_every_node_of_a_graph_is_on_a_way_from_the_input_to_the_output(genotype: NasBench201Genotype) -> None:
    graph = genotype.graph()
    assert all(graph.predecessors[1:])
    assert all(graph.successors[:-1])
    assert graph.labels.count("none") == (genotype.graph().labels == ("input", "none", "output"))
    assert draw_svg(graph)
    assert draw_text(graph)


@pytest.mark.parametrize(
    "architecture",
    [
        "",
        None,
        3,
        ["|none~0|"],
        BEST.replace("+", ""),
        BEST + "+",
        BEST + "\n",
        BEST.replace("~2", "~1"),
        BEST.replace("|nor_conv_1x1~1", ""),
        f" {BEST}",
    ],
    ids=repr,
)
def test_other_strings_are_refused(architecture: object) -> None:
    with pytest.raises(GenotypeError, match=r"^Expected an architecture \|op~0\|\+.* Received: "):
        NasBench201Genotype.from_architecture(architecture)


def test_an_unknown_operation_is_refused_with_its_place() -> None:
    with pytest.raises(GenotypeError, match=r"from node 1 to node 3 among \['none', .* Received: 'nor_conv_5x5'"):
        NasBench201Genotype.from_architecture(BEST.replace("1x1", "5x5"))


@pytest.mark.parametrize("operations", [(), ("none",) * 5, ("none",) * 7, ["none"] * 6, "none", None], ids=repr)
def test_six_operations_are_asked_for(operations: object) -> None:
    with pytest.raises(GenotypeError, match=r"Expected 6 operations, one an edge\. Received: "):
        NasBench201Genotype(operations)


@pytest.mark.parametrize("body", [{}, {"layers": []}, {"architecture": BEST, "more": 1}], ids=repr)
def test_other_bodies_are_refused(body: dict) -> None:
    with pytest.raises(GenotypeError, match=r"the field 'architecture' and no other\. Received: \["):
        NasBench201Genotype.from_body(body)
