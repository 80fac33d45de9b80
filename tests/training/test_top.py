"""Which candidates of a search are trained fully."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cells.builder import template
from automl_cells.errors import JournalError, TrainingError
from automl_cells.genotypes import BlockGenotype
from automl_cells.search.journal import Journal
from automl_cells.search.trials import Trial
from automl_cells.training.top import TopResult, _distinct, _validation_then_reward, train_top

CONV = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)])
CONV_AND_IDENTITY = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 4, 0, 1, 0), (3, 7, 0, 0, 0)])
CONV_AND_POOL_1 = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 2, 1, 1, 0), (3, 7, 0, 0, 0)])
CONV_AND_POOL_3 = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 2, 3, 1, 0), (3, 7, 0, 0, 0)])


def test_blocks_that_make_the_same_network_count_once():
    blocks = [CONV_AND_IDENTITY, CONV_AND_POOL_3, CONV, CONV_AND_POOL_1]
    assert len({block.hash for block in blocks}) == 4
    trials = [Trial(number, block, (), {}, number, "done", 90.0 - number) for number, block in enumerate(blocks)]
    assert [trial.number for trial in _distinct(trials, template("cifar"))] == [0, 1]


def test_at_least_one_candidate_is_wanted(tmp_path):
    with pytest.raises(TrainingError, match=r"at least one candidate.*Received: top=0"):
        train_top(tmp_path, 0)


def test_a_search_without_a_candidate_done_is_refused(tmp_path):
    with pytest.raises(JournalError, match="Expected a folder with a search in it"):
        train_top(tmp_path, 1)
    Journal(tmp_path / "journal.sqlite", {}).close()
    with pytest.raises(TrainingError, match="at least one candidate done"):
        train_top(tmp_path, 1)


def test_the_reward_of_the_search_decides_where_validation_ties():
    def result(validation: float | None, reward: float) -> TopResult:
        trial = Trial(0, CONV, (), {}, 0, "done", reward)
        return TopResult(trial, Path("run"), {"validation_accuracy": validation})

    results = [result(99.0, 80.0), result(100.0, 70.0), result(100.0, 75.0), result(None, 99.0)]
    ranked = sorted(results, key=_validation_then_reward, reverse=True)
    assert [found.trial.reward for found in ranked] == [75.0, 70.0, 80.0, 99.0]
