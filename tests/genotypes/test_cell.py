"""NASNet's genotype: the papers' cells against tables written out here, one architecture one hash, bad input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import Block, Cell, CellGenotype, dumps, load, loads, to_document
from automl_cells.genotypes.cell import MAX_BLOCKS, OPERATIONS
from tests.genotypes.cells import cells, genotypes, redrawn, same_graph

# As tables of the authors' codes have them: per block the operation and state on the left, then on the right.
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "nasnet_a": {
        "normal": ("sep5 0 sep3 1, sep5 1 sep3 1, avg3 0 id 1, avg3 1 avg3 1, sep3 0 id 0", "123456"),
        "reduction": ("sep5 0 sep7 1, max3 0 sep7 1, avg3 0 sep5 1, id 3 avg3 2, sep3 2 max3 0", "3456"),
    },
    "pnasnet_5": {
        "normal": ("sep5 1 max3 1, sep7 0 max3 0, sep5 0 sep3 0, sep3 4 max3 0, sep3 1 id 0", "23456"),
        "reduction": ("sep5 1 max3 1, sep7 0 max3 0, sep5 0 sep3 0, sep3 4 max3 0, sep3 1 id 0", "23456"),
    },
    "amoebanet": {  # in DARTS' table, from which this is, 0 and 1 are the other way round
        "normal": ("avg3 1 max3 0, sep3 1 sep5 2, sep3 1 avg3 3, sep3 0 id 0, id 1 avg3 0", "456"),
        "reduction": ("avg3 1 sep3 0, max3 1 sep7 2, sep7 1 avg3 0, max3 1 max3 0, 7x1 1 sep3 5", "346"),
    },
}
SHORT = {
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "sep7": "sep_conv_7x7",
    "avg3": "avg_pool_3x3",
    "max3": "max_pool_3x3",
    "id": "identity",
    "7x1": "conv_1x7_7x1",
}


def tabled(text: str, concat: str) -> Cell:
    blocks = []
    for block in text.split(", "):
        one, first, other, second = block.split()
        blocks.append(Block(int(first), int(second), SHORT[one], SHORT[other], "add"))
    return Cell(tuple(blocks), tuple(map(int, concat)))


@pytest.mark.parametrize("name", TABLES)
def test_the_published_cells(name: str) -> None:
    genotype = load(name)
    assert isinstance(genotype, CellGenotype)
    assert genotype == CellGenotype(tabled(*TABLES[name]["normal"]), tabled(*TABLES[name]["reduction"]))


def test_widths_of_the_published_cells() -> None:
    widths = {name: (load(name).normal.output_width, load(name).reduction.output_width) for name in TABLES}
    assert widths == {"nasnet_a": (6, 4), "pnasnet_5": (5, 5), "amoebanet": (3, 3)}


def test_there_are_thirteen_operations() -> None:
    assert len(OPERATIONS) == len(set(OPERATIONS)) == 13


def test_unused_states_are_the_output() -> None:
    cell = Cell((Block(0, 0, "identity", "identity", "add"), Block(2, 1, "conv_1x1", "identity", "concat")))
    assert (cell.unused, cell.outputs, cell.output_width) == ((3,), (3,), 2)
    cell = Cell((Block(0, 0, "identity", "identity", "add"), Block(0, 1, "conv_1x1", "identity", "concat")))
    assert (cell.unused, cell.output_width) == ((2, 3), 3)
    assert Cell(cell.blocks, (0, 3)).output_width == 3


def test_a_cell_as_a_graph() -> None:
    cell = Cell((Block(0, 1, "sep_conv_3x3", "identity", "add"), Block(2, 2, "conv_1x1", "conv_1x1", "concat")))
    graph = cell.graph()
    assert graph.labels == (
        "input", "input before", "sep_conv_3x3", "identity", "add", "conv_1x1", "conv_1x1", "concat", "output",
    )  # fmt: skip
    assert graph.predecessors == ((), (), (0,), (1,), (2, 3), (4,), (4,), (5, 6), (7,))
    genotype = CellGenotype(cell, cell)
    both = genotype.graph()
    assert both.labels[:2] == ("normal input", "normal input before")
    assert both.labels[9:11] == ("reduction input", "reduction input before")
    assert both.predecessors[9 + 4] == (9 + 2, 9 + 3)
    assert [(name, part.labels) for name, part in genotype.parts()] == [
        ("normal cell", graph.labels),
        ("reduction cell", graph.labels),
    ]


@given(genotypes())
def test_json_and_back(genotype: CellGenotype) -> None:
    again = loads(dumps(genotype, {"space": "nasnet"}))
    assert again == genotype
    assert again.hash == genotype.hash
    assert hash(again) == hash(genotype)


@given(genotypes(), st.data())
def test_one_architecture_has_one_hash(genotype: CellGenotype, data: st.DataObject) -> None:
    def choose(count: int) -> int:
        return data.draw(st.integers(0, count - 1))

    again = CellGenotype(redrawn(genotype.normal, choose), redrawn(genotype.reduction, choose))
    assert again.hash == genotype.hash


@given(cells(3), cells(3))
def test_hashes_are_equal_for_isomorphic_graphs_alone(one: Cell, other: Cell) -> None:
    first, second = CellGenotype(one, one), CellGenotype(other, other)
    assert (first.hash == second.hash) == same_graph(first.graph(), second.graph())


def test_normal_and_reduction_cell_are_not_the_same() -> None:
    genotype = load("nasnet_a")
    assert CellGenotype(genotype.reduction, genotype.normal).hash != genotype.hash


def test_the_two_inputs_are_not_the_same() -> None:
    one, other = (Cell((Block(state, state, "conv_3x3", "identity", "add"),)) for state in (0, 1))
    assert CellGenotype(one, one).hash != CellGenotype(other, other).hash


def test_a_list_of_the_unused_states_says_nothing_new() -> None:
    implicit = Cell((Block(0, 1, "identity", "identity", "add"), Block(0, 0, "conv_1x1", "identity", "add")))
    explicit = Cell(implicit.blocks, (3, 2))
    assert CellGenotype(implicit, implicit).hash == CellGenotype(explicit, explicit).hash


GOOD = [0, 1, "identity", "conv_1x1", "add"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normal": []}, r"normal cell: Expected a cell of 1 to 10 blocks\. Received: 0"),
        ({"normal": [GOOD] * 11}, r"normal cell of 1 to 10 blocks\. Received: 11"),
        ({"normal": [GOOD] * 5000}, r"1 to 10 blocks\. Received: 5000"),
        ({"normal": {}}, r"normal as a list of blocks\. Received: \{\}"),
        ({"normal": None}, r"normal as a list of blocks\. Received: None"),
        ({"reduction": ["0"]}, r"block 0 of the reduction cell as \[state, .*Received: '0'"),
        ({"reduction": [GOOD[:4]]}, r"block 0 of the reduction cell as \[state, "),
        ({"reduction": [[*GOOD, 1]]}, r"block 0 of the reduction cell as \[state, "),
        ({"normal": [[2, 1, *GOOD[2:]]]}, r"first state of block 0 among 0 to 1\. Received: 2 \(the block itself\)"),
        ({"normal": [GOOD, [0, 3, *GOOD[2:]]]}, r"second state of block 1 among 0 to 2\. Received: 3 \(the block"),
        ({"normal": [GOOD, [4, 0, *GOOD[2:]], GOOD]}, r"first state of block 1 among 0 to 2\. Received: 4$"),
        ({"normal": [[-1, 1, *GOOD[2:]]]}, r"among 0 to 1\. Received: -1"),
        ({"normal": [[True, 1, *GOOD[2:]]]}, r"first state .*Received: True"),
        ({"normal": [[0, 1.0, *GOOD[2:]]]}, r"second state .*Received: 1\.0"),
        ({"normal": [["0", 1, *GOOD[2:]]]}, r"first state .*Received: '0'"),
        ({"normal": [[None, 1, *GOOD[2:]]]}, r"first state .*Received: None"),
        ({"normal": [[10**30, 1, *GOOD[2:]]]}, r"first state .*Received: 1000"),
        ({"normal": [[0, 1, "conv_9x9", "identity", "add"]]}, r"operations of block 0 among identity, .*'conv_9x9'"),
        ({"normal": [[0, 1, ["identity"], "identity", "add"]]}, r"operations of block 0 .*Received: \['identity'\]"),
        ({"normal": [[0, 1, "identity", None, "add"]]}, r"operations of block 0 .*Received: None"),
        ({"normal": [[0, 1, "identity", "identity", "mul"]]}, r"combination of block 0 among add, concat\. .*'mul'"),
        ({"normal": [[0, 1, "identity", "identity", {}]]}, r"combination of block 0 .*Received: \{\}"),
        ({"normal_concat": []}, r"concatenated states among 0 to 2\. Received: \[\]"),
        ({"normal_concat": [3]}, r"concatenated states among 0 to 2\. Received: \[3\]"),
        ({"normal_concat": [-1]}, r"concatenated states among 0 to 2\. Received: \[-1\]"),
        ({"normal_concat": [True]}, r"concatenated states among 0 to 2\. Received: \[True\]"),
        ({"normal_concat": [[2]]}, r"concatenated states among 0 to 2\. Received: \[\[2\]\]"),
        ({"normal_concat": [2, 2]}, r"every concatenated state once\. Received: \[2, 2\]"),
        ({"reduction_concat": "2"}, r"reduction_concat as a list of states or null\. Received: '2'"),
        ({"extra": 1}, r"the fields .* and no others\. Received: .*extra"),
    ],
)
def test_what_is_no_cell_genotype(change: dict[str, Any], message: str) -> None:
    document = to_document(CellGenotype(*[Cell((Block(*GOOD),))] * 2)) | change
    with pytest.raises(GenotypeError, match=message):
        loads(json.dumps(document))


def test_a_missing_cell_is_said() -> None:
    document = to_document(load("nasnet_a"))
    del document["reduction"]
    with pytest.raises(GenotypeError, match=r"the fields .*'reduction'.* Received: \['normal', "):
        loads(json.dumps(document))


def test_the_lists_of_concatenated_states_may_be_left_out() -> None:
    document = to_document(CellGenotype(*[Cell((Block(*GOOD),))] * 2))
    del document["normal_concat"], document["reduction_concat"]
    assert loads(json.dumps(document)).normal.outputs == (2,)


def test_the_largest_cells_are_hashed() -> None:
    """All blocks alike: as symmetrical as cells can be."""
    same = Cell(tuple(Block(0, 1, "identity", "identity", "add") for _ in range(MAX_BLOCKS)))
    ladder = Cell(tuple(Block(number, number + 1, "conv_3x3", "conv_3x3", "add") for number in range(MAX_BLOCKS)))
    hashes = {CellGenotype(one, other).hash for one in (same, ladder) for other in (same, ladder)}
    assert len(hashes) == 4


def test_an_operation_that_is_not_known_here_may_be_an_extensions():
    hint = r"Received: 'mine_3x3' \(operations of extensions: set AUTOML_CELLS_EXTENSIONS\)"
    with pytest.raises(GenotypeError, match=hint):
        Cell((Block(0, 1, "mine_3x3", "identity", "add"),))
