"""Guesses of rewards: on the scale of the rewards, from ranks, better where it ought to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from automl_cells.errors import StrategyError
from automl_cells.genotypes import Genotype
from automl_cells.predictors import RewardPredictor, reward_predictor
from automl_cells.spaces import space
from automl_cells.strategies.base import proposal, uniform_decisions


def sample(name: str, number: int, **options: object) -> list[Genotype]:
    where = space(name, **options)  # type: ignore[arg-type]
    rng = np.random.default_rng(4)
    found: dict[str, Genotype] = {}
    while len(found) < number:
        genotype = proposal(where, uniform_decisions(where, rng)).genotype
        found.setdefault(genotype.hash, genotype)
    return list(found.values())


def earned(genotype: Genotype) -> float:
    """More convolutions and fewer edges a node are better; no convolution at all is a failure."""
    graphs = [graph for _, graph in genotype.parts()]
    convolutions = sum("conv" in label for graph in graphs for label in graph.labels)
    return 10.0 if not convolutions else 60.0 + 3.0 * convolutions - 5.0 * sum(graph.density for graph in graphs)


@pytest.mark.parametrize(
    ("name", "options"), [("nasbench201", {}), ("blockqnn", {"max_index": 10}), ("nasnet", {"blocks": 3})]
)
def test_it_ranks_what_it_has_not_seen(name: str, options: dict[str, object]) -> None:
    genotypes = sample(name, 160, **options)
    rewards = [earned(genotype) for genotype in genotypes]
    guess = RewardPredictor(genotypes[:80], rewards[:80])(genotypes[80:])
    assert spearmanr(guess.reward, rewards[80:]).statistic > 0.75
    assert guess.reward.min() >= min(rewards[:80])
    assert guess.reward.max() <= max(rewards[:80])
    assert np.all(guess.improvement >= 0)


def test_only_the_ranks_of_the_rewards_matter() -> None:
    genotypes = sample("nasbench201", 60)
    rewards = np.array([earned(genotype) for genotype in genotypes[:40]])
    plain = RewardPredictor(genotypes[:40], rewards)(genotypes[40:])
    bent = RewardPredictor(genotypes[:40], np.exp(rewards / 10.0))(genotypes[40:])
    np.testing.assert_allclose(plain.improvement, bent.improvement)
    assert np.array_equal(plain.reward.argsort(), bent.reward.argsort())


def test_what_is_known_is_guessed_and_promises_little() -> None:
    genotypes = sample("nasbench201", 60)
    rewards = [earned(genotype) for genotype in genotypes]
    known = RewardPredictor(genotypes, rewards)(genotypes)
    assert np.abs(known.reward - rewards).mean() < 3.0
    assert known.improvement[np.argmin(rewards)] < 0.01


def test_what_is_pending_promises_less() -> None:
    genotypes = sample("nasbench201", 60)
    predictor = RewardPredictor(genotypes[:30], [earned(genotype) for genotype in genotypes[:30]])
    free = predictor(genotypes[30:])
    best = int(free.improvement.argmax())
    waited = predictor(genotypes[30:], [genotypes[30 + best]])
    assert waited.improvement[best] < free.improvement[best]
    assert np.all(waited.improvement <= free.improvement + 1e-9)
    np.testing.assert_allclose(waited.reward, free.reward)


def test_of_many_the_best_and_the_newest_are_kept() -> None:
    rewards = np.array([1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 0.0, 0.5, 0.2])
    assert reward_predictor._telling(rewards, 6).tolist() == [1, 3, 5, 6, 7, 8]
    assert reward_predictor._telling(rewards[:6], 6).tolist() == list(range(6))
    assert reward_predictor._telling(rewards, 1).tolist() == [1]
    assert reward_predictor._telling(rewards, 0).tolist() == []


@pytest.mark.parametrize(("genotypes", "rewards"), [(0, 0), (2, 2), (3, 4)])
def test_too_few_are_refused(genotypes: int, rewards: int) -> None:
    with pytest.raises(StrategyError, match=r"at least 3 genotypes to learn from, with a reward each\. Received: "):
        RewardPredictor(sample("nasbench201", 3)[:genotypes], [50.0] * rewards)
