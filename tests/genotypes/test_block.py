"""Blocks: table 1 of the BlockQNN paper, the paper's own examples, equality of architectures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import BlockGenotype
from automl_cells.genotypes.block import MAX_LAYERS, OPERATIONS, TABLE_1, TERMINAL, Operation, terminal
from tests.genotypes.blocks import blocks, relabelled

# Zhong et al., figure 2.
INCEPTION = [
    (1, 4, 0, 0, 0), (2, 1, 1, 1, 0), (3, 1, 3, 2, 0), (4, 1, 1, 1, 0), (5, 1, 5, 4, 0),
    (6, 6, 0, 3, 5), (7, 2, 3, 1, 0), (8, 1, 1, 7, 0), (9, 6, 0, 6, 8), (10, 7, 0, 0, 0),
]  # fmt: skip
RESIDUAL = [(1, 4, 0, 0, 0), (2, 1, 3, 1, 0), (3, 1, 3, 2, 0), (4, 5, 0, 1, 3), (5, 7, 0, 0, 0)]


def test_the_papers_examples() -> None:
    inception, residual = BlockGenotype.from_codes(INCEPTION), BlockGenotype.from_codes(RESIDUAL)
    assert inception.codes == tuple(INCEPTION)
    assert residual.codes == tuple(RESIDUAL)
    assert inception.leaves == (9,)
    assert residual.leaves == (4,)
    # Inception: 7 layers of one predecessor, 2 of two, 1 leaf = 12 edges; 9 layers, input and output = 11 nodes.
    assert inception.density == inception.graph().density == 12 / 11
    # Residual: 3 + 2 + 1 = 6 edges, 4 + 2 = 6 nodes.
    assert residual.density == residual.graph().density == 1
    assert residual.graph().labels == ("input", "identity", "conv 3", "conv 3", "add", "output")
    assert residual.graph().predecessors == ((), (0,), (1,), (2,), (1, 3), (4,))


def test_an_empty_block_hands_its_input_on() -> None:
    block = BlockGenotype.from_codes([(1, 7, 0, 0, 0)])
    assert block == BlockGenotype(())
    assert block.leaves == (0,)
    assert block.graph().predecessors == ((), (0,))
    assert block.density == block.graph().density == 1 / 2


@given(blocks())
def test_codes_and_body_are_inverse(block: BlockGenotype) -> None:
    assert BlockGenotype.from_codes(block.codes) == block
    assert BlockGenotype.from_body(block.body()) == block
    assert block.density == block.graph().density
    assert block.graph().predecessors[-1] == block.leaves


@given(st.data())
def test_the_same_architecture_written_otherwise_has_the_same_hash(data: st.DataObject) -> None:
    block = data.draw(blocks())
    assert data.draw(relabelled(block)).hash == block.hash


def test_different_architectures_have_different_hashes() -> None:
    variants = [
        [(1, 1, 3, 0, 0)],
        [(1, 1, 5, 0, 0)],
        [(1, 2, 3, 0, 0)],
        [(1, 1, 3, 0, 0), (2, 5, 0, 0, 1)],
        [(1, 1, 3, 0, 0), (2, 5, 0, 1, 1)],
        [(1, 1, 3, 0, 0), (2, 6, 0, 0, 1)],
        [(1, 1, 3, 0, 0), (2, 4, 0, 1, 0)],
        [(1, 1, 3, 0, 0), (2, 4, 0, 0, 0)],
        [],
    ]
    assert len({BlockGenotype.from_codes([*codes, terminal(len(codes) + 1)]).hash for codes in variants}) == 9


def test_as_many_layers_as_allowed() -> None:
    layers = [(index, 4, 0, index - 1, 0) for index in range(1, MAX_LAYERS + 1)]
    assert len(BlockGenotype.from_codes([*layers, terminal(MAX_LAYERS + 1)]).layers) == MAX_LAYERS


def test_the_operations_of_our_own_come_behind_table_1() -> None:
    assert list(TABLE_1) == [1, 2, 3, 4, 5, 6, TERMINAL] == list(range(1, 8))
    assert {kind: operation for kind, operation in OPERATIONS.items() if kind not in TABLE_1} == {
        8: Operation("sep_conv", (3, 5), 1),
        9: Operation("dil_conv", (3,), 1),
        10: Operation("squeeze_excitation", (0,), 1),
        11: Operation("self_attention", (0,), 1),
    }
    codes = [
        (1, 8, 5, 0, 0), (2, 9, 3, 1, 0), (3, 10, 0, 1, 0), (4, 11, 0, 0, 0), (5, 5, 0, 3, 4), (6, 7, 0, 0, 0),
    ]  # fmt: skip
    block = BlockGenotype.from_codes(codes)
    names = ("sep_conv 5", "dil_conv 3", "squeeze_excitation", "self_attention", "add")
    assert block.graph().labels == ("input", *names, "output")
    assert block.graph().predecessors == ((), (0,), (1,), (1,), (0,), (3, 4), (2, 5))
    assert block.leaves == (2, 5)
    # Four layers of one predecessor, one of two, two leaves; five layers, input and output.
    assert block.density == 8 / 7
    assert BlockGenotype.from_body(block.body()) == block


CONV = (1, 1, 3, 0, 0)
END = (2, 7, 0, 0, 0)
BAD = {
    "no layers": ([], r"ends with the terminal.* Received: no layers"),
    "no terminal": ([CONV], r"ends with the terminal.* Received: \[1, 1, 3, 0, 0\]"),
    "after the terminal": ([CONV, END, (3, 1, 3, 1, 0)], r"nothing after the terminal\. Received: layer 3"),
    "two terminals": ([CONV, END, (3, 7, 0, 0, 0)], r"nothing after the terminal\. Received: layer 3"),
    "terminal with a kernel": ([(1, 7, 3, 0, 0)], r"kernel of layer 1 \(terminal\) among \(0,\)\. Received: 3"),
    "terminal with a predecessor": ([CONV, (2, 7, 0, 1, 0)], r"predecessor 1 of layer 2 \(terminal\) to be unused"),
    "reads itself": ([(1, 1, 3, 1, 0), END], r"predecessor 1 of layer 1 among .* Received: 1 \(a cycle\)"),
    "cycle": ([CONV, (2, 5, 0, 1, 3), (3, 1, 1, 2, 0), (4, 7, 0, 0, 0)], r"predecessor 2 of layer 2 .*a cycle"),
    "dangling": ([CONV, (2, 1, 3, -1, 0), (3, 7, 0, 0, 0)], r"predecessor 1 of layer 2 .* -1 \(no such layer\)"),
    "convolution 7": ([(1, 1, 7, 0, 0), END], r"kernel of layer 1 \(conv\) among \(1, 3, 5\)\. Received: 7"),
    "pooling 5": ([(1, 2, 5, 0, 0), END], r"kernel of layer 1 \(max_pool\) among \(1, 3\)\. Received: 5"),
    "average pooling 0": ([(1, 3, 0, 0, 0), END], r"kernel of layer 1 \(avg_pool\) among \(1, 3\)\. Received: 0"),
    "identity 1": ([(1, 4, 1, 0, 0), END], r"kernel of layer 1 \(identity\) among \(0,\)\. Received: 1"),
    "add 3": ([(1, 5, 3, 0, 0), END], r"kernel of layer 1 \(add\) among \(0,\)\. Received: 3"),
    "unused predecessor": ([CONV, (2, 1, 3, 1, 1), (3, 7, 0, 0, 0)], r"predecessor 2 of layer 2 \(conv\) to be unused"),
    "type 0": ([(1, 0, 0, 0, 0), END], r"type of layer 1 among 1 to 11\. Received: 0"),
    "type 12": ([(1, 12, 0, 0, 0), END], r"type of layer 1 among 1 to 11\. Received: 12"),
    "separable 1": ([(1, 8, 1, 0, 0), END], r"kernel of layer 1 \(sep_conv\) among \(3, 5\)\. Received: 1"),
    "dilated 5": ([(1, 9, 5, 0, 0), END], r"kernel of layer 1 \(dil_conv\) among \(3,\)\. Received: 5"),
    "squeeze 3": ([(1, 10, 3, 0, 0), END], r"kernel of layer 1 \(squeeze_excitation\) among \(0,\)\. Received: 3"),
    "attention of two": ([CONV, (2, 11, 0, 1, 1), (3, 7, 0, 0, 0)], r"layer 2 \(self_attention\) to be unused"),
    "numbered from 0": ([(0, 1, 3, 0, 0), END], r"layer 1 to have index 1\. Received: \(0, 1, 3, 0, 0\)"),
    "index left out": ([CONV, (3, 7, 0, 0, 0)], r"layer 2 to have index 2\. Received: \(3, 7, 0, 0, 0\)"),
    "four numbers": ([(1, 1, 3, 0), END], r"layer 1 as five integers .* Received: \(1, 1, 3, 0\)"),
    "six numbers": ([(1, 1, 3, 0, 0, 0), END], r"layer 1 as five integers"),
    "a float": ([(1, 1, 3.0, 0, 0), END], r"layer 1 as five integers .* Received: \(1, 1, 3\.0, 0, 0\)"),
    "a boolean": ([(1, True, 3, 0, 0), END], r"layer 1 as five integers"),
    "a text": ([CONV, (2, "7", 0, 0, 0)], r"layer 2 as five integers"),
    "nothing": ([CONV, (2, None, 0, 0, 0)], r"layer 2 as five integers"),
    "a list inside": ([(1, [1], 3, 0, 0), END], r"layer 1 as five integers"),
    "no list": ([CONV, "27000"], r"layer 2 as five integers .* Received: '27000'"),
    "too many": (
        [*((index, 4, 0, 0, 0) for index in range(1, 130)), (130, 7, 0, 0, 0)],
        r"at most 128 layers\. Received: (more|129)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("codes", "message"), BAD.values(), ids=BAD.keys())
def test_what_breaks_table_1_is_refused_with_the_place(codes: Sequence, message: str) -> None:
    with pytest.raises(GenotypeError, match=f"^Expected .*{message}"):
        BlockGenotype.from_codes(codes)


def test_an_endless_list_is_refused() -> None:
    with pytest.raises(GenotypeError, match=r"at most 128 layers\. Received: more"):
        BlockGenotype.from_codes((index, 4, 0, 0, 0) for index in itertools.count(1))


def test_layers_given_directly_are_checked_too() -> None:
    with pytest.raises(GenotypeError, match=r"at most 128 layers\. Received: 200"):
        BlockGenotype(tuple(terminal(index) for index in range(1, 201)))
