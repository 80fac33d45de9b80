"""Predictor-guided search: when it begins, what it passes over, and that it finds what random search does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import NasBench201
from automl_cells.strategies import PredictorGuided, Proposal

SPACE = NasBench201()
BEST = (3, 3, 3, 1, 3, 3)


def cell(*decisions: int) -> Proposal:
    return Proposal(SPACE.genotype(decisions), decisions)


def reward(proposal: Proposal) -> float:
    """In per cent, how many of the six operations are those of `BEST`."""
    return 100.0 * sum(one == other for one, other in zip(proposal.decisions, BEST, strict=True)) / len(BEST)


def learner(**options: Any) -> PredictorGuided:
    return PredictorGuided(SPACE, 100, **options)


def ask(search: PredictorGuided, trial: int) -> Proposal:
    return search.ask(np.random.default_rng([3, trial]), trial)


def searched(trials: int, **options: Any) -> PredictorGuided:
    search = learner(**options)
    for trial in range(trials):
        proposal = ask(search, trial)
        search.begun(proposal)
        search.tell(proposal, reward(proposal))
    return search


def test_it_finds_the_best_of_15625_in_60_trials() -> None:
    # A random one is it with probability 1/15,625; of 60 random ones the best has 4 of 6 right on average.
    search = searched(60)
    assert max(reward for _, reward in search.tried.values()) == 100.0


def test_it_is_random_until_enough_rewards_are_known() -> None:
    search = learner(initial=5)
    for trial in range(20):  # nothing has an answer yet, as with many workers
        proposal = ask(search, trial)
        assert proposal.info == {}
        search.begun(proposal)
    for trial in range(5):
        search.tell(cell(trial, 1, 1, 1, 1, 1), 50.0 + trial)
    assert set(ask(search, 21).info) == {"predicted"}
    assert 50.0 <= ask(search, 21).info["predicted"] <= 54.0


def test_nothing_is_asked_for_twice_also_while_it_is_under_way() -> None:
    search = searched(15)
    asked = set()
    for trial in range(15, 75):  # 60 workers at once
        proposal = ask(search, trial)
        assert proposal.genotype.hash not in asked
        assert proposal.genotype.hash not in search.tried
        asked.add(proposal.genotype.hash)
        search.begun(proposal)
    assert set(search.pending) == asked


def test_workers_are_not_sent_to_one_place() -> None:
    # The same generator: without what is under way the same proposal would come again and again.
    search = searched(25)
    first = ask(search, 25)
    assert ask(search, 25) == first
    search.begun(first)
    second = ask(search, 25)
    assert second.genotype != first.genotype


def test_what_the_limits_forbid_is_passed_over() -> None:
    search = searched(20)
    search.acceptable = lambda genotype: "nor_conv_3x3" not in genotype.operations
    proposals = [ask(search, trial) for trial in range(20, 40)]
    assert all("nor_conv_3x3" not in proposal.genotype.operations for proposal in proposals)
    search.acceptable = lambda genotype: False
    assert SPACE.replay(ask(search, 40).decisions)  # the loop will reject it, count it, and say so


def test_a_space_that_is_exhausted_still_gives_a_proposal() -> None:
    search = searched(12)
    search.pending = {}
    search.tried = {
        proposal.genotype.hash: (proposal, 50.0)
        for proposal in (cell(*np.unravel_index(n, (5,) * 6)) for n in range(15_625))
    }
    assert ask(search, 0).genotype.hash in search.tried


def test_a_reward_that_is_told_twice_counts_once() -> None:
    search = learner()
    for _ in range(20):
        search.tell(cell(1, 1, 1, 1, 1, 1), 50.0)
    assert len(search.tried) == 1
    assert ask(search, 20).info == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": 2}, r"initial from 3 to 100000\. Received: 2"),
        ({"pool": 0}, r"pool from 1 to .* Received: 0"),
        ({"parents": True}, r"parents from 1 .* Received: True"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        learner(**options)
