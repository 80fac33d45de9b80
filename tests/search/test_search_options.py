"""What a whole search can be told beyond the papers: a warm start, a predictor in front, early stopping."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from automl_cells.errors import SearchError, StrategyError
from automl_cells.search import read_run, search, warm_start
from tests.search.test_search_api import TINY, quarters

QUICK: dict[str, Any] = {**TINY, "executor": "serial", "max_params": 2000}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory):
    """Three blocks on small pictures."""
    return search(quarters(), out=tmp_path_factory.mktemp("options") / "earlier", trials=3, **QUICK)


def test_a_warm_start_is_kept_and_resumed_without_the_earlier_run(earlier, tmp_path) -> None:
    gone = shutil.copytree(earlier.out, tmp_path / "gone")
    first = search(quarters(seed=1), out=tmp_path / "run", trials=1, warm_start=gone, **QUICK)
    settings, _ = read_run(first.out)
    kept = warm_start.kept(first.out)
    assert kept is not None
    assert settings["warm_start"] == {"run": "gone", "digest": warm_start.digest(kept)}
    assert [reward for _, _, reward in kept["trials"]] == [trial.reward for trial in earlier.trials]
    assert first.trials[0].info["epsilon"] == 0.9  # it need not explore with nothing
    shutil.rmtree(gone)
    more = search(quarters(seed=1), out=tmp_path / "run", trials=2, resume=True, **QUICK)
    assert [more.trials[0].genotype, more.trials[0].reward] == [first.trials[0].genotype, first.trials[0].reward]
    assert len(more.trials) == 2


def test_what_it_began_with_counts_also_when_the_earlier_run_has_grown(earlier, tmp_path) -> None:
    grows = shutil.copytree(earlier.out, tmp_path / "grows")
    first = search(quarters(seed=1), out=tmp_path / "run", trials=1, warm_start=grows, **QUICK)
    search(quarters(), out=grows, trials=4, resume=True, **QUICK)
    more: dict[str, Any] = {"out": tmp_path / "run", "trials": 2, "resume": True, **QUICK}
    with pytest.raises(SearchError, match=r"--warm-start grows, with which .* began\. Received: .*earlier$"):
        search(quarters(seed=1), warm_start=earlier.out, **more)
    found = search(quarters(seed=1), warm_start=grows, **more)
    assert found.trials[0].reward == first.trials[0].reward
    assert len(warm_start.kept(first.out)["trials"]) == 3


def test_latency_is_measured_on_request(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("automl_cells.evaluation.latency.latency_ms", lambda layers: 2.5)
    plain = search(quarters(), out=tmp_path / "plain", trials=1, **QUICK)
    found = search(quarters(), out=tmp_path / "run", trials=1, measure_latency=True, **QUICK)
    assert "latency_ms" not in plain.trials[0].metrics
    assert found.trials[0].metrics["latency_ms"] == 2.5
    assert found.trials[0].reward == plain.trials[0].reward
    assert (read_run(plain.out)[0].get("measure_latency"), read_run(found.out)[0]["measure_latency"]) == (None, True)
    with pytest.raises(SearchError, match=r"measure_latency True\. Received: None"):
        search(quarters(), out=found.out, trials=2, resume=True, **QUICK)
    more = search(quarters(), out=found.out, trials=2, resume=True, measure_latency=True, **QUICK)
    assert [trial.metrics["latency_ms"] for trial in more.trials] == [2.5, 2.5]


def test_latency_that_is_needed_anyway_may_be_asked_for_or_not(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("automl_cells.evaluation.latency.latency_ms", lambda layers: 2.5)
    limited = {**QUICK, "max_latency_ms": 100.0}
    search(quarters(), out=tmp_path / "run", trials=1, **limited)
    more = search(quarters(), out=tmp_path / "run", trials=2, resume=True, measure_latency=True, **limited)
    assert len(more.trials) == 2


def test_a_search_that_began_without_is_not_resumed_with_a_warm_start(earlier, tmp_path) -> None:
    search(quarters(seed=1), out=tmp_path / "run", trials=1, **QUICK)
    with pytest.raises(SearchError, match="warm_start"):
        search(quarters(seed=1), out=tmp_path / "run", trials=2, resume=True, warm_start=earlier.out, **QUICK)
    assert not (tmp_path / "run" / warm_start.FILE).exists()


def test_a_strategy_that_keeps_nothing_is_refused_before_anything_is_written(earlier, tmp_path) -> None:
    with pytest.raises(StrategyError, match=r"can start from an earlier search .* Received: random"):
        search(quarters(), out=tmp_path / "run", trials=1, warm_start=earlier.out, strategy="random", **QUICK)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("space", "options", "filtered", "stops"),
    [
        ("blockqnn", {}, None, None),
        ("blockqnn", {"predictor_filter": 3, "early_stopping": True}, 3, True),
        ("blockqnn_fast", {}, 4, True),
        ("blockqnn_fast", {"strategy": "predictor_guided"}, None, True),
        ("blockqnn_fast", {"predictor_filter": 1, "early_stopping": False}, None, None),
    ],
)
def test_what_is_on_stands_in_the_settings(tmp_path, space, options, filtered, stops) -> None:
    found = search(quarters(), out=tmp_path / "run", trials=1, space=space, budget=1e-9, **QUICK, **options)
    settings, _ = read_run(found.out)
    assert (settings.get("predictor_filter"), settings.get("early_stopping")) == (filtered, stops)


def test_what_never_began_leaves_no_warm_start_behind(earlier, tmp_path) -> None:
    with pytest.raises(SearchError, match="above the limits"):
        search(quarters(), out=tmp_path / "run", trials=1, warm_start=earlier.out, **{**QUICK, "max_params": 1})
    assert (tmp_path / "run" / warm_start.FILE).exists()
    search(quarters(), out=tmp_path / "run", trials=1, **QUICK)
    assert not (tmp_path / "run" / warm_start.FILE).exists()
    search(quarters(), out=tmp_path / "run", trials=2, resume=True, **QUICK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "predictor_guided", "predictor_filter": 4}, r"predictor_guided without a filter .* Received: 4"),
        (
            {"early_stopping": True, "reward": "latency_constrained", "reward_options": {"target_ms": 1.0}},
            r"a reward that needs no latency\. Received: latency_constrained",
        ),
        ({"trial_time_limit": 5.0}, r"options of the executor 'serial' among \[\]\. Received: time_limit"),
        ({"executor_options": {"retries": 3}}, r"options of the executor 'serial' .* Received: retries"),
    ],
)
def test_what_makes_no_sense_together_is_refused(tmp_path, options, message) -> None:
    with pytest.raises(SearchError, match=message):
        search(quarters(), out=tmp_path / "run", trials=1, **QUICK, **options)
    assert not (tmp_path / "run").exists()


def test_a_filter_of_nothing_is_refused(tmp_path) -> None:
    with pytest.raises(StrategyError, match=r"from 1 to 1000 proposals to choose from\. Received: 0"):
        search(quarters(), out=tmp_path / "run", trials=1, predictor_filter=0, **QUICK)
    assert not (tmp_path / "run").exists()
