"""The filter: what it lets through, and that it is a strategy like any other."""

from __future__ import annotations

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import NasBench201, space
from automl_cells.strategies import Proposal, Random, strategy
from automl_cells.strategies.predictor_filter import LEAST_REWARDS, PredictorFilter
from tests.strategies.contract import TRIALS, Make, StrategyContract, ask
from tests.strategies.test_predictor_guided import cell, reward

SPACE = NasBench201()


@pytest.mark.parametrize("name", ["random", "q_learning", "ppo"])
class TestContract(StrategyContract):
    @pytest.fixture
    def make(self, name: str) -> Make:
        options = {"units": 3, "batch": 5} if name == "ppo" else {}
        return lambda: PredictorFilter(strategy(name, space("nasbench201"), TRIALS, seed=7, **options), 3)


def taught(draws: int, number: int = LEAST_REWARDS + 20) -> PredictorFilter:
    search = PredictorFilter(Random(SPACE, 100), draws)
    for proposal in ask(Random(SPACE, 100), range(number), seed=9):
        search.tell(proposal, reward(proposal))
    return search


def test_it_lets_better_ones_through() -> None:
    # Random cells have 1.2 of 6 operations right on average, 20 per cent (σ of the mean of 200: 1.2).
    plain = [reward(proposal) for proposal in ask(taught(1), range(200), seed=3)]
    chosen = [reward(proposal) for proposal in ask(taught(8), range(200), seed=3)]
    assert abs(np.mean(plain) - 20) < 4
    assert np.mean(chosen) > np.mean(plain) + 8


def test_the_proposals_are_the_inner_strategys_until_enough_is_known() -> None:
    alone = Random(SPACE, 100)
    search = taught(8, LEAST_REWARDS - 1)
    assert ask(search, range(20)) == ask(alone, range(20))
    search.tell(cell(4, 4, 4, 4, 4, 4), 50.0)
    proposals = ask(search, range(20))
    assert proposals != ask(alone, range(20))
    assert all("predicted" in proposal.info for proposal in proposals)


def test_what_the_inner_strategy_notes_is_kept() -> None:
    search = PredictorFilter(strategy("q_learning", SPACE, 100), 4)
    for proposal in ask(Random(SPACE, 100), range(30), seed=9):
        search.tell(proposal, reward(proposal))
    assert set(ask(search, range(1))[0].info) == {"epsilon", "predicted"}


def test_a_repeat_is_handed_on_and_a_forbidden_one_passed_over() -> None:
    class Same(Random):
        def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
            return cell(3, 3, 3, 3, 3, 3)

    search = PredictorFilter(Same(SPACE, 100), 4)
    for proposal in ask(Random(SPACE, 100), range(30), seed=9):
        search.tell(proposal, reward(proposal))
    search.tell(cell(3, 3, 3, 3, 3, 3), 50.0)
    assert ask(search, range(1)) == [cell(3, 3, 3, 3, 3, 3)]
    careful = taught(20)
    careful.acceptable = lambda genotype: "nor_conv_3x3" not in genotype.operations
    operations = [proposal.genotype.operations for proposal in ask(careful, range(20))]
    assert all("nor_conv_3x3" not in found for found in operations)  # 26 per cent of the random ones are acceptable
    assert careful.inner.acceptable is careful.acceptable


@pytest.mark.parametrize("draws", [0, 1001, 2.0])
def test_draws_out_of_range(draws: int) -> None:
    with pytest.raises(StrategyError, match=r"from 1 to 1000 proposals to choose from\. Received: "):
        PredictorFilter(Random(SPACE, 10), draws)
