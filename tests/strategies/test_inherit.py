"""What strategies take over from an earlier search, on other data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import NasBench201
from automl_cells.strategies import PPO, PredictorGuided, Proposal, QLearning, Random, Strategy, strategy
from automl_cells.strategies.epsilon import BLOCKQNN, EpsilonSchedule
from automl_cells.strategies.predictor_filter import PredictorFilter
from tests.strategies.contract import ask
from tests.strategies.test_predictor_guided import cell, reward

SPACE = NasBench201()
EARLIER = [(proposal, reward(proposal)) for proposal in ask(Random(SPACE, 300), range(300), seed=11)]


def searched(search: Strategy) -> list[tuple[Proposal, float]]:
    """What a search proposes, and what it is told."""
    told = []
    for trial in range(search.trials):
        told += [(proposal, reward(proposal)) for proposal in ask(search, range(trial, trial + 1))]
        search.tell(*told[-1])
    return told


def right(proposals: list[Proposal]) -> float:
    return float(np.mean([reward(proposal) for proposal in proposals]))


@pytest.mark.parametrize("name", ["q_learning_fast", "ppo", "predictor_guided"])
def test_the_first_proposals_are_better_for_it(name: str) -> None:
    options = {"learning_rate": 0.02, "batch": 10} if name == "ppo" else {}
    earlier = searched(strategy(name, SPACE, 150, **options)) if name == "ppo" else EARLIER
    fresh, heir = (strategy(name, SPACE, 100, **options) for _ in range(2))
    heir.inherit(earlier)
    trials = range(99, 159)  # ε is 0.1; the fresh one has still been told nothing
    if name == "predictor_guided":
        for proposal in ask(heir, range(3)):
            heir.tell(proposal, reward(proposal))
    assert abs(right(ask(fresh, trials)) - 20) < 7  # 20 per cent on average, σ of the mean 2.1
    assert right(ask(heir, trials)) > 30


def test_q_learning_keeps_the_table_and_forgets_the_rewards() -> None:
    plain, heir = QLearning(SPACE, 100), QLearning(SPACE, 100)
    for proposal, value in EARLIER:
        plain.tell(proposal, value)
    heir.inherit(EARLIER)
    assert heir.table == plain.table
    assert heir.memory == []
    assert heir.epsilon == EpsilonSchedule(BLOCKQNN.phases[1:])
    assert heir.epsilon.at(0, 100) == 0.9


def test_a_schedule_of_nothing_but_exploring_stays() -> None:
    always = EpsilonSchedule(((1.0, 5.0),))
    assert always.after_exploring() == always


def test_ppo_keeps_the_controller_and_forgets_the_baseline() -> None:
    plain, heir = (PPO(SPACE, 100, units=4, batch=10) for _ in range(2))
    for proposal, value in EARLIER[:50]:
        plain.tell(proposal, value)
    heir.inherit(EARLIER[:50])
    assert np.array_equal(heir.controller.weights, plain.controller.weights)
    assert (heir.pending, heir.baseline) == ([], None)


@pytest.mark.parametrize("name", ["q_learning", "ppo"])
def test_few_earlier_trials_teach_too(name: str) -> None:
    # Of a long search, whose mini-batches are larger than what there is.
    fresh, heir = (strategy(name, SPACE, 11_392) for _ in range(2))
    heir.inherit(EARLIER[:9])
    before, after = fresh.state(), heir.state()
    assert (
        before["table" if name == "q_learning" else "weights"] != after["table" if name == "q_learning" else "weights"]
    )


def test_predictor_guided_tries_the_best_of_the_earlier_search_first() -> None:
    heir = PredictorGuided(SPACE, 100)
    heir.inherit(EARLIER)
    best = sorted({proposal.genotype.hash: value for proposal, value in EARLIER}.items(), key=lambda one: -one[1])
    for _, value in best[:3]:
        proposal = heir.ask(np.random.default_rng(0), 0)
        assert reward(proposal) == value
        assert proposal.info == {"earlier": True}
        heir.begun(proposal)
        heir.tell(proposal, 5.0)  # on the new data
    assert "predicted" in heir.ask(np.random.default_rng(0), 3).info


def test_each_search_has_ranks_of_its_own() -> None:
    # The same search in other units before this one: nothing changes.
    one, other = PredictorGuided(SPACE, 100), PredictorGuided(SPACE, 100)
    one.inherit(EARLIER[:60])
    other.inherit([(proposal, value / 10 + 3) for proposal, value in EARLIER[:60]])
    for search in (one, other):
        for proposal, value in EARLIER[100:110]:
            search.tell(proposal, value)
    assert ask(one, range(5)) == ask(other, range(5))


def test_a_filter_hands_it_on() -> None:
    heir = PredictorFilter(QLearning(SPACE, 100), 3)
    heir.inherit(EARLIER)
    assert isinstance(heir.inner, QLearning)
    assert heir.inner.table
    assert heir.earlier == EARLIER


@pytest.mark.parametrize("name", ["random", "evolution", "local_search"])
def test_others_cannot_inherit(name: str) -> None:
    heir: Strategy = strategy(name, SPACE, 100)
    with pytest.raises(StrategyError, match=rf"can start from an earlier search .* Received: {name}"):
        heir.inherit([(cell(0, 0, 0, 0, 0, 0), 50.0)])


def test_the_state_after_inheriting_goes_through_json() -> None:
    for make in (lambda: PredictorGuided(SPACE, 100), lambda: PredictorFilter(QLearning(SPACE, 100), 3)):
        heir, restored = make(), make()
        heir.inherit(EARLIER[:30])
        restored.restore(json.loads(json.dumps(heir.state())))
        assert restored.state() == heir.state()
        assert ask(restored, range(10)) == ask(heir, range(10))
