"""Which values are legal, factor by factor, worked out by hand for BlockQNN's first layers."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from automl_cells.errors import GenotypeError
from automl_cells.genotypes.block import Code, terminal
from automl_cells.spaces import BlockQNN, space
from automl_cells.strategies.base import uniform_decisions
from automl_cells.strategies.emission import Emission
from tests.strategies.tree import Tree

# Factors of a layer: type and kernel (0-7 of one predecessor, 8 add, 9 concat, 10 terminal), predecessor 1 and 2.
TWO_LAYERS = (Code(1, 4, 0, 0, 0), Code(2, 4, 0, 1, 0))


def test_shares_by_hand() -> None:
    # Layer 3 reads layer 1 or 2: 8 · 2 codes of one predecessor, 4 adds, 4 concats, 1 terminal = 25.
    choices = Emission(BlockQNN(4)).choices(TWO_LAYERS)
    assert choices.shares(()) == pytest.approx(np.array([2] * 8 + [4, 4, 1]) / 25)
    assert list(choices.shares((3,))) == [0, 0.5, 0.5, 0]
    assert list(choices.shares((3, 2))) == [1, 0, 0, 0]
    assert list(choices.shares((8,))) == [0, 0.5, 0.5, 0]
    assert list(choices.shares((8, 2))) == [0, 0.5, 0.5, 0]
    assert list(choices.shares((10,))) == [1, 0, 0, 0]
    assert choices.action((9, 2, 1)) == (3, 6, 0, 2, 1)


def test_a_trajectory_by_hand() -> None:
    # An add of the input and itself, then the end: 11 legal codes at layer 1, 11 at layer 2.
    emitted = Emission(BlockQNN(4)).emitted((Code(1, 5, 0, 0, 0), terminal(2)))
    assert emitted.values == (8, 0, 0, 10, 0, 0)
    assert emitted.uniform_log_probabilities == pytest.approx((log(1 / 11), 0, 0, log(1 / 11), 0, 0))


@pytest.mark.parametrize("name", ["tree", "blockqnn", "nasbench201"])
def test_uniform_log_probabilities_are_those_of_uniform_decisions(name: str) -> None:
    where = Tree() if name == "tree" else space(name)
    emission = Emission(where)
    for seed in range(20):
        decisions = uniform_decisions(where, np.random.default_rng(seed))
        states = where.replay(decisions)
        emitted = emission.emitted(decisions)
        expected = -sum(log(len(where.actions(state))) for state in states[:-1])
        assert sum(emitted.uniform_log_probabilities) == pytest.approx(expected)
        assert len(emitted.values) == len(decisions) * len(where.factor_sizes)
        for action, state, start in zip(decisions, states, range(0, 999, len(where.factor_sizes)), strict=False):
            factors = emitted.values[start : start + len(where.factor_sizes)]
            assert emission.choices(state).action(factors) == action


@pytest.mark.parametrize("decisions", [(), (0,), (0, 2), (1, 0), (5,)])
def test_what_is_no_trajectory_is_refused(decisions: tuple[int, ...]) -> None:
    with pytest.raises(GenotypeError, match=r"^Expected decision.* Received: "):
        Emission(Tree()).emitted(decisions)
