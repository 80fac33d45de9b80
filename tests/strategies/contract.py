"""What every search strategy promises, as one suite.

A test module subclasses `StrategyContract` and gives it a fixture `make`, which makes one and the same fresh strategy
at every call; the search loop may then rely on all of it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.search.trials import decisions_from_json
from automl_cells.strategies import Proposal, Strategy

TRIALS = 40
Make = Callable[[], Strategy]


def ask(strategy: Strategy, trials: range = range(TRIALS), seed: int = 0) -> list[Proposal]:
    """One proposal a trial, each with a generator of its own, as the search loop asks."""
    return [strategy.ask(np.random.default_rng([seed, trial]), trial) for trial in trials]


def reward(proposal: Proposal) -> float:
    """Some reward in per cent that depends on the genotype."""
    return 10.0 + int(proposal.genotype.hash[-4:], 16) % 90


def again(value: Any) -> Any:
    """`value` as JSON gives it back."""
    return json.loads(json.dumps(value, allow_nan=False))


def taught(strategy: Strategy, proposals: list[Proposal]) -> Strategy:
    """`strategy`, told the rewards of all proposals in their order."""
    for proposal in proposals:
        strategy.tell(proposal, reward(proposal))
    return strategy


def run(strategy: Strategy, trials: range = range(TRIALS)) -> list[Proposal]:
    """Ask and tell in turn."""
    found = []
    for trial in trials:
        found += ask(strategy, range(trial, trial + 1))
        taught(strategy, found[-1:])
    return found


class StrategyContract:
    """Tests of one strategy on one space, given by the fixture `make`."""

    def test_proposals_are_legal(self, make: Make) -> None:
        strategy = make()
        for proposal in run(strategy):
            states = strategy.space.replay(proposal.decisions)
            assert strategy.space.genotype(states[-1]) == proposal.genotype
            assert strategy.space.decisions(proposal.genotype) == proposal.decisions
            assert json.loads(json.dumps(dict(proposal.info))) == proposal.info

    def test_the_same_seeds_give_the_same_search(self, make: Make) -> None:
        assert run(make()) == run(make())

    def test_other_generators_give_other_proposals(self, make: Make) -> None:
        assert ask(make(), seed=0) != ask(make(), seed=1)

    def test_ask_changes_nothing(self, make: Make) -> None:
        strategy, silent = make(), make()
        first = run(strategy, range(10))
        taught(silent, first)  # has never been asked
        for _ in range(2):
            before = copy.deepcopy(strategy.state())
            assert ask(strategy, range(10, 30)) == ask(strategy, range(10, 30))
            assert strategy.state() == before == silent.state()
            more = ask(strategy, range(30, 40))
            taught(strategy, more)
            taught(silent, more)
        assert ask(strategy) == ask(silent)

    def test_answers_may_be_late_out_of_order_repeated_missing_or_foreign(self, make: Make) -> None:
        strategy = make()
        proposals = ask(strategy)
        others = ask(make(), seed=5)
        order = np.random.default_rng(3).permutation(TRIALS)
        for number in order[: TRIALS // 2]:
            strategy.tell(proposals[number], reward(proposals[number]))
            strategy.tell(proposals[number], reward(proposals[number]))
            strategy.tell(others[number], 0.0)
            strategy.space.replay(strategy.ask(np.random.default_rng(int(number)), TRIALS).decisions)

    def test_what_comes_back_from_a_journal_teaches_the_same(self, make: Make) -> None:
        # Decisions and notes have been through JSON.
        strategy, other = make(), make()
        proposals = ask(strategy)
        taught(strategy, proposals)
        taught(
            other,
            [
                Proposal(proposal.genotype, decisions_from_json(again(proposal.decisions)), again(dict(proposal.info)))
                for proposal in proposals
            ],
        )
        assert strategy.state() == other.state()

    def test_a_trial_after_the_last_is_tolerated(self, make: Make) -> None:
        strategy = make()
        for trial in (TRIALS, 100 * TRIALS):
            strategy.space.replay(strategy.ask(np.random.default_rng(0), trial).decisions)

    def test_state_goes_through_json(self, make: Make) -> None:
        strategy, restored = make(), make()
        run(strategy, range(25))
        restored.restore(json.loads(json.dumps(strategy.state(), allow_nan=False)))
        assert restored.state() == strategy.state()
        assert ask(restored) == ask(strategy)
        assert run(restored, range(25, TRIALS)) == run(strategy, range(25, TRIALS))
        assert restored.state() == strategy.state()

    def test_restore_forgets_what_was_learnt_before(self, make: Make) -> None:
        strategy = make()
        fresh = copy.deepcopy(strategy.state())
        run(strategy)
        strategy.restore(fresh)
        assert strategy.state() == make().state()
        assert ask(strategy) == ask(make())

    def test_telling_it_all_again_rebuilds_it(self, make: Make) -> None:
        strategy = make()
        proposals = run(strategy)
        rebuilt = taught(make(), proposals)
        assert rebuilt.state() == strategy.state()
        assert ask(rebuilt) == ask(strategy)

    @pytest.mark.parametrize(
        "bad",
        [None, 3, [], "table", {"weights": [1]}, {"table": 1, "memory": 2}, {"table": [[1]], "memory": []}],
        ids=repr,
    )
    def test_a_bad_state_is_refused_and_changes_nothing(self, make: Make, bad: object) -> None:
        strategy = make()
        run(strategy, range(10))
        before = copy.deepcopy(strategy.state())
        with pytest.raises(StrategyError, match=r"a state of .* Received: "):
            strategy.restore(bad)
        assert strategy.state() == before
