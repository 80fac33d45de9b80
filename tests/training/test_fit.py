import io
import json
import shutil

import keras
import numpy as np
import pytest
from rich.console import Console

from automl_cells.builder import build, cost, plan, template
from automl_cells.builder.template import from_document
from automl_cells.datasets import Preprocessing, from_arrays, stratified_split
from automl_cells.errors import TrainingError
from automl_cells.genotypes import BlockGenotype, load, serialization
from automl_cells.training import entry as entries
from automl_cells.training import load_weights, recipe, schedule, session, train
from automl_cells.training.conclusion import accuracy
from automl_cells.training.progress import ShowProgress

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
FRAME = template("cifar", repeats=1, filters=(4,), input_shape=(6, 6, 1), classes=2)
SHORT = recipe("plain", epochs=3, batch_size=8, learning_rate=0.02)


def bars(seed=0, images=160):
    """Bright bars, upright (0) or lying (1): learnt in an epoch or two."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % 2
    pictures = random.uniform(0, 60, (images, 6, 6, 1)).astype(np.uint8)
    for picture, label, place in zip(pictures, labels, random.integers(1, 5, images), strict=True):
        (picture[:, place] if label == 0 else picture[place])[...] = 200
    return from_arrays(pictures, labels, class_names=["upright", "lying"], name="bars & more")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "new"
    return train(BLOCK, bars(), FRAME, SHORT, out=out, name="small", provenance={"found": "by hand"})


def test_the_entry_holds_what_the_zoo_needs(run):
    files = {file.name for file in run.entry.iterdir()}
    assert files == {
        "genotype.json", "model.json", "model.weights.h5", "metrics.json", "history.json", "drawing.svg"
    }  # fmt: skip
    genotype, provenance = serialization.from_file(run.entry / "genotype.json")
    assert (genotype, provenance) == (BLOCK, {"found": "by hand"})
    document = json.loads((run.entry / "model.json").read_text())
    assert (document["format"], document["version"]) == ("automl_cells/model", 1)
    assert (document["name"], document["tag"]) == ("small", "bars_more")
    assert from_document(document["template"]) == FRAME
    assert Preprocessing.from_document(document["preprocessing"]) == bars().preprocessing
    assert document["labels"] == ["upright", "lying"]
    assert document["dataset"] == {"name": "bars & more", "fingerprint": bars().fingerprint}
    assert recipe("plain", **document["recipe"]) == SHORT
    assert "<svg" in (run.entry / "drawing.svg").read_text()


def test_the_metrics_are_those_of_the_stored_weights(run):
    metrics = json.loads((run.entry / "metrics.json").read_text())
    model = build(BLOCK, FRAME)
    load_weights(model, run.entry / "model.weights.h5")
    dataset = bars()
    measured = 100 * accuracy(model, dataset.preprocessing, dataset.x_test, dataset.y_test)
    assert metrics["test_accuracy"] == pytest.approx(measured) == pytest.approx(100 - metrics["test_error"])
    assert metrics["test_accuracy"] >= 75  # half of it is chance
    expected = cost(plan(BLOCK, FRAME))
    assert [metrics[key] for key in ("parameters", "total_parameters", "flops")] == list(expected)
    assert metrics["total_parameters"] == model.count_params()
    assert (metrics["epochs"], metrics["seed"], metrics["training_images"], metrics["test_images"]) == (3, 0, 108, 40)
    assert metrics["seconds"] > 0
    assert metrics["versions"]["keras"] == keras.__version__
    best = run.history["val_accuracy"][metrics["best_epoch"] - 1]
    assert 100 * best == pytest.approx(metrics["validation_accuracy"], abs=1e-3)
    assert best == max(run.history["val_accuracy"])


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(run, tmp_path, monkeypatch):
    def interrupt(self, step):
        if step == 30:  # in the middle of the third epoch
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ShowProgress, "step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(BLOCK, bars(), FRAME, SHORT, out=tmp_path, name="small", progress=Console(file=io.StringIO()))
    assert not (tmp_path / "entry").exists()
    with pytest.raises(TrainingError, match="told to resume"):
        train(BLOCK, bars(), FRAME, SHORT, out=tmp_path, name="small")
    with pytest.raises(TrainingError, match="Received: another seed"):
        train(BLOCK, bars(), FRAME, SHORT, out=tmp_path, name="small", seed=1, resume=True)
    resumed = train(BLOCK, bars(), FRAME, SHORT, out=tmp_path, name="small", resume=True)
    for name, values in run.history.items():
        assert resumed.history[name] == pytest.approx(values, abs=1e-4), name
    for name in ("test_accuracy", "steps", "epochs", "best_epoch"):
        assert resumed.metrics[name] == run.metrics[name]
    assert run.metrics["steps"] == 3 * (108 // 8)


def test_a_finished_training_is_handed_back_without_being_trained_again(run, monkeypatch):
    monkeypatch.setattr(session, "fit", None)
    again = train(BLOCK, bars(), FRAME, SHORT, out=run.out, name="small", resume=True)
    assert (again.metrics, again.history) == (run.metrics, run.history)
    for one, other in zip(again.model.weights, run.model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_training_interrupted_before_its_entry_was_written_only_writes_it(run, tmp_path):
    shutil.copytree(run.out / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / ".partial-entry").mkdir()
    again = train(BLOCK, bars(), FRAME, SHORT, out=tmp_path, name="small", resume=True)
    assert again.history == run.history
    assert (again.entry / "model.weights.h5").read_bytes() == (run.entry / "model.weights.h5").read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoints", "entry"}


def test_averaged_weights_are_what_is_validated_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "EMA_SHARE", 1e9)  # a slow average in a short training, so that it shows
    chosen = recipe(SHORT, ema=0.999999, label_smoothing=0.1, weight_decay=0, epochs=2)
    result = train(BLOCK, bars(), FRAME, chosen, out=tmp_path)
    dataset = bars()
    _, held_out = stratified_split(dataset.y_train, chosen.validation_fraction, seed=0)
    probabilities = result.model.predict_on_batch(dataset.preprocessing(dataset.x_train[held_out]))
    targets = np.eye(2)[dataset.y_train[held_out]]
    loss = -np.mean(np.sum(targets * np.log(probabilities), axis=1))
    assert loss == pytest.approx(result.history["val_loss"][result.metrics["best_epoch"] - 1], rel=0.01)
    # So slow an average stays where the first step of AdamW led, which changes no weight by more than its rate, 0.02.
    keras.utils.set_random_seed(0)
    for start, kept in zip(build(BLOCK, FRAME).trainable_weights, result.model.trainable_weights, strict=True):
        assert np.abs(kept.numpy() - start.numpy()).max() < 0.021


def test_without_validation_the_last_averaged_weights_are_kept(tmp_path):
    chosen = recipe(
        "plain", epochs=2, batch_size=16, optimizer="sgd", learning_rate=0.1, schedule="step", steps=[0.5], ema=0.5,
        validation_fraction=0, clip_norm=5.0, augmentation=[],
    )  # fmt: skip
    result = train(BLOCK, bars(), FRAME, chosen, out=tmp_path)
    assert (result.metrics["validation_accuracy"], result.metrics["best_epoch"]) == (None, 2)
    assert result.metrics["training_images"] == 120
    assert set(result.history) == {"loss", "accuracy"}
    assert json.loads((result.entry / "model.json").read_text())["name"] == f"block_{BLOCK.hash[7:15]}"


def test_a_published_block_trains_on_digits(tmp_path):
    frame = template("cifar", repeats=1, filters=(4, 8), input_shape=(8, 8, 1), classes=10)
    result = train(load("block_qnn_s"), "digits", frame, recipe("plain", epochs=2), out=tmp_path)
    assert result.metrics["test_accuracy"] > 20  # chance is 10


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_built(tmp_path):
    with pytest.raises(TrainingError, match=r"at most the 108 training images.*Received: 109"):
        train(BLOCK, bars(), FRAME, recipe(SHORT, batch_size=109), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_augmentation_that_does_not_suit_the_images_is_refused_before_anything_is_written(tmp_path):
    chosen = recipe(SHORT, augmentation=[{"op": "upsample_crop", "size": 5}])
    with pytest.raises(
        TrainingError, match=r"upsample_crop to a size of at least 6, that of the images\. Received: 5$"
    ):
        train(BLOCK, bars(), FRAME, chosen, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_replicas_than_devices_are_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"Expected 1 to \d+ replicas on this machine.*Received: 1000"):
        train(BLOCK, bars(), FRAME, SHORT, out=tmp_path / "run", replicas=1000)
    with pytest.raises(TrainingError, match="Received: 0"):
        train(BLOCK, bars(), FRAME, SHORT, out=tmp_path / "run", replicas=0)
    assert not (tmp_path / "run").exists()


def test_rare_classes_can_weigh_more(tmp_path):
    """Labels that have nothing to do with the images: what is learnt is how common the classes are, 9 to 1."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 255, (400, 6, 6, 1), np.uint8), (np.arange(400) % 10 == 0).astype(int)
    data = from_arrays(images, labels, name="noise")
    found = {}
    for weights in ("none", "balanced"):
        chosen = recipe(SHORT, epochs=2, class_weights=weights, ema=None, label_smoothing=0.0)
        model = train(BLOCK, data, FRAME, chosen, out=tmp_path / weights).model
        found[weights] = float(np.mean(model.predict_on_batch(data.preprocessing(data.x_test))[:, 1]))
    assert found["none"] < 0.2
    assert found["balanced"] > found["none"] + 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_shape": (8, 8, 1)}, r"images of bars & more, \(6, 6, 1\). Received: \(8, 8, 1\)"),
        ({"classes": 3}, "the 2 classes of bars & more. Received: 3"),
    ],
)
def test_a_template_that_does_not_fit_the_data_is_refused(tmp_path, changes, message):
    with pytest.raises(TrainingError, match=message):
        train(BLOCK, bars(), template(FRAME, **changes), SHORT, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(TrainingError, match="Expected an empty folder"):
            train(BLOCK, bars(), FRAME, SHORT, out=tmp_path, resume=resume)
    with pytest.raises(TrainingError, match="a file"):
        train(BLOCK, bars(), FRAME, SHORT, out=tmp_path / "thesis.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_name_that_is_no_zoo_address_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"Received: '\.\./up'"):
        train(BLOCK, bars(), FRAME, SHORT, out=tmp_path / "run", name="../up")


def test_a_training_killed_before_it_had_begun_can_be_started_again(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".partial-x.json").write_text("{")
    (tmp_path / "checkpoints" / ".lock").touch()
    result = train(BLOCK, bars(), FRAME, recipe(SHORT, epochs=1), out=tmp_path)
    assert result.metrics["epochs"] == 1
    assert not list((tmp_path / "checkpoints").glob(".partial-*"))


def test_two_trainings_in_one_folder_refuse_each_other(run):
    with entries.locked(run.out), pytest.raises(TrainingError, match="no other training to be running in"):
        train(BLOCK, bars(), FRAME, SHORT, out=run.out, name="small", resume=True)
    assert train(BLOCK, bars(), FRAME, SHORT, out=run.out, name="small", resume=True).metrics == run.metrics


def test_weights_of_other_classes_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TrainingError, match="class weight for each of 2 classes"):
        train(BLOCK, bars(), FRAME, recipe(SHORT, class_weights=[1, 2, 3]), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
