"""Local search: where it goes, when it gives up, and where it begins again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import NasBench201
from automl_cells.strategies import LocalSearch, Proposal

SPACE = NasBench201()


def cell(*decisions: int) -> Proposal:
    return Proposal(SPACE.genotype(decisions), decisions)


def learner(**options: Any) -> LocalSearch:
    return LocalSearch(SPACE, 100, **{"initial": 1, **options})


def ask(search: LocalSearch, seed: int = 0) -> Proposal:
    return search.ask(np.random.default_rng([5, seed]), 10)


def distance(one: Proposal, other: Proposal) -> int:
    return sum(a != b for a, b in zip(one.decisions, other.decisions, strict=True))


def test_the_best_of_the_first_is_the_centre() -> None:
    search = learner(initial=3)
    for first, reward in ((1, 40.0), (2, 60.0), (3, 50.0)):
        search.tell(cell(first, 0, 0, 0, 0, 0), reward)
    assert search.centre == ((2, 0, 0, 0, 0, 0), 60.0)
    assert search.failures == 0  # the third was no neighbour
    assert {distance(ask(search, seed), cell(2, 0, 0, 0, 0, 0)) for seed in range(30)} == {1}


def test_a_better_one_becomes_the_centre_and_an_equal_one_does_not() -> None:
    search = learner()
    search.tell(cell(0, 0, 0, 0, 0, 0), 50.0)
    search.tell(cell(1, 0, 0, 0, 0, 0), 50.0)
    assert (search.centre, search.failures) == (((0, 0, 0, 0, 0, 0), 50.0), 1)
    search.tell(cell(2, 0, 0, 0, 0, 0), 50.1)
    assert (search.centre, search.failures) == (((2, 0, 0, 0, 0, 0), 50.1), 0)


def test_neighbours_are_new() -> None:
    search = learner(patience=100)
    centre = cell(2, 2, 2, 2, 2, 2)
    search.tell(centre, 50.0)
    asked = set()
    for seed in range(24):  # all there are: six edges, four other operations
        proposal = ask(search, seed)
        assert distance(proposal, centre) == 1
        assert proposal.info == {"centre": centre.genotype.hash}
        assert proposal.decisions not in asked
        asked.add(proposal.decisions)
        search.begun(proposal)
    assert ask(search, 25).decisions in asked  # the loop sees a repeat, and tells its reward again


def test_after_a_local_optimum_it_begins_elsewhere() -> None:
    search = learner(patience=3)
    search.tell(cell(0, 0, 0, 0, 0, 0), 90.0)
    for last in (1, 2, 3):
        search.tell(cell(0, 0, 0, 0, 0, last), 10.0)
    assert search.centre is None
    far = [ask(search, seed) for seed in range(200)]
    assert np.mean([distance(proposal, cell(0, 0, 0, 0, 0, 0)) for proposal in far]) > 4.5  # 4.8 of random ones
    search.tell(cell(4, 4, 4, 4, 4, 4), 20.0)  # whatever it earned
    assert search.centre == ((4, 4, 4, 4, 4, 4), 20.0)


def test_it_climbs_to_the_top_of_a_hill() -> None:
    search = LocalSearch(SPACE, 300)
    best = 0.0
    for trial in range(150):
        proposal = ask(search, trial)
        search.begun(proposal)
        reward = 10.0 * sum(proposal.decisions)
        best = max(best, reward)
        search.tell(proposal, reward)
    assert best == 240.0


@pytest.mark.parametrize("options", [{"initial": 0}, {"patience": 0}, {"patience": 2.5}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match=r"Expected (initial|patience) from 1 to 100000\. Received: "):
        learner(**options)
