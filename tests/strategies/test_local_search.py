"""Local search: where it goes, when it gives up, and where it begins again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import NasBench201
from automl_cells.strategies import LocalSearch, Proposal

SPACE = NasBench201()


def cell(*decisions: int, of: Proposal | None = None) -> Proposal:
    """A random candidate, or a neighbour of another one."""
    return Proposal(SPACE.genotype(decisions), decisions, {} if of is None else {"centre": of.genotype.hash})


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
    centre = cell(0, 0, 0, 0, 0, 0)
    search.tell(centre, 50.0)
    search.tell(cell(1, 0, 0, 0, 0, 0, of=centre), 50.0)
    assert (search.centre, search.failures) == (((0, 0, 0, 0, 0, 0), 50.0), 1)
    search.tell(cell(2, 0, 0, 0, 0, 0, of=centre), 50.1)
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
    optimum = cell(0, 0, 0, 0, 0, 0)
    search.tell(optimum, 90.0)
    for last in (1, 2, 3):
        search.tell(cell(0, 0, 0, 0, 0, last, of=optimum), 10.0)
    assert search.centre is None
    far = [ask(search, seed) for seed in range(200)]
    assert np.mean([distance(proposal, cell(0, 0, 0, 0, 0, 0)) for proposal in far]) > 4.5  # 4.8 of random ones
    search.tell(cell(4, 4, 4, 4, 4, 4), 20.0)  # whatever it earned
    assert search.centre == ((4, 4, 4, 4, 4, 4), 20.0)


def test_late_neighbours_of_an_optimum_that_was_given_up_are_not_heard() -> None:
    search = learner(patience=1)
    optimum = cell(0, 0, 0, 0, 0, 0)
    search.tell(optimum, 90.0)
    search.tell(cell(0, 0, 0, 0, 0, 1, of=optimum), 10.0)
    search.tell(cell(0, 0, 0, 0, 0, 2, of=optimum), 80.0)
    assert search.centre is None
    search.tell(cell(4, 4, 4, 4, 4, 4), 20.0)
    for last, reward in ((3, 80.0), (4, 10.0)):
        search.tell(cell(0, 0, 0, 0, 0, last, of=optimum), reward)
    assert (search.centre, search.failures) == (((4, 4, 4, 4, 4, 4), 20.0), 0)


def test_only_neighbours_of_the_centre_fail_and_all_of_its_climb_may_be_better() -> None:
    search = learner(patience=2)
    first, second = cell(0, 0, 0, 0, 0, 0), cell(1, 0, 0, 0, 0, 0)
    search.tell(first, 50.0)
    search.tell(Proposal(second.genotype, second.decisions, {"centre": first.genotype.hash}), 60.0)
    for last in (1, 2, 3):  # under way when the centre moved
        search.tell(cell(0, 0, 0, 0, 0, last, of=first), 55.0)
        search.tell(cell(4, 4, 4, 4, 4, last), 55.0)
    assert (search.centre, search.failures) == (((1, 0, 0, 0, 0, 0), 60.0), 0)
    search.tell(cell(0, 0, 0, 0, 0, 4, of=first), 70.0)
    assert search.centre == ((0, 0, 0, 0, 0, 4), 70.0)


def test_with_many_workers_restarts_are_random() -> None:
    """One hill with its top at 0; eight answers are always under way."""
    search = LocalSearch(SPACE, 400, initial=8, patience=12)
    under_way: list[Proposal] = []
    heard = []
    starts = []
    for trial in range(400):
        before = search.centre
        while len(under_way) < 8:
            under_way.append(ask(search, 10 * trial + len(under_way)))
            search.begun(under_way[-1])
        heard.append(under_way.pop(0))
        search.tell(heard[-1], 100.0 - sum(heard[-1].decisions))
        if before is None and search.centre is not None:
            starts.append(search.centre[0])
    assert len(starts) >= 4
    assert np.mean([sum(decision != 0 for decision in start) for start in starts[1:]]) > 3.5  # 4.8 of random ones
    resumed, again = LocalSearch(SPACE, 400, initial=8, patience=12), LocalSearch(SPACE, 400, initial=8, patience=12)
    for told in heard:
        resumed.begun(told)
        resumed.tell(told, 100.0 - sum(told.decisions))
    for told in under_way:
        resumed.begun(told)
    again.restore(json.loads(json.dumps(search.state())))
    assert resumed.state() == again.state() == search.state()


def test_a_state_whose_climb_and_centre_do_not_agree_is_refused() -> None:
    search = learner()
    search.tell(cell(0, 0, 0, 0, 0, 0), 50.0)
    with pytest.raises(StrategyError, match=r"a state of local_search\. Received: .*0 centres of the climb"):
        learner().restore({**search.state(), "climb": []})


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
