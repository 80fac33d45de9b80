import json
import math

import numpy as np
import pytest

from automl_cells.builder import cost, plan, template
from automl_cells.datasets import from_arrays, load, save_npz
from automl_cells.errors import AutoMLCellsError, DataError, SearchError, SpaceError, StrategyError, TemplateError
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.rewards import blockqnn_early_stop
from automl_cells.genotypes import load as load_genotype
from automl_cells.genotypes import load_with_provenance
from automl_cells.search import loop, read_run, search

ONE_EPOCH = proxy_protocol("blockqnn", epochs=1, max_restarts=0, batch_size=64, min_steps=1)
TINY = {"filters": (4,), "protocol": ONE_EPOCH, "space_options": {"max_index": 3}, "seed": 1}


def quarters(images=64, seed=0):
    """One bright quarter of four: the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % 4
    pictures = random.uniform(0, 60, (images, 4, 4, 1)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = 2 * (label // 2), 2 * (label % 2)
        picture[row : row + 2, column : column + 2] += 150
    return from_arrays(pictures, labels, class_names=["a", "b", "c", "d"], name="quarters")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Two blocks on digits, in two processes."""
    out = tmp_path_factory.mktemp("search") / "digits"
    return search("digits", out=out, trials=2, workers=2, **TINY)


def test_a_search_on_digits_from_end_to_end(found):
    assert len(found.trials) == 2
    for trial in found.trials:
        assert (trial.status, trial.failure) == ("done", None)
        assert 0 <= trial.metrics["accuracy"] <= 100
        assert trial.details["batch_size"] == 64
        assert len(trial.details["curve"]) == 1
        earned = blockqnn_early_stop(trial.metrics)  # the space's own reward
        assert trial.reward == (max(10.0, earned) if trial.metrics["accuracy"] > 10.0 else 10.0)
        frame = template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 1), classes=10)
        assert trial.metrics["parameters"] == cost(plan(trial.genotype, frame)).parameters
    assert found.seconds > 0
    assert found.best.reward == max(trial.reward for trial in found.trials)
    files = {file.name for file in found.out.iterdir()} - {".lock"}
    assert files >= {"journal.sqlite", "best.json", "workers"}
    assert {file.name for file in (found.out / "workers").iterdir()} == {"worker-0.log", "worker-1.log"}


def test_the_best_block_is_handed_over_with_where_it_comes_from(found):
    genotype, provenance = load_with_provenance(found.out / "best.json")
    assert genotype == found.best.genotype
    assert provenance["space"] == {"name": "blockqnn", "options": {"max_index": 3}}
    assert provenance["strategy"] == {"name": "q_learning", "options": {}}
    assert provenance["dataset"] == {"words": "digits", "fingerprint": load("digits").fingerprint}
    assert provenance["proxy_template"]["filters"] == [4]
    assert (provenance["protocol"], provenance["seed"], provenance["candidates"]) == ("blockqnn", 1, 2)
    assert provenance["trial"] == found.best.number
    assert provenance["reward"] == {"name": "blockqnn_early_stop", "value": found.best.reward}
    assert provenance["metrics"] == dict(found.best.metrics)
    assert provenance["search_seconds"] == pytest.approx(sum(trial.seconds for trial in found.trials), abs=0.06)


def test_the_journal_says_what_the_result_says(found):
    settings, trials = read_run(found.out)
    assert [(t.genotype, t.reward, t.metrics) for t in trials] == [
        (t.genotype, t.reward, t.metrics) for t in found.trials
    ]
    assert (settings["trials"], settings["seed"], settings["protocol"]["epochs"]) == (2, 1, 1)
    assert settings["limits"] == {"max_params": 10_000_000, "max_flops": 5_000_000_000}  # the template's


def test_more_trials_extend_it_with_another_executor_too(found):
    more = search("digits", out=found.out, trials=3, executor="serial", resume=True, **TINY)
    assert [trial.reward for trial in more.trials[:2]] == [trial.reward for trial in found.trials]
    assert (len(more.trials), more.trials[2].status) == (3, "done")
    _, provenance = load_with_provenance(found.out / "best.json")
    assert provenance["candidates"] == 3


def test_arrays_reach_worker_processes(tmp_path):
    result = search(quarters(), out=tmp_path / "run", trials=1, **TINY)
    assert result.trials[0].status == "done"
    assert load(f"npz:{tmp_path / 'run' / 'dataset.npz'}").fingerprint == quarters().fingerprint
    settings, _ = read_run(tmp_path / "run")
    assert settings["dataset"] == {"words": "quarters", "fingerprint": quarters().fingerprint}


def test_other_arrays_are_another_search(tmp_path):
    arguments = {"out": tmp_path, "trials": 1, "executor": "serial", "strategy": "random", **TINY}
    search(quarters(), **arguments)
    with pytest.raises(
        SearchError, match=r"Expected the settings of the search in .*: dataset 'sha256:.*Received: 'sha256:"
    ):
        search(quarters(seed=1), resume=True, **arguments)
    (tmp_path / "journal.sqlite").unlink()
    search(quarters(seed=1), **arguments)  # not on the arrays that an earlier search has left
    assert load(f"npz:{tmp_path / 'dataset.npz'}").fingerprint == quarters(seed=1).fingerprint


def test_the_same_seed_finds_the_same_in_this_process(tmp_path):
    found = []
    for name in ("one", "two"):
        result = search(quarters(), out=tmp_path / name, trials=2, executor="serial", reward="accuracy", **TINY)
        found.append([(trial.genotype, trial.reward, trial.metrics) for trial in result.trials])
    assert found[0] == found[1]


def test_a_search_without_success_has_no_best(tmp_path):
    protocol = proxy_protocol(ONE_EPOCH, learning_rate=1e38, min_steps=4)
    arguments = {"out": tmp_path, "trials": 1, "executor": "serial", **TINY, "protocol": protocol}
    result = search(quarters(), **arguments)
    assert (result.trials[0].status, result.trials[0].reward) == ("failed", 25.0)
    assert not (tmp_path / "best.json").exists()
    with pytest.raises(SearchError, match="Expected at least one trial that succeeded"):
        result.best  # noqa: B018


def test_options_survive_a_resume(tmp_path):
    options = {"epsilon": ((1.0, 1), (0.5, 1)), "alpha": 0.1}  # tuples, which JSON does not have
    arguments = {"out": tmp_path, "trials": 1, "executor": "serial", "strategy_options": options, **TINY}
    first = search(quarters(), **arguments)
    again = search(quarters(), resume=True, **arguments)
    assert [trial.genotype for trial in again.trials] == [trial.genotype for trial in first.trials]


def test_the_same_file_may_be_named_in_another_way_when_a_search_is_resumed(tmp_path, monkeypatch):
    save_npz(quarters(), tmp_path / "data.npz")
    arguments = {"out": tmp_path / "run", "trials": 1, "executor": "serial", "strategy": "random", **TINY}
    monkeypatch.chdir(tmp_path)
    search("npz:data.npz", **arguments)
    assert read_run(tmp_path / "run")[0]["dataset"]["words"] == f"npz:{tmp_path / 'data.npz'}"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(search("npz:../data.npz", resume=True, **arguments).trials) == 1


@pytest.mark.parametrize("limit", ["trial_time_limit", "trial_memory_limit"])
def test_limits_of_a_trial_are_checked_first(limit, tmp_path):
    with pytest.raises(SearchError, match=f"Expected {limit} above 0. Received: 0"):
        search("digits", out=tmp_path / "run", trials=1, **{limit: 0}, **TINY)
    assert not (tmp_path / "run").exists()


def test_a_search_that_could_not_start_leaves_its_folder_free(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MAX_MISSES", 300)
    with pytest.raises(SearchError, match="above the limits"):
        search(quarters(), out=tmp_path, trials=1, executor="serial", max_params=50, **TINY)
    assert len(search(quarters(), out=tmp_path, trials=1, executor="serial", **TINY).trials) == 1


def test_limits_reach_the_search(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MAX_MISSES", 300)
    with pytest.raises(SearchError, match=r"at most 50 parameters, 5,000,000,000 multiply-adds.*above the limits"):
        search(quarters(), out=tmp_path, trials=1, executor="serial", max_params=50, **TINY)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dataset": "cats"}, DataError, "Received: cats"),
        ({"dataset": "npz:nowhere.npz"}, DataError, "no such file"),
        ({"trials": 0}, SearchError, r"at least one trial\. Received: trials=0$"),
        ({"trials": 2.5}, SearchError, r"Received: trials=2\.5$"),
        ({"seed": -1}, SearchError, r"a seed from 0\. Received: -1$"),
        ({"seed": 0.5}, SearchError, r"a seed from 0\. Received: 0\.5$"),
        ({"budget": 0}, SearchError, r"above 0 seconds\. Received: 0$"),
        ({"budget": math.nan}, SearchError, r"above 0 seconds\. Received: nan$"),
        ({"workers": 0}, SearchError, r"at least one worker\. Received: 0$"),
        ({"workers": 2, "executor": "serial"}, SearchError, r"one worker .*Received: 2$"),
        ({"executor": "threads"}, SearchError, r"among \['processes', 'ray', 'serial'\]\. Received: threads$"),
        ({"space": "atlantis"}, SpaceError, "Received: atlantis$"),
        ({"space_options": {"depth": 3}}, SpaceError, "Received: depth$"),
        ({"space_options": {"max_index": 1}}, SpaceError, "Received: 1$"),
        ({"strategy": "luck"}, StrategyError, "Received: luck$"),
        ({"strategy_options": {"beta": 1}}, StrategyError, "Received: beta$"),
        ({"strategy_options": {"alpha": 0.0}}, StrategyError, "alpha=0.0"),
        ({"template": "castle"}, TemplateError, "Received: castle$"),
        ({"repeats": 0}, TemplateError, "repeats"),
        ({"filters": ()}, TemplateError, "filters"),
        ({"reward": "fame"}, SearchError, "Received: fame$"),
        ({"protocol": "marathon"}, SearchError, "Received: marathon$"),
        ({"max_params": 0}, SearchError, r"max_params above 0\. Received: 0$"),
        ({"max_flops": -1}, SearchError, r"max_flops above 0\. Received: -1$"),
    ],
)
def test_a_bad_argument_is_named_and_nothing_is_left(tmp_path, changes, error, message):
    arguments = {"dataset": "digits", "out": tmp_path / "run", "trials": 1, **TINY, **changes}
    with pytest.raises(error, match=message):
        search(arguments.pop("dataset"), **arguments)
    assert not (tmp_path / "run").exists()


def test_an_option_that_json_cannot_hold_is_refused_and_nothing_is_left(tmp_path):
    from automl_cells.strategies.epsilon import BLOCKQNN

    with pytest.raises(AutoMLCellsError, match=r"JSON can hold.*EpsilonSchedule"):
        search("digits", out=tmp_path / "run", trials=1, **TINY, strategy_options={"epsilon": BLOCKQNN})
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_refused_and_left_alone(found):
    before = (found.out / "best.json").read_text()
    with pytest.raises(SearchError, match="--resume to continue"):
        search("digits", out=found.out, trials=2, **TINY)
    with pytest.raises(SearchError, match=r"seed 1\. Received: 2$"):
        search("digits", out=found.out, trials=2, resume=True, **{**TINY, "seed": 2})
    assert (found.out / "best.json").read_text() == before
    assert json.loads(before)["hash"] == load_genotype(found.out / "best.json").hash
