import json
import shutil

import numpy as np
import pytest

import automl_cells as ac
from automl_cells.errors import ExportError, JournalError, ZooError
from automl_cells.zoo import Entry, Shelf, add_baseline, add_exports, evidence
from automl_cells.zoo.address import Address
from automl_cells.zoo.card import card


@pytest.fixture
def own_run(run, tmp_path):
    """A copy of the run that a test may add to."""
    return shutil.copytree(run, tmp_path / "run")


def text_of(run):
    return card(Entry.read(run / "entry"), Address("tiny_blocks", "digits", 1), {})


def test_the_parity_of_every_format_goes_into_metrics_and_card(own_run):
    assert "How exported files agree with Keras: not known" in text_of(own_run)
    files = sorted(path.name for path in (own_run / "entry").iterdir())
    found = add_exports(own_run)
    assert set(found) == {"savedmodel", "onnx", "litert", "int8"}
    stored = json.loads((own_run / "entry" / "metrics.json").read_text())
    assert stored["test_accuracy"] == 91.25
    assert stored["exports"]["formats"] == found
    assert set(stored["exports"]["versions"]) == {"tensorflow", "tf2onnx", "onnx", "onnxruntime"}
    for form in ("savedmodel", "onnx", "litert"):
        assert found[form]["images"] == 64
        assert found[form]["max_abs_difference"] < 1e-4
        assert f" | {found[form]['max_abs_difference']:.1e} |" in text_of(own_run)
    assert f"| onnx | {found['onnx']['bytes']:,} |" in text_of(own_run)
    assert f"Accuracy on 450 test images: {found['int8']['accuracy_int8']:.2f} % in int8" in text_of(own_run)
    assert sorted(path.name for path in (own_run / "entry").iterdir()) == files  # the exports are not kept


def test_int8_that_loses_too_much_is_said_and_does_not_stop_the_rest(own_run, monkeypatch):
    export = evidence.export_entry

    def refuse_int8(entry, formats, *arguments, **words):
        if "int8" in formats:
            raise ExportError("Expected int8 to cost at most 1 point. Received: 7")
        return export(entry, formats, *arguments, **words)

    monkeypatch.setattr(evidence, "export_entry", refuse_int8)
    assert add_exports(own_run)["int8"] == {"error": "Expected int8 to cost at most 1 point. Received: 7"}
    assert "int8 was refused: Expected int8 to cost at most 1 point. Received: 7" in text_of(own_run)


def test_a_float_format_that_disagrees_stops_everything(own_run, monkeypatch):
    def refuse(*arguments, **words):
        raise ExportError("Expected agreement. Received: none")

    before = (own_run / "entry" / "metrics.json").read_text()
    monkeypatch.setattr(evidence, "export_entry", refuse)
    with pytest.raises(ExportError):
        add_exports(own_run)
    assert (own_run / "entry" / "metrics.json").read_text() == before


def test_a_published_entry_is_never_changed(shelf):
    folder = shelf.find("tiny_blocks").folder
    with pytest.raises(ZooError, match="Expected an entry that was not published"):
        add_exports(folder)
    assert shelf.verify() == []


def search(folder, strategy, **words):
    sizes = {"template": "cifar", "repeats": 1, "filters": (4, 8)}
    return ac.search("digits", strategy=strategy, trials=2, out=folder, seed=0, **{**sizes, **words})


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searches")
    search(folder / "found", "q_learning")
    search(folder / "random", "random")
    return folder


def found_run(searches, folder, make_run):
    """An entry whose genotype says that it comes from a search."""
    from automl_cells.search import best_trials, read_run
    from automl_cells.search.api import provenance

    settings, trials = read_run(searches / "found")
    return make_run(folder, provenance=provenance(settings, best_trials(trials)[0], trials))


@pytest.mark.slow
def test_what_random_search_reached_goes_into_metrics_and_card(searches, make_run, tmp_path):
    run = found_run(searches, tmp_path / "run", make_run)
    assert "random search, for comparison: not known" in text_of(run)
    found = add_baseline(run, searches / "random")
    assert (found["candidates"], found["seed"]) == (2, 0)
    assert found["best_reward"] >= found["mean_reward"] > 0
    assert json.loads((run / "entry" / "metrics.json").read_text())["random_search"] == found
    assert f"2 candidates (seed 0, {found['search_seconds']:,.0f} s) reached a reward of" in text_of(run)
    summary = [{"validation_accuracy": 98.0, "test_accuracy": 97.5, "parameters": 1234, "epochs": 3, "more": 1}, {}]
    (searches / "random" / "top").mkdir()
    (searches / "random" / "top" / "summary.json").write_text(json.dumps(summary))
    assert add_baseline(run, searches / "random")["trained"]["test_accuracy"] == 97.5
    assert "of the best 2, trained fully, the one with the highest validation accuracy reached 97.50 %" in text_of(run)
    assert Shelf(tmp_path / "shelf").publish(run).created


@pytest.mark.slow
def test_a_comparison_with_something_else_is_refused(searches, make_run, own_run, tmp_path):
    run = found_run(searches, tmp_path / "found", make_run)
    with pytest.raises(ZooError, match=r"strategy random. Received: q_learning"):
        add_baseline(run, searches / "found")
    with pytest.raises(ZooError, match="Received: another space, dataset, proxy_template"):
        add_baseline(own_run, searches / "random")
    with pytest.raises(JournalError):
        add_baseline(run, tmp_path)
    published = make_run(tmp_path / "published", provenance={"source": "a paper"})
    with pytest.raises(ZooError, match="of a genotype that a search found"):
        add_baseline(published, searches / "random")


def test_a_card_with_nonsense_in_its_metrics_says_that_nothing_is_known(own_run):
    path = own_run / "entry" / "metrics.json"
    metrics = json.loads(path.read_text())
    for nonsense in ("a", 3, [], {"formats": 3}, {"formats": {"onnx": 3}}, {"formats": {"onnx": {"bytes": "|x|"}}}):
        path.write_text(json.dumps({**metrics, "exports": nonsense, "random_search": nonsense}))
        assert "not known" in text_of(own_run)
        assert "|x|" not in text_of(own_run)
    assert np.isfinite(Entry.read(own_run / "entry").metrics["test_accuracy"])
