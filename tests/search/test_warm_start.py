"""Trials of an earlier search: read, kept in the new run folder, told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_cells.errors import JournalError, SearchError
from automl_cells.search import warm_start
from automl_cells.search.executors import SerialExecutor
from automl_cells.search.run_folder import opened, read_run
from automl_cells.spaces import BlockQNN, space
from automl_cells.strategies import QLearning
from tests.search.synthetic import Instant, search_loop


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    where = BlockQNN(max_index=5)
    settings = {
        "space": {"name": "blockqnn", "options": {"max_index": 5}},
        "strategy": {"name": "q_learning", "options": {}},
        "dataset": {"words": "digits", "fingerprint": "f"},
        "trials": 12,
    }
    with opened(tmp_path / "earlier", settings, False) as journal:
        evaluator = Instant(fails_below=20.0)
        search_loop(journal, evaluator, QLearning(where, 12), 12).run(SerialExecutor(evaluator))
    return tmp_path / "earlier"


def test_all_finished_trials_with_their_rewards(earlier: Path) -> None:
    document = warm_start.read(earlier, BlockQNN(max_index=5))
    trials = read_run(earlier)[1]
    told = warm_start.told(document, BlockQNN(max_index=5))
    assert [proposal.genotype for proposal, _ in told] == [trial.genotype for trial in trials]
    assert [reward for _, reward in told] == [trial.reward for trial in trials]
    assert [proposal.decisions for proposal, _ in told] == [trial.decisions for trial in trials]
    assert all(proposal.info.keys() == {"epsilon"} for proposal, _ in told)
    assert (document["run"], document["left_out"], document["strategy"]) == ("earlier", 0, "q_learning")


def test_what_the_new_space_cannot_make_is_left_out(earlier: Path) -> None:
    trials = read_run(earlier)[1]
    short = sum(len(trial.decisions) <= 3 for trial in trials)
    assert 0 < short < 12
    document = warm_start.read(earlier, BlockQNN(max_index=3))
    assert (len(document["trials"]), document["left_out"]) == (short, 12 - short)


def test_it_comes_back_from_the_run_folder(earlier: Path, tmp_path: Path) -> None:
    document = warm_start.read(earlier, BlockQNN(max_index=5))
    assert warm_start.kept(tmp_path) is None
    warm_start.keep(document, tmp_path)
    again = warm_start.kept(tmp_path)
    assert again is not None
    assert warm_start.digest(again) == warm_start.digest(document)
    assert warm_start.told(again, BlockQNN(max_index=5)) == warm_start.told(document, BlockQNN(max_index=5))


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_a_damaged_copy(tmp_path: Path, text: str) -> None:
    (tmp_path / warm_start.FILE).write_text(text)
    with pytest.raises(SearchError, match=r"what the search began with in .*warm_start\.json\. Received: "):
        warm_start.kept(tmp_path)


@pytest.mark.parametrize("document", [{}, {"trials": [[[[1, 1, 3, 0, 0]], {}, 50]]}, {"trials": [[1]]}, {"trials": 3}])
def test_trials_that_are_none(document: dict) -> None:
    with pytest.raises(SearchError, match=r"trials that blockqnn can make in warm_start\.json\. Received: "):
        warm_start.told(json.loads(json.dumps(document)), BlockQNN(max_index=5))


def test_another_space_or_no_search(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"in the space nasnet\. Received: one in blockqnn"):
        warm_start.read(earlier, space("nasnet"))
    with pytest.raises(JournalError, match=r"a folder with a search"):
        warm_start.read(tmp_path, space("nasnet"))
