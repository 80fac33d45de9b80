"""PPO: what it learns from, how much, and that late answers are weighed by the policy that asked."""

from __future__ import annotations

import json
from math import exp, log
from typing import Any

import numpy as np
import pytest

from automl_cells.errors import GenotypeError, StrategyError
from automl_cells.spaces import BlockQNN, NasBench201
from automl_cells.strategies import PPO, Proposal
from automl_cells.strategies.adam import Adam
from tests.strategies.tree import Path, Tree

PATHS = [(1,), (2,), (0, 0), (0, 1, 0), (0, 1, 1)]


def learner(**options: Any) -> PPO:
    return PPO(Tree(), 100, **{"units": 8, "batch": 1, "entropy": 0.0} | options)


def path(decisions: tuple[int, ...], log_probabilities: list[float] | None = None) -> Proposal:
    info = {} if log_probabilities is None else {"log_probabilities": log_probabilities}
    return Proposal(Path(decisions), decisions, info)


def log_probabilities(search: PPO, decisions: tuple[int, ...]) -> list[float]:
    """Of each decision on the tree, under the present policy."""
    memory, last, found = search.controller.begin(), None, []
    for step, action in enumerate(decisions):
        mask = np.array([True, True, step == 0])
        memory, logs = search.controller.advance(memory, step, last, mask)
        found.append(float(logs[action]))
        last = action
    return found


def probability(search: PPO, decisions: tuple[int, ...]) -> float:
    return exp(sum(log_probabilities(search, decisions)))


def weights(search: PPO) -> list[float]:
    return search.controller.weights.tolist()


@pytest.mark.parametrize(
    ("trials", "batch"),
    # trials / 25, from 1 to the paper's 20
    [(1, 1), (24, 1), (50, 2), (100, 4), (250, 10), (500, 20), (20_000, 20)],
)
def test_batches_scale_with_the_trials(trials: int, batch: int) -> None:
    assert PPO(Tree(), trials).batch == batch


def test_the_papers_values() -> None:
    search = PPO(NasBench201(), 20_000)
    assert (search.batch, search.controller.units, search.entropy, search.baseline_momentum) == (20, 100, 1e-5, 0.95)
    assert search._adam.learning_rate == 0.00035
    assert (search.clip, search.epochs) == (0.2, 10)


def test_notes_are_the_log_probabilities_under_which_it_was_drawn() -> None:
    search = learner()
    for seed in range(30):
        proposal = search.ask(np.random.default_rng(seed), 0)
        assert json.loads(json.dumps(proposal.info)) == proposal.info
        assert proposal.info["log_probabilities"] == pytest.approx(log_probabilities(search, proposal.decisions))
        assert proposal.info["log_probability"] == pytest.approx(sum(proposal.info["log_probabilities"]))


def test_draws_follow_the_probabilities() -> None:
    search = learner()
    search.controller.reach(3)
    search.controller.weights *= 8  # far from uniform
    expected = np.array([probability(search, decisions) for decisions in PATHS])
    assert expected.sum() == pytest.approx(1, abs=1e-6)
    assert expected.max() > 2 * expected.min()
    draws = [search.ask(np.random.default_rng(seed), 0).decisions for seed in range(3000)]
    counts = np.array([draws.count(decisions) for decisions in PATHS])
    assert np.all(np.abs(counts - 3000 * expected) < 4 * np.sqrt(3000 * expected * (1 - expected)))


def test_a_forced_factor_has_log_probability_zero() -> None:
    # The one layer reads the input alone, the layer after it can only be the terminal.
    search = PPO(BlockQNN(2), 100, units=4)
    for seed in range(20):
        kind, *rest = search.ask(np.random.default_rng(seed), 0).info["log_probabilities"]
        assert kind < -1
        assert set(rest) == {0.0}


def test_it_learns_from_full_batches_alone() -> None:
    search = learner(batch=3)
    before = weights(search)
    for number, decisions in enumerate([(1,), (2,), (1,), (0, 0)]):
        search.tell(path(decisions, log_probabilities(search, decisions)), 30.0 * number)
        assert (weights(search)[: len(before)] != before) == (number >= 2)
        assert len(search.pending) == [1, 2, 0, 1][number]


def test_the_baseline_by_hand() -> None:
    # It begins at the mean of the first batch, (0.2 + 0.6) / 2 = 0.4; then 0.9 · 0.4 + 0.1 · 0.2 = 0.38 and
    # 0.9 · 0.38 + 0.1 · 0.6 = 0.402. After another batch of 1 and 0: 0.4618, 0.41562.
    search = learner(batch=2, baseline_momentum=0.9)
    found = []
    for reward in (20.0, 60.0, 100.0, 0.0):
        search.tell(path((1,), log_probabilities(search, (1,))), reward)
        found.append(search.baseline)
    assert found == [None, pytest.approx(0.402), pytest.approx(0.402), pytest.approx(0.41562)]


def test_one_step_by_hand() -> None:
    # Of two trajectories with advantages +0.3 and -0.2 (baseline 0.5, momentum 1) the objective's gradient is
    # (0.3 ∇ log p(1) - 0.2 ∇ log p(2)) / 2 at ratio 1; and one epoch of Adam goes up that.
    search = learner(batch=2, baseline_momentum=1, epochs=1)
    search.baseline = 0.5
    search.controller.reach(1)
    start = search.controller.weights.copy()
    gradient = np.zeros_like(start)
    for decisions, advantage in (((1,), 0.3), ((2,), -0.2)):
        batch = _alone(search, decisions)
        done = search.controller.forward(batch)
        gradient += search.controller.gradient(batch, done, np.array([[advantage / 2]]), np.zeros((1, 1)))
    expected = start.copy()
    Adam(3.5e-4, len(start)).ascend(expected, gradient)
    search.tell(path((1,), log_probabilities(search, (1,))), 80.0)
    search.tell(path((2,), log_probabilities(search, (2,))), 30.0)
    assert search.controller.weights == pytest.approx(expected, abs=2e-7)
    assert np.abs(search.controller.weights - start).max() == pytest.approx(3.5e-4, rel=0.01)


def _alone(search: PPO, decisions: tuple[int, ...]) -> Any:
    from automl_cells.strategies.controller import batched

    return batched([search._emission.emitted(decisions)])


@pytest.mark.parametrize(
    ("ratio", "reward", "moves"),
    # A ratio above 1.2 is not raised and one below 0.8 not lowered any further.
    [
        (1.3, 90.0, False),
        (1.1, 90.0, True),
        (0.7, 10.0, False),
        (0.9, 10.0, True),
        (1.3, 10.0, True),
        (0.7, 90.0, True),
    ],
)
def test_ratios_are_to_the_probabilities_in_the_notes(ratio: float, reward: float, moves: bool) -> None:
    # The ratio to the present probabilities would be 1, and all would move.
    search = learner(epochs=1)
    search.baseline = 0.5
    search.controller.reach(1)
    before = weights(search)
    search.tell(path((1,), [log_probabilities(search, (1,))[0] - log(ratio)]), reward)
    assert (weights(search) != before) == moves


def test_a_late_answer_is_weighed_by_the_policy_that_asked() -> None:
    # (1,) was drawn before the policy came to prefer it; a reward above the baseline has nothing to add.
    search = learner(learning_rate=0.01)
    late = search.ask(_generator_of(search, (1,)), 0)
    assert late.decisions == (1,)
    search.baseline = 0.5
    for _ in range(10):
        search.tell(path((1,), log_probabilities(search, (1,))), 90.0)
    assert probability(search, (1,)) > 1.2 * exp(late.info["log_probability"])
    search._adam.load(*(np.zeros_like(search._adam.first) for _ in range(2)), 0)  # no more momentum
    before = weights(search)
    search.tell(late, 95.0)
    assert weights(search) == before
    search.tell(path((1,), log_probabilities(search, (1,))), 99.0)
    assert weights(search) != before


def _generator_of(search: PPO, decisions: tuple[int, ...]) -> np.random.Generator:
    """A generator with which `decisions` are drawn."""
    seed = next(s for s in range(1000) if search.ask(np.random.default_rng(s), 0).decisions == decisions)
    return np.random.default_rng(seed)


@pytest.mark.parametrize("info", [{}, {"epsilon": 0.5}, {"log_probabilities": [-1.0]}, {"log_probabilities": None}])
def test_a_proposal_without_notes_was_drawn_uniformly(info: dict[str, Any]) -> None:
    # Three first decisions, then two.
    search = learner(batch=5)
    search.tell(Proposal(Path((0, 1, 1)), (0, 1, 1), info), 50.0)
    assert search.pending[0].log_probabilities == pytest.approx((-log(3), -log(2), -log(2)))


def test_entropy_alone_makes_it_uniform() -> None:
    # All rewards are alike, so there is nothing but the entropy to gain: that of uniform decisions.
    search = learner(batch=5, entropy=1.0, learning_rate=0.02)
    search.controller.reach(3)
    search.controller.weights *= 10
    before = [probability(search, decisions) for decisions in PATHS]
    for decisions in PATHS * 8:
        search.tell(path(decisions, log_probabilities(search, decisions)), 50.0)
    after = [probability(search, decisions) for decisions in PATHS]
    assert np.abs(np.array(before) - [1 / 3, 1 / 3, 1 / 6, 1 / 12, 1 / 12]).max() > 0.1
    assert after == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 12, 1 / 12], abs=0.02)


def test_the_probability_of_the_best_rises() -> None:
    search = learner(batch=10, entropy=1e-5, learning_rate=0.01)
    start = probability(search, (0, 1, 0))
    for trial in range(400):
        proposal = search.ask(np.random.default_rng([0, trial]), trial)
        search.tell(proposal, 90.0 if proposal.decisions == (0, 1, 0) else 60.0)
    assert start < 0.15
    assert probability(search, (0, 1, 0)) > 0.9


def test_it_learns_with_the_papers_learning_rate() -> None:
    # The reward is the share of six edges that are 3 × 3 convolutions, 20 % at random.
    search = PPO(NasBench201(), 500)
    rewards = []
    for trial in range(500):
        proposal = search.ask(np.random.default_rng([0, trial]), trial)
        rewards.append(100 * proposal.decisions.count(3) / 6)
        search.tell(proposal, rewards[-1])
    assert np.mean(rewards[:100]) < 30
    assert np.mean(rewards[-100:]) > 60


def test_decisions_of_another_space_are_refused() -> None:
    with pytest.raises(GenotypeError, match="decision 0 to be legal in tree"):
        learner().tell(path((7,)), 50.0)


def test_telling_notes_that_went_through_json_is_telling_the_notes() -> None:
    search, other = (PPO(BlockQNN(4), 100, units=6, batch=2) for _ in range(2))
    for seed in range(4):
        proposal = search.ask(np.random.default_rng(seed), seed)
        search.tell(proposal, 10.0 * seed)
        info = json.loads(json.dumps(dict(proposal.info)))
        other.tell(Proposal(proposal.genotype, proposal.decisions, info), 10.0 * seed)
    assert search.state() == other.state()


@pytest.mark.parametrize(
    "change",
    [
        {"positions": 1},
        {"positions": -1},
        {"positions": 10**15},
        {"positions": None},
        {"weights": None},
        {"weights": {"dtype": "<f4", "size": 3, "data": ""}},
        {"first_moment": {}},
        {"steps": -1},
        {"steps": 1.5},
        {"baseline": "high"},
        {"baseline": float("nan")},
        {"pending": None},
        {"pending": [[[1], 0.5]]},
        {"pending": [[[3], 0.5, [-1.0]]]},
        {"pending": [[[1], None, [-1.0]]]},
        {"pending": [[[1], 0.5, [0.1]]]},
        {"pending": [[[1], 0.5, [-1.0, -1.0]]]},
        {"pending": [[[1], 0.5, "a"]]},
        {"pending": [[[1], 0.5, [-1.0]]] * 2},
    ],
    ids=str,
)
def test_a_damaged_state_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    search = learner(batch=2)
    for decisions in ((1,), (0, 1, 1), (2,)):
        search.tell(path(decisions), 90.0)
    before = search.state()
    with pytest.raises(StrategyError, match=r"a state of ppo\. Received: "):
        search.restore({**before, **change})
    assert search.state() == before


def test_a_negative_second_moment_is_refused() -> None:
    search = learner()
    search.tell(path((1,)), 90.0)
    with pytest.raises(StrategyError, match=r"a state of ppo\. Received: .*second moment below 0"):
        search.restore({**search.state(), "second_moment": search.state()["weights"]})


def test_a_state_of_other_units_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"a state of ppo\. Received: "):
        learner(units=9).restore(learner(units=8).state())
