"""The best trained networks of a search as one: what it measures and leaves, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from automl_cells import zoo
from automl_cells.builder import cost, plan
from automl_cells.datasets import load, stratified_split
from automl_cells.errors import AutoMLCellsError, DataError, TemplateError, TrainingError, ZooError
from automl_cells.evaluation import proxy_protocol
from automl_cells.export import sha256_of_file
from automl_cells.genotypes import EnsembleGenotype, read
from automl_cells.search import search
from automl_cells.training import TrainingResult, ensemble, recipe, train
from automl_cells.training.conclusion import accuracy
from automl_cells.training.finetune_model import finetune_model
from automl_cells.training.recipes import from_document as recipe_of
from automl_cells.training.top import train_top
from automl_cells.zoo.finetune import finetune
from automl_cells.zoo.remeasure import remeasure

SHORT = recipe("plain", name="short", epochs=6, batch_size=64, learning_rate=0.02, augmentation=[])


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of three small chains on digits. Not to be changed."""
    out = tmp_path_factory.mktemp("search") / "run"
    search(
        "digits", out=out, space="metaqnn", strategy="random", trials=3, executor="serial", max_flops=300_000,
        space_options={"max_depth": 2, "filter_multiplier": 0.0625},
        protocol=proxy_protocol("metaqnn_no_flip", epochs=1, max_restarts=0),
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def trained(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same search with its three chains trained. Not to be changed."""
    run = shutil.copytree(searched, tmp_path_factory.mktemp("trained") / "run")
    assert len(train_top(run, 3, SHORT)) == 3
    return run


@pytest.fixture(scope="module")
def made(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """The best two averaged. Not to be changed."""
    return ensemble(trained, 2, out=tmp_path_factory.mktemp("ensemble") / "best")


@pytest.fixture(scope="module")
def entry(made: TrainingResult) -> zoo.Entry:
    return zoo.Entry.read(made.entry)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy that the test may damage."""
    return shutil.copytree(trained, tmp_path / "run")


def summary(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "top" / "summary.json").read_text())


def member_entry(run: Path, rank: int) -> Path:
    return run / "top" / summary(run)[rank]["hash"][7:15] / "entry"


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    """Rewrite a JSON file."""
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))


def averaged(run: Path, ranks: int, images: np.ndarray) -> np.ndarray:
    """The mean of the probabilities of the first networks of the summary, each loaded from its own entry."""
    members = [zoo.Entry.read(member_entry(run, rank)) for rank in range(ranks)]
    return np.mean([one.load_model().predict_on_batch(one.preprocessing(images)) for one in members], axis=0)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    return {str(path.relative_to(folder)): sha256_of_file(path) for path in folder.rglob("*") if path.is_file()}


def test_the_test_accuracy_is_that_of_the_averaged_probabilities(trained, made):
    data = load("digits")
    expected = averaged(trained, 2, data.x_test)
    reached = 100 * np.mean(expected.argmax(axis=1) == data.y_test)
    assert made.metrics["test_accuracy"] == pytest.approx(reached, abs=1e-4)
    assert made.metrics["test_error"] == pytest.approx(100 - reached, abs=1e-4)
    assert made.metrics["test_accuracy"] > 20  # chance is 10
    assert made.metrics["test_images"] == len(data.x_test)
    preprocessing = zoo.Entry.read(made.entry).preprocessing
    np.testing.assert_allclose(made.model.predict_on_batch(preprocessing(data.x_test)), expected, atol=1e-6)


def test_the_validation_accuracy_is_on_the_images_that_the_members_held_out(trained, made):
    data = load("digits")
    _, held_out = stratified_split(data.y_train, SHORT.validation_fraction, seed=0)
    expected = averaged(trained, 2, data.x_train[held_out]).argmax(axis=1)
    reached = 100 * np.mean(expected == data.y_train[held_out])
    assert made.metrics["validation_accuracy"] == pytest.approx(reached, abs=1e-4)


def test_the_members_are_the_first_of_the_summary(trained, made):
    rows = summary(trained)
    listed = [row["validation_accuracy"] for row in rows]
    assert listed == sorted(listed, reverse=True)
    names = ("hash", "trial", "reward", "validation_accuracy", "test_accuracy", "parameters")
    assert made.metrics["members"] == [{name: row[name] for name in names} for row in rows[:2]]
    genotype = read(made.entry / "genotype.json")
    assert isinstance(genotype, EnsembleGenotype)
    assert [member.hash for member in genotype.members] == [row["hash"] for row in rows[:2]]


def test_time_and_size_are_those_of_the_members_together(trained, made, entry):
    rows = summary(trained)[:2]
    assert made.metrics["seconds"] == pytest.approx(sum(row["seconds"] for row in rows), abs=0.006)
    for name in ("parameters", "total_parameters", "flops"):
        assert made.metrics[name] == sum(row[name] for row in rows)
    assert made.metrics["parameters"] == cost(plan(entry.genotype, entry.template)).parameters
    assert made.metrics["total_parameters"] == made.model.count_params()
    for name in ("epochs", "training_images", "precision", "replicas", "seed"):
        assert made.metrics[name] == rows[0][name] == rows[1][name]


def test_the_entry_says_where_it_comes_from(trained, made, entry):
    assert (made.out / "entry", made.history) == (made.entry, {})
    assert [path.name for path in made.out.iterdir()] == ["entry"]
    assert sorted(path.name for path in made.entry.iterdir()) == [
        "drawing.svg", "genotype.json", "history.json", "metrics.json", "model.json", "model.weights.h5"
    ]  # fmt: skip
    assert (entry.name, entry.tag) == (f"ensemble_{entry.genotype.hash[7:15]}", "digits")
    assert entry.metrics == made.metrics
    member = zoo.Entry.read(member_entry(trained, 0))
    assert (entry.template, entry.labels, entry.preprocessing) == (member.template, member.labels, member.preprocessing)
    assert (entry.document.dataset, entry.document.recipe) == (member.document.dataset, member.document.recipe)
    first, second = summary(trained)[:2]
    assert entry.provenance["trial"] == f"{first['trial']}, {second['trial']}"
    assert entry.provenance["reward"] == {"name": member.provenance["reward"]["name"]}
    assert entry.provenance["space"] == member.provenance["space"]
    assert "metrics" not in entry.provenance
    drawing = (made.entry / "drawing.svg").read_text()
    assert "1: chain" in drawing
    assert "2: chain" in drawing


def test_the_stored_weights_are_those_of_the_members(trained, entry):
    model = entry.load_model()
    assert model.name == entry.name
    data = load("digits")
    measured = 100 * accuracy(model, entry.preprocessing, data.x_test, data.y_test)
    assert measured == pytest.approx(entry.metrics["test_accuracy"], abs=1e-4)
    stored = {variable.path: np.asarray(variable.numpy()) for variable in model.weights}
    for rank in range(2):
        for variable in zoo.Entry.read(member_entry(trained, rank)).load_model().weights:
            np.testing.assert_array_equal(stored.pop(f"member{rank + 1}_{variable.path}"), variable.numpy())
    assert stored == {}


def test_made_again_it_takes_the_place_of_the_one_before(run):
    before = contents(run / "top")
    two = ensemble(run, 2)
    assert two.out == run / "ensemble"
    (run / "ensemble" / ".partial-entry").mkdir()  # what one that was killed leaves
    three = ensemble(run, 3, name="best_three", tag="small")
    assert three.entry == two.entry
    entry = zoo.Entry.read(three.entry)
    assert (entry.name, entry.tag, len(entry.genotype.members)) == ("best_three", "small", 3)
    assert len(three.metrics["members"]) == 3
    data = load("digits")
    reached = 100 * np.mean(averaged(run, 3, data.x_test).argmax(axis=1) == data.y_test)
    assert three.metrics["test_accuracy"] == pytest.approx(reached, abs=1e-4)
    assert [path.name for path in (run / "ensemble").iterdir()] == ["entry"]
    assert contents(run / "top") == before


def test_what_a_killed_one_has_left_is_no_hindrance(run):
    partial = run / "ensemble" / ".partial-entry"
    partial.mkdir(parents=True)
    (partial / "model.weights.h5").write_bytes(b"half of it")
    assert ensemble(run, 2).entry.is_dir()
    assert not partial.exists()


def test_two_runs_make_the_same_files(trained, made, tmp_path):
    again = ensemble(trained, 2, out=tmp_path / "again")
    assert contents(again.out) == contents(made.out)
    assert again.metrics == made.metrics


def test_the_folder_of_a_run_may_have_been_moved(run, made, tmp_path):
    moved = run.rename(tmp_path / "moved")
    assert ensemble(moved, 2).metrics == made.metrics


def test_without_held_out_images_there_is_no_validation_accuracy(searched, tmp_path):
    run = shutil.copytree(searched, tmp_path / "run")
    train_top(run, 2, recipe(SHORT, epochs=1, validation_fraction=0))
    rewards = [row["reward"] for row in summary(run)]
    assert rewards == sorted(rewards, reverse=True)
    metrics = ensemble(run, 2).metrics
    assert metrics["validation_accuracy"] is None
    assert [member["validation_accuracy"] for member in metrics["members"]] == [None, None]
    assert metrics["training_images"] == len(load("digits").y_train)
    assert json.loads((run / "ensemble" / "entry" / "metrics.json").read_text()) == metrics


def test_members_that_held_out_other_images_have_no_validation_accuracy_in_common(run):
    second = json.loads((run / "top" / "summary.json").read_bytes())[1]["hash"][7:15]
    change(run / "top" / second / "entry" / "metrics.json", lambda metrics: {**metrics, "seed": 1})
    assert ensemble(run, 2).metrics["validation_accuracy"] is None


def test_it_is_published_and_loaded_like_any_other(made, tmp_path):
    shelf = zoo.Shelf(tmp_path / "shelf")
    published = shelf.publish(made.out, name="best_two")
    assert str(published.address) == "best_two/digits-v1"
    assert shelf.verify() == []
    found = shelf.find("best_two")
    assert remeasure(found).measured == pytest.approx(made.metrics["test_accuracy"], abs=1e-4)
    about = zoo.info("best_two/digits", shelf=shelf)
    assert (about.parameters, about.flops, about.classes) == (made.metrics["parameters"], made.metrics["flops"], 10)
    assert "averages the probabilities of 2 networks" in (found.folder / "README.md").read_text()
    images = found.preprocessing(load("digits").x_test[:20])
    np.testing.assert_allclose(
        zoo.load("best_two/digits-v1", shelf=shelf).predict_on_batch(images),
        made.model.predict_on_batch(images),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("words", "received"),
    [
        ({"num_classes": 3}, r"include_top=True, num_classes=3, classifier_activation='softmax'$"),
        ({"num_classes": 10}, r"include_top=True, num_classes=10, "),
        ({"include_top": False}, r"include_top=False, num_classes=None, "),
        ({"include_top": False, "pooling": "avg"}, r"include_top=False, num_classes=None, "),
        ({"include_top": False, "features": True}, r"include_top=False, num_classes=None, "),
        ({"classifier_activation": None}, r"classifier_activation=None$"),
        ({"classifier_activation": "sigmoid"}, r"classifier_activation='sigmoid'$"),
    ],
)
def test_the_zoo_gives_it_whole_or_not_at_all(entry, words, received):
    with pytest.raises(ZooError, match=rf"an ensemble, which has no body of its own\. Received: .*{received}"):
        zoo.load(entry, **words)


def test_the_zoo_refuses_images_of_another_size_for_chains_that_flatten_them(entry):
    with pytest.raises(TemplateError, match=r"images of 8x8, the size .* member\d_.*Received: 12x12"):
        zoo.load(entry, input_shape=(12, 12, 1))
    assert zoo.load(entry, input_shape=(8, 8, 1)).output_shape == (None, 10)


def test_it_is_not_trained_or_fine_tuned_itself(entry, tmp_path):
    message = r"the members of an ensemble are trained one by one \(finetune-top, then ensemble\)\. .*an ensemble of 2$"
    out = tmp_path / "out"
    with pytest.raises(TrainingError, match=message):
        train(entry.genotype, "digits", entry.template, SHORT, out=out)
    for from_scratch in (False, True):
        with pytest.raises(TrainingError, match=message):
            finetune(entry, "digits", out=out, recipe=SHORT, from_scratch=from_scratch)
    assert not out.exists()


def test_the_exported_file_averages_too(trained, entry, tmp_path):
    done = zoo.export_entry(entry, ["onnx"], tmp_path / "out")["onnx"]
    assert done.parity.holds
    images = load("digits").x_test[:50]
    session = onnxruntime.InferenceSession(str(done.path), providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"image": entry.preprocessing(images)})
    np.testing.assert_allclose(probabilities, averaged(trained, 2, images), atol=1e-5)
    genotype = session.get_modelmeta().custom_metadata_map["genotype_sha256"]
    assert genotype == entry.genotype.hash.removeprefix("sha256:")


def refused(run: Path, message: str, error: type[AutoMLCellsError] = TrainingError, top: Any = 2, **words: Any) -> None:
    """Nothing is made, nothing changed."""
    before = contents(run)
    with pytest.raises(error, match=message):
        ensemble(run, top, **words)
    assert contents(run) == before


@pytest.mark.parametrize("top", [1, 0, -2, True, 2.0, "2", None])
def test_at_least_two_networks_are_wanted(trained, top):
    refused(trained, rf"at least two networks to average\. Received: top={top!r}$", top=top)


def test_no_more_networks_than_were_trained(trained):
    for top in (4, 33):
        refused(trained, rf"Expected {top} trained networks in .*finetune-top .* --top {top}\)\. Received: 3$", top=top)


def test_the_best_of_the_search_must_have_been_trained(searched, tmp_path):
    refused(
        searched, r"a search whose best were trained \(automl-cells finetune-top .*\)\. Received: no .*summary\.json"
    )
    with pytest.raises(TrainingError, match=r"automl-cells finetune-top .*Received: no .*summary\.json$"):
        ensemble(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"3",
        b"null",
        b'"ab"',
        b'{"hash": "sha256:0123456789"}',
        b"[1, 2]",
        b"[null, null]",
        b'["sha256:0123456789", "sha256:0123456789"]',
        b"[[], []]",
        b'[{"trial": 0}, {"trial": 1}]',
        b'[{"hash": 3}, {"hash": 4}]',
    ],
)
def test_a_damaged_summary_is_refused(run, content):
    (run / "top" / "summary.json").write_bytes(content)
    refused(run, r"(a readable .*summary\.json and the entries it lists|JSON objects)\. Received: ")


def test_an_empty_summary_is_too_short(run):
    (run / "top" / "summary.json").write_text("[]")
    refused(run, r"Expected 2 trained networks in .*Received: 0$")


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", ["genotype.json", "model.json"])
def test_damaged_entries_are_refused(run, rank, name):
    path = member_entry(run, rank) / name
    path.write_text("{")
    refused(run, r"a readable .*summary\.json and the entries it lists\. Received: .*Expecting property name")
    path.unlink()
    refused(run, rf"(no |Received: ).*{name}")


def test_damaged_weights_are_refused(run):
    weights = member_entry(run, 1) / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:500])
    refused(run, r"a readable HDF5 file of weights")
    shutil.copyfile(member_entry(run, 0) / "model.weights.h5", weights)
    refused(run, r"the \d+ variables of the model|of shape")


def test_the_entries_that_are_not_asked_for_need_not_be_there(run, made):
    shutil.rmtree(member_entry(run, 2))
    assert ensemble(run, 2).metrics == made.metrics


@pytest.mark.parametrize(
    ("field", "edit"),
    [
        ("template", lambda template: {**template, "filter_multiplier": 2.0}),
        ("preprocessing", lambda preprocessing: {**preprocessing, "mean": [0.0]}),
        ("labels", lambda labels: labels[::-1]),
        ("dataset", lambda dataset: {**dataset, "fingerprint": "sha256:00"}),
        ("recipe", lambda recipe: {**recipe, "epochs": 7}),
    ],
)
def test_members_of_different_trainings_are_refused(run, field, edit):
    path = member_entry(run, 1) / "model.json"
    change(path, lambda document: {**document, field: edit(document[field])})
    refused(run, rf"members of one template, data set and recipe\. Received: another {field} in .*entry$")


def test_the_data_must_be_what_the_members_learnt(run):
    fingerprint = load("digits").fingerprint
    words = {"dataset": "digits?train=500"}
    refused(run, rf"the data that the members learnt, digits with .*{fingerprint}\. Received: digits_500 with", **words)
    refused(run, r"a data set among .*Received: nope", error=DataError, dataset="nope")
    for rank in range(2):
        path = member_entry(run, rank) / "model.json"
        change(path, lambda document: {**document, "dataset": {"name": "other", "fingerprint": "sha256:00"}})
    refused(run, rf"learnt, other with the fingerprint sha256:00\. Received: digits with {fingerprint}$")


def test_the_data_can_be_given(trained, made, tmp_path):
    for number, data in enumerate(("digits", load("digits"))):
        assert ensemble(trained, 2, dataset=data, out=tmp_path / f"{number}").metrics == made.metrics


def test_data_that_the_summary_does_not_name_must_be_given(run, made):
    change(run / "top" / "summary.json", lambda rows: [{**row, "dataset": None} for row in rows])
    refused(run, r"the data set in .*summary\.json, or given\. Received: None")
    assert ensemble(run, 2, dataset="digits").metrics == made.metrics


@pytest.mark.parametrize("words", [{"name": "Best Two"}, {"tag": "../digits"}, {"name": "a" * 101}])
def test_names_that_cannot_stand_on_a_shelf_are_refused(trained, words):
    refused(trained, rf"a {next(iter(words))} of a-z, 0-9 and '_', at most 100", **words)


def test_a_folder_with_something_else_in_it_stays_as_it_is(run):
    refused(run, r"an empty folder, or that of an ensemble\. Received: .*top$", out=run / "top")
    refused(run, r"an empty folder, or that of an ensemble", out=member_entry(run, 0).parent)  # a training
    refused(run, r"an empty folder, or that of an ensemble", out=run)
    (run / "notes").mkdir()
    (run / "notes" / "mine.txt").write_text("keep")
    refused(run, r"an empty folder, or that of an ensemble", out=run / "notes")
    refused(run, r"an empty folder, or that of an ensemble", out=run / "notes" / "mine.txt")
    (run / "ensemble").write_text("a file")
    refused(run, r"an empty folder, or that of an ensemble\. Received: .*ensemble$")


def test_an_empty_folder_is_used_and_what_stands_beside_an_ensemble_stays(run):
    (run / "mine").mkdir()
    out = ensemble(run, 2, out=run / "mine").out
    (out / "notes.txt").write_text("keep")
    ensemble(run, 3, out=out)
    assert len(zoo.Entry.read(out / "entry").genotype.members) == 3
    assert sorted(path.name for path in out.iterdir()) == ["entry", "notes.txt"]


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b'{"template": 1}', b"3"], ids=["a list", "nothing", "one field", "a number"]
)
def test_a_member_whose_document_is_damaged_is_refused(run, content):
    first = json.loads((run / "top" / "summary.json").read_bytes())[0]["hash"]
    model = run / "top" / first[7:15] / "entry" / "model.json"
    model.write_bytes(content)
    refused(run, r"Expected a (model\.json with template|readable)")


def test_a_row_that_says_nothing_of_its_time_counts_none(run):
    summary = run / "top" / "summary.json"
    rows = json.loads(summary.read_bytes())
    change(run / "top" / rows[0]["hash"][7:15] / "entry" / "metrics.json", lambda metrics: {**metrics, "seconds": None})
    assert ensemble(run, 2).metrics["seconds"] == pytest.approx(rows[1]["seconds"], abs=0.01)


@pytest.mark.parametrize("metrics", [{}, {"test_accuracy": "high", "parameters": 3}, [], 3], ids=repr)
def test_a_member_whose_metrics_are_damaged_is_refused(run, metrics):
    first = json.loads((run / "top" / "summary.json").read_bytes())[0]["hash"][7:15]
    (run / "top" / first / "entry" / "metrics.json").write_text(json.dumps(metrics))
    refused(run, r"metrics\.json with accuracy and parameters\. Received: ")


def test_the_best_trained_before_stay_in_the_summary(run):
    train_top(run, 1, json_recipe(run))
    assert ensemble(run, 2).metrics["test_images"] == 450


def json_recipe(run: Path) -> Any:
    """The recipe that the networks of a search were trained with."""
    document = json.loads(next((run / "top").glob("*/entry/model.json")).read_bytes())
    return recipe_of(document["recipe"])


def test_another_recipe_for_the_same_networks_says_what_to_do(run):
    with pytest.raises(TrainingError, match=r"Remove .*top to train the best anew\..*Received: another recipe"):
        train_top(run, 1, recipe(json_recipe(run), epochs=2))


def test_an_ensemble_is_no_body_for_a_finetuning_without_a_folder(run):
    model = ensemble(run, 2).model
    with pytest.raises(TrainingError, match=r"one network with one classifier\. Received: an ensemble"):
        finetune_model(model, "digits", recipe("finetune", epochs=1))
