"""The small space of blocks: what it adds to BlockQNN's, which has not changed. The contract is in test_spaces."""

from __future__ import annotations

from typing import Any

import pytest

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import BlockGenotype, load
from automl_cells.genotypes.block import OPERATIONS, Code, terminal
from automl_cells.search.defaults import defaults
from automl_cells.spaces import BlockQNN, BlockQNNFast
from tests.spaces.contract import walks

ALL = {"dilated": True, "squeeze_excitation": True, "self_attention": True}
TABLE_1 = [(1, 1), (1, 3), (1, 5), (2, 1), (2, 3), (3, 1), (3, 3), (4, 0), (5, 0), (6, 0)]


def identities(count: int) -> tuple[Code, ...]:
    """A state of `count` layers."""
    return tuple(Code(index, 4, 0, index - 1, 0) for index in range(1, count + 1))


@pytest.mark.parametrize(
    ("options", "ours"),
    [
        ({}, [(8, 3), (8, 5)]),
        ({"dilated": True}, [(8, 3), (8, 5), (9, 3)]),
        ({"squeeze_excitation": True}, [(8, 3), (8, 5), (10, 0)]),
        ({"self_attention": True}, [(8, 3), (8, 5), (11, 0)]),
        (ALL, [(8, 3), (8, 5), (9, 3), (10, 0), (11, 0)]),
    ],
)
def test_actions_of_the_first_two_layers_by_hand(options: dict[str, Any], ours: list[tuple[int, int]]) -> None:
    space = BlockQNNFast(**options)
    assert list(space.actions(())) == [*((1, *choice, 0, 0) for choice in TABLE_1 + ours), (1, 7, 0, 0, 0)]
    second = [(2, kind, kernel, 1, int(kind in (5, 6))) for kind, kernel in TABLE_1 + ours]
    assert list(space.actions(identities(1))) == [*second, (2, 7, 0, 0, 0)]


# With K possible predecessors: 8 choices of table 1 of one predecessor, 2 separable, those of the options, K² adds and
# K² concats, and the terminal: (10 + options) K + 2 K² + 1.
@pytest.mark.parametrize(
    ("index", "options", "expected"),
    [
        (3, {}, 20 + 8 + 1),
        (11, {}, 100 + 200 + 1),
        (12, {}, 1),
        (3, {"input_anywhere": True}, 30 + 18 + 1),
        (3, ALL, 26 + 8 + 1),
        (4, {**ALL, "input_anywhere": True}, 52 + 32 + 1),
        (12, {"max_index": 23}, 110 + 242 + 1),
    ],
)
def test_number_of_actions_by_hand(index: int, options: dict[str, Any], expected: int) -> None:
    legal = BlockQNNFast(**options).actions(identities(index - 1))
    assert len(legal) == expected
    assert legal[-1] == terminal(index)


def test_factors_by_hand() -> None:
    space = BlockQNNFast(max_index=6, self_attention=True)
    assert space.factor_sizes == (10 + 2 + 1 + 1, 6, 6)
    assert space.factors(Code(1, 1, 1, 0, 0)) == (0, 0, 0)
    assert space.factors(Code(5, 6, 0, 4, 2)) == (9, 4, 2)
    assert space.factors(Code(3, 8, 5, 2, 0)) == (11, 2, 0)
    assert space.factors(Code(3, 11, 0, 1, 0)) == (12, 1, 0)
    assert space.factors(terminal(3)) == space.factors(terminal(6)) == (13, 0, 0)


def test_blockqnn_has_table_1_alone_whatever_was_made_before() -> None:
    fast, paper = BlockQNNFast(23, **ALL), BlockQNN()
    for count in range(3):
        assert {code.type for code in fast.actions(identities(count))} == set(OPERATIONS)
        legal = paper.actions(identities(count))
        assert {code.type for code in legal} == set(range(1, 8))
        assert legal == tuple(code for code in fast.actions(identities(count)) if code.type < 8)
    assert paper.factor_sizes == (11, 23, 23)


def test_every_block_of_table_1_that_is_short_enough_is_in_the_space() -> None:
    for states, decisions in walks(BlockQNN(12)):
        block = BlockQNN(12).genotype(states[-1])
        assert BlockQNNFast().decisions(block) == tuple(decisions)
    assert BlockQNNFast(input_anywhere=True).decisions(load("block_qnn_b"))  # of nine layers
    with pytest.raises(GenotypeError, match=r"at most 11 layers \(max_index=12\)\. Received: 12"):
        BlockQNNFast(input_anywhere=True).decisions(load("block_qnn_a"))


@pytest.mark.parametrize("option", ALL)
def test_what_is_switched_off_is_refused(option: str) -> None:
    code = {"dilated": (1, 9, 3, 0, 0), "squeeze_excitation": (1, 10, 0, 0, 0), "self_attention": (1, 11, 0, 0, 0)}[
        option
    ]
    block = BlockGenotype.from_codes([code, (2, 7, 0, 0, 0)])
    assert BlockQNNFast(**{option: True}).decisions(block) == (code, terminal(2))
    with pytest.raises(
        GenotypeError, match=r"layer 1 of an operation that the space blockqnn_fast has, with its options"
    ):
        BlockQNNFast(**{**ALL, option: False}).decisions(block)


def test_candidates_are_trained_and_rewarded_as_those_of_blockqnn_are() -> None:
    fast, paper = defaults("blockqnn_fast"), defaults("blockqnn")
    assert fast.reward == paper.reward == "blockqnn_early_stop"
    assert (fast.protocol, fast.repeats, fast.filter_multiplier) == (
        paper.protocol,
        paper.repeats,
        paper.filter_multiplier,
    )
