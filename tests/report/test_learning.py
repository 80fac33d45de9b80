"""What an ε-greedy search has learnt: means by hand."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.report import MeanRewards, mean_rewards
from automl_cells.report.learning import GREEDY

EPSILONS = (1.0, 0.9, 0.5, 0.3, 0.2, 0.1)


def test_means_of_the_first_phase_and_of_the_late_ones_by_hand() -> None:
    candidates = [
        (1.0, 10.0),
        (1.0, 20.0),
        (1.0, 60.0),
        (0.9, 99.0),
        (0.4, 99.0),
        (0.3, 70.0),
        (0.2, 90.0),
        (0.1, 95.0),
    ]
    assert mean_rewards(candidates) == MeanRewards(
        epsilon=1.0,
        first=30.0,  # 90 / 3
        first_count=3,
        threshold=0.3,
        last=85.0,  # 255 / 3
        last_count=3,
    )


def test_the_first_phase_is_that_of_the_largest_epsilon() -> None:
    # A search need not begin with ε = 1, and answers come in any order.
    assert mean_rewards([(0.1, 80.0), (0.6, 40.0), (0.8, 50.0), (0.6, 40.0), (0.8, 60.0)]) == (
        0.8,
        55.0,
        2,
        0.3,
        80.0,
        1,
    )


def test_the_threshold_belongs_to_the_late_phases() -> None:
    candidates = [(1.0, 50.0), (0.5, 60.0), (0.3, 70.0), (0.1, 80.0)]
    assert GREEDY == 0.3
    assert mean_rewards(candidates) == (1.0, 50.0, 1, 0.3, 75.0, 2)
    assert mean_rewards(candidates, threshold=0.5) == (1.0, 50.0, 1, 0.5, 70.0, 3)
    assert mean_rewards(candidates, threshold=0.29) == (1.0, 50.0, 1, 0.29, 80.0, 1)
    assert mean_rewards(candidates, threshold=0.1) == (1.0, 50.0, 1, 0.1, 80.0, 1)


def test_candidates_without_epsilon_or_reward_do_not_count() -> None:
    # Proposals drawn at random have no ε; those under way have no reward.
    known = [(1.0, 50.0), (0.1, 80.0)]
    assert mean_rewards([(None, 99.0), (1.0, None), *known, (0.1, None), (None, None)]) == mean_rewards(known)
    assert mean_rewards([(1.0, None), (0.9, 40.0), (0.1, 80.0)]) == (0.9, 40.0, 1, 0.3, 80.0, 1)


def test_a_reward_and_an_epsilon_of_zero_count() -> None:
    assert mean_rewards([(1.0, 0.0), (1.0, 10.0), (0.0, 0.0)]) == (1.0, 5.0, 2, 0.3, 0.0, 1)


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [(None, 50.0), (None, 60.0)],  # a strategy that has no ε
        [(1.0, None), (0.1, None)],
        [(1.0, 50.0), (0.9, 60.0)],  # stopped too early
        [(1.0, 50.0), (0.1, None)],
        [(0.3, 50.0), (0.1, 60.0)],  # greedy from the beginning
        [(0.0, 50.0)],
    ],
)
def test_without_an_early_and_a_late_phase_there_is_nothing_to_compare(
    candidates: list[tuple[float | None, float | None]],
) -> None:
    assert mean_rewards(candidates) is None


@given(
    st.lists(st.tuples(st.none() | st.sampled_from(EPSILONS), st.none() | st.integers(0, 100).map(float))),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_candidates_means_nothing(
    candidates: list[tuple[float | None, float | None]], rng: Random
) -> None:
    found = mean_rewards(candidates)
    shuffled = list(candidates)
    rng.shuffle(shuffled)
    again = mean_rewards(shuffled)
    assert (found is None) == (again is None)
    if found is not None:
        assert again == pytest.approx(found)
        assert found.epsilon > found.threshold
        assert found.first_count >= 1 <= found.last_count
        assert found.first_count + found.last_count <= len(candidates)
        assert 0 <= found.first <= 100 >= found.last >= 0
