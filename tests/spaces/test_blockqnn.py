"""BlockQNN's space against table 1 and the paper's blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import BlockGenotype, load
from automl_cells.genotypes.block import CONCAT, Code, terminal
from automl_cells.spaces import BlockQNN
from tests.spaces.contract import walks

# Zhong et al., figure 2: every block opens with an identity of the input.
PAPER = {
    "inception": [
        (1, 4, 0, 0, 0), (2, 1, 1, 1, 0), (3, 1, 3, 2, 0), (4, 1, 1, 1, 0), (5, 1, 5, 4, 0),
        (6, 6, 0, 3, 5), (7, 2, 3, 1, 0), (8, 1, 1, 7, 0), (9, 6, 0, 6, 8), (10, 7, 0, 0, 0),
    ],
    "residual": [(1, 4, 0, 0, 0), (2, 1, 3, 1, 0), (3, 1, 3, 2, 0), (4, 5, 0, 1, 3), (5, 7, 0, 0, 0)],
}  # fmt: skip


def identities(count: int) -> tuple[Code, ...]:
    """A state of `count` layers."""
    return tuple(Code(index, 4, 0, index - 1, 0) for index in range(1, count + 1))


# With K possible predecessors: 3 convolutions, 2 + 2 poolings and an identity of each, K² adds and K² concats, and the
# terminal, 8 K + 2 K² + 1. By default K is 1 for layer 1 (the input) and index - 1 after that; with the input, index.
@pytest.mark.parametrize(
    ("index", "anywhere", "expected"),
    [
        (1, False, 8 + 2 + 1),
        (2, False, 8 + 2 + 1),
        (3, False, 16 + 8 + 1),
        (4, False, 24 + 18 + 1),
        (22, False, 168 + 882 + 1),
        (23, False, 1),
        (1, True, 8 + 2 + 1),
        (2, True, 16 + 8 + 1),
        (3, True, 24 + 18 + 1),
        (22, True, 176 + 968 + 1),
        (23, True, 1),
    ],
)
def test_number_of_actions_by_hand(index: int, anywhere: bool, expected: int) -> None:
    space = BlockQNN(input_anywhere=anywhere)
    legal = space.actions(identities(index - 1))
    assert len(legal) == expected
    assert all(code.index == index for code in legal)
    assert legal[-1] == terminal(index)


def test_actions_of_the_first_two_layers_by_hand() -> None:
    space = BlockQNN()
    choices = [(1, 1), (1, 3), (1, 5), (2, 1), (2, 3), (3, 1), (3, 3), (4, 0)]
    first = [*((1, *choice, 0, 0) for choice in choices), (1, 5, 0, 0, 0), (1, 6, 0, 0, 0), (1, 7, 0, 0, 0)]
    second = [*((2, *choice, 1, 0) for choice in choices), (2, 5, 0, 1, 1), (2, 6, 0, 1, 1), (2, 7, 0, 0, 0)]
    assert list(space.actions(())) == first
    assert list(space.actions(identities(1))) == second


@pytest.mark.parametrize("anywhere", [False, True])
@pytest.mark.parametrize("max_index", [2, 6, 23])
def test_the_terminal_is_legal_everywhere_and_alone_at_the_maximum(max_index: int, anywhere: bool) -> None:
    space = BlockQNN(max_index, anywhere)
    for index in range(1, max_index):
        assert terminal(index) in space.actions(identities(index - 1))
        assert len(space.actions(identities(index - 1))) > 1
    assert space.actions(identities(max_index - 1)) == (terminal(max_index),)


def test_every_action_makes_a_valid_block() -> None:
    for anywhere in (False, True):
        space = BlockQNN(5, anywhere)
        for count in range(4):
            for code in space.actions(identities(count)):
                state = space.step(identities(count), code)
                state = state if space.is_terminal(state) else space.step(state, terminal(count + 2))
                assert space.genotype(state).codes == state


def test_walks_are_no_longer_than_the_maximum_index() -> None:
    assert max(len(decisions) for _, decisions in walks(BlockQNN(3))) == 3


def test_key_is_the_code_of_the_current_layer() -> None:
    space = BlockQNN()
    assert space.key(()) is None
    assert space.key(identities(3)) == (3, 4, 0, 2, 0)


def test_factors_by_hand() -> None:
    # (type and kernel, predecessor 1, predecessor 2): rows of table 1 numbered 0 to 10, the terminal last.
    space = BlockQNN(max_index=6)
    assert space.factor_sizes == (11, 6, 6)
    assert space.factors(Code(1, 1, 1, 0, 0)) == (0, 0, 0)
    assert space.factors(Code(5, 1, 5, 4, 0)) == (2, 4, 0)
    assert space.factors(Code(5, CONCAT, 0, 4, 2)) == (9, 4, 2)
    assert space.factors(terminal(3)) == space.factors(terminal(6)) == (10, 0, 0)


@pytest.mark.parametrize("codes", PAPER.values(), ids=PAPER.keys())
def test_the_papers_examples_are_in_the_default_space(codes: Sequence) -> None:
    block = BlockGenotype.from_codes(codes)
    for space in (BlockQNN(), BlockQNN(10), BlockQNN(input_anywhere=True)):
        assert space.decisions(block) == tuple(codes)
        assert space.genotype(space.replay(codes)[-1]) == block


@pytest.mark.parametrize("name", ["block_qnn_a", "block_qnn_b", "block_qnn_s"])
def test_figure_8_takes_the_input_anywhere(name: str) -> None:
    block = load(name)
    space = BlockQNN(input_anywhere=True)
    assert space.genotype(space.replay(space.decisions(block))[-1]) == block
    with pytest.raises(GenotypeError, match=r"layer \d+ to read a layer from 1 to \d+, .*input_anywhere=True"):
        BlockQNN().decisions(block)


def test_the_second_layer_is_the_first_that_may_not_read_the_input() -> None:
    block = BlockGenotype.from_codes([(1, 4, 0, 0, 0), (2, 1, 3, 0, 0), (3, 7, 0, 0, 0)])
    with pytest.raises(GenotypeError, match=r"layer 2 to read a layer from 1 to 1, .* Received: \(2, 1, 3, 0, 0\)"):
        BlockQNN().decisions(block)


def test_replay_does_not_let_a_later_layer_read_the_input() -> None:
    with pytest.raises(GenotypeError, match=r"decision 1 to be legal in blockqnn\. Received: \(2, 1, 3, 0, 0\)"):
        BlockQNN().replay([(1, 4, 0, 0, 0), (2, 1, 3, 0, 0), (3, 7, 0, 0, 0)])


def test_a_block_of_too_many_layers_is_refused() -> None:
    block = BlockGenotype(identities(5))
    assert len(BlockQNN(6).decisions(block)) == 6
    with pytest.raises(GenotypeError, match=r"at most 4 layers \(max_index=5\)\. Received: 5"):
        BlockQNN(5).decisions(block)


@pytest.mark.parametrize(
    ("kind", "kernel", "label"),
    [(8, 3, "sep_conv 3"), (9, 3, "dil_conv 3"), (10, 0, "squeeze_excitation"), (11, 0, "self_attention")],
)
def test_operations_that_are_not_in_table_1_are_refused(kind: int, kernel: int, label: str) -> None:
    block = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, kind, kernel, 1, 0), (3, 7, 0, 0, 0)])
    message = rf"layer 2 of an operation that the space blockqnn has, with its options\. Received: {label}$"
    with pytest.raises(GenotypeError, match=message):
        BlockQNN().decisions(block)


def test_mutation_keeps_what_is_still_legal() -> None:
    # One decision differs, unless the block ends there, or goes on after its old end and then ends as soon as it can.
    space = BlockQNN(8)
    old = (*identities(4), terminal(5))
    rng = np.random.default_rng(0)
    lengths = set()
    for _ in range(200):
        new = space.decisions(space.mutate(BlockGenotype.from_codes(old), rng))
        where = next(i for i, (a, b) in enumerate(zip(new, old, strict=False)) if a != b)
        lengths.add(len(new))
        if len(new) == len(old):
            assert new[where + 1 :] == old[where + 1 :]
        elif len(new) < len(old):
            assert where == len(new) - 1
        else:
            assert where == 4
            assert new[5:] == (terminal(6),)
    assert lengths == {1, 2, 3, 4, 5, 6}
