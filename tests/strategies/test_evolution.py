"""Regularised evolution: who is in the population, who becomes a parent, and what its child is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import NasBench201
from automl_cells.strategies import Evolution, Proposal
from tests.strategies.tree import Path, Tree

SPACE = NasBench201()


def cell(*decisions: int) -> Proposal:
    return Proposal(SPACE.genotype(decisions), decisions)


def learner(trials: int = 100, **options: Any) -> Evolution:
    return Evolution(SPACE, trials, **options)


def children(search: Evolution, count: int, trial: int = 100) -> list[tuple[int, ...]]:
    return [search.ask(np.random.default_rng([1, seed]), trial).decisions for seed in range(count)]


def distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("trials", "population", "sample"),
    # P = trials / 5 from 8 to 100, S = P / 4, at least 3; the paper's from 500 trials on
    [(1, 8, 3), (24, 8, 3), (50, 10, 3), (100, 20, 5), (200, 40, 10), (500, 100, 25), (20_000, 100, 25)],
)
def test_population_and_sample_scale_with_the_trials(trials: int, population: int, sample: int) -> None:
    search = learner(trials)
    assert (search.size, search.sample) == (population, sample)


def test_sample_follows_a_population_given() -> None:
    assert (learner(population=64).size, learner(population=64).sample) == (64, 16)
    assert (learner(population=64, sample=2).sample, learner(sample=7).size) == (2, 20)


def test_the_first_trials_are_random_whatever_is_known() -> None:
    # Children of one parent differ from it in one edge of six; random cells in 4.8 on average.
    search = learner(population=10)
    for _ in range(10):
        search.tell(cell(3, 3, 3, 1, 2, 3), 90.0)
    before = children(search, 200, trial=9)
    assert abs(np.mean([distance(child, (3, 3, 3, 1, 2, 3)) for child in before]) - 4.8) < 0.3  # σ = 0.98 / √200
    assert {distance(child, (3, 3, 3, 1, 2, 3)) for child in children(search, 50, trial=10)} == {1}


def test_proposals_are_random_while_nothing_has_an_answer() -> None:
    assert len(set(children(learner(population=10), 50, trial=30))) > 40


def test_the_oldest_dies_however_good_it_was() -> None:
    search = learner(population=3)
    told = [(cell(number, 0, 0, 0, 0, 0), reward) for number, reward in enumerate([99.0, 10.0, 20.0, 5.0])]
    for proposal, reward in told:
        search.tell(proposal, reward)
    assert list(search.population) == [(proposal.decisions, reward) for proposal, reward in told[1:]]


def test_a_repeat_ages_the_population() -> None:
    search = learner(population=2)
    for proposal in (cell(0, 0, 0, 0, 0, 0), cell(1, 0, 0, 0, 0, 0), cell(1, 0, 0, 0, 0, 0)):
        search.tell(proposal, 50.0)
    assert list(search.population) == [((1, 0, 0, 0, 0, 0), 50.0)] * 2


def test_the_parent_is_the_best_of_those_drawn_with_replacement() -> None:
    # Of four members two are drawn, with replacement: the best is among them with probability 1 - (3/4)² = 7/16, the
    # worst is the parent only if it is drawn twice, 1/16. (Without replacement the worst would never be one.)
    search = learner(population=4, sample=2)
    members = [(0,) * 6, (1,) * 6, (2,) * 6, (3,) * 6]
    for decisions, reward in zip(members, (10.0, 20.0, 30.0, 40.0), strict=True):
        search.tell(cell(*decisions), reward)
    found = children(search, 1600)
    parents = [min(range(4), key=lambda member: distance(members[member], child)) for child in found]
    counts = np.bincount(parents, minlength=4)
    # 1600 · (1, 3, 5, 7) / 16, σ = 9.7, 15.6, 18.5, 19.8; four σ are tolerated
    assert np.all(np.abs(counts - [100, 300, 500, 700]) < [39, 63, 75, 80])


def test_a_large_sample_takes_the_best() -> None:
    search = learner(population=4, sample=200)
    for decisions, reward in [((0,) * 6, 10.0), ((1,) * 6, 40.0), ((2,) * 6, 30.0), ((3,) * 6, 20.0)]:
        search.tell(cell(*decisions), reward)
    assert {distance(child, (1,) * 6) for child in children(search, 50)} == {1}


def test_it_finds_the_best_of_a_smooth_space() -> None:
    # The reward counts the edges that are as wanted. A random cell of 200 has all six with probability 1 %.
    wanted = (3, 3, 3, 1, 2, 3)
    search = learner(trials=200)
    best = 0.0
    for trial in range(200):
        proposal = search.ask(np.random.default_rng([0, trial]), trial)
        reward = 100.0 * (6 - distance(proposal.decisions, wanted)) / 6
        best = max(best, reward)
        search.tell(proposal, reward)
    assert best == 100.0


def test_children_may_have_another_length() -> None:
    search = Evolution(Tree(), 10, population=1)
    search.tell(Proposal(Path((0, 1, 0)), (0, 1, 0)), 50.0)
    found = {search.ask(np.random.default_rng(seed), 5).decisions for seed in range(60)}
    assert found == {(1,), (2,), (0, 0), (0, 1, 1)}


@pytest.mark.parametrize(
    "population",
    [
        None,
        3,
        [[[0, 0, 0, 0, 0, 0]]],
        [[[0, 0, 0, 0, 0, 5], 50.0]],
        [[[0, 0, 0, 0, 0], 50.0]],
        [[["a"] * 6, 50.0]],
        [["aaaaaa", 50.0]],
        [[[0] * 6, float("nan")]],
        [[[0] * 6, None]],
        [[[0] * 6, True]],
        [[[0] * 6, 50.0]] * 4,
    ],
    ids=str,
)
def test_a_damaged_state_is_refused(population: Any) -> None:
    search = learner(population=3)
    search.tell(cell(1, 1, 1, 1, 1, 1), 90.0)
    before = search.state()
    with pytest.raises(StrategyError, match=r"a state of evolution\. Received: "):
        search.restore({"population": population})
    assert search.state() == before
