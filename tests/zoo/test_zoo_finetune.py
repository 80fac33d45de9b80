import json

import keras
import numpy as np
import pytest

import automl_cells as ac
from automl_cells.builder import build
from automl_cells.datasets import Preprocessing, balanced_subset, load, with_channels
from automl_cells.errors import TrainingError, ZooError
from automl_cells.training import recipe
from automl_cells.training.bodies import ModelBody
from automl_cells.zoo import Entry
from automl_cells.zoo.finetune import finetune

SHORT = recipe("finetune", epochs=1, batch_size=16, augmentation=[])
GENOTYPE = "block_qnn_b"
SIZES = {"repeats": 1, "filters": (4, 6), "input_shape": (8, 8, 1)}


@pytest.fixture(scope="module")
def few():
    return balanced_subset(load("digits"), 60)


def test_an_address_becomes_an_entry_that_says_where_it_comes_from(shelf, few, tmp_path):
    result = ac.finetune("tiny_blocks/digits", few, out=tmp_path / "run", recipe=SHORT, head_epochs=1, shelf=shelf)
    entry = Entry.read(result.entry)
    source = shelf.find("tiny_blocks/digits")
    assert (entry.name, entry.tag) == ("tiny_blocks", "digits_60")  # the same size: the same structure
    assert entry.provenance["finetuned_from"]["entry"] == "tiny_blocks/digits-v1"
    assert entry.provenance["finetuned_from"]["weights_sha256"] == source.manifest.files["model.weights.h5"].sha256
    assert entry.provenance["trial"] == source.provenance["trial"]
    assert entry.preprocessing == result.preprocessing == source.preprocessing
    assert (result.metrics["epochs"], result.out) == (2, tmp_path / "run")
    assert shelf.publish(result.out).address.tag == "digits_60"


def test_from_scratch_trains_as_long_without_the_weights(run, few, tmp_path):
    result = finetune(run, few, out=tmp_path, recipe=SHORT, head_epochs=2, from_scratch=True, preprocessing="data")
    entry = Entry.read(result.entry)
    assert result.metrics["epochs"] == 3
    assert "finetuned_from" not in entry.provenance
    assert entry.preprocessing == few.preprocessing


def test_without_a_run_folder_nothing_is_written(run, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wide = ac.from_arrays(np.pad(few.x_train, ((0, 0), (2, 2), (0, 3), (0, 0))), few.y_train, name="wide")
    result = finetune(Entry.read(run / "entry"), wide, recipe=SHORT, head_epochs=0, preprocessing="data")
    assert result.model.input_shape == (None, 12, 11, 1)
    assert (result.out, result.entry, result.preprocessing) == (None, None, wide.preprocessing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{}, {"include_top": False}, {"include_top": False, "pooling": "max"}])
def test_a_keras_model_with_or_without_its_top(options, few):
    keras.utils.set_random_seed(0)
    model = build(GENOTYPE, "cifar", classes=4, **SIZES, **options)
    before = model.get_weights()
    result = finetune(model, few, recipe=SHORT, head_epochs=1)
    assert result.model.output_shape == (None, 10)
    assert {type(layer).__module__.split(".")[0] for layer in result.model.layers} == {"keras"}
    probabilities = result.model.predict_on_batch(result.preprocessing(few.x_test[:5]))
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert result.preprocessing == few.preprocessing
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # the model that was given stays as it was


def test_the_copy_of_a_model_is_the_model_with_a_new_head(few):
    model = build(GENOTYPE, "cifar", include_top=False, pooling="avg", **SIZES)
    network = ModelBody(model, (8, 8, 1), 10).network(SHORT, None)
    body = keras.Model(network.input, network.get_layer("predictions").input)
    images = few.preprocessing(few.x_test[:3])
    np.testing.assert_allclose(body.predict_on_batch(images), model.predict_on_batch(images), atol=1e-6)


def test_a_model_in_a_run_folder_can_be_resumed(few, tmp_path):
    image = keras.Input((None, None, 3))
    maps = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(image))
    model = keras.Model(image, maps, name="mine")
    result = finetune(model, few, out=tmp_path, recipe=SHORT, head_epochs=1, batch_norm="frozen")
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoints", "model.json", "metrics.json", "history.json", "model.keras"
    }  # fmt: skip
    document = json.loads((tmp_path / "model.json").read_text())
    colours = with_channels(few, 3)
    assert Preprocessing.from_document(document["preprocessing"]) == result.preprocessing == colours.preprocessing
    again = finetune(model, few, out=tmp_path, recipe=SHORT, head_epochs=1, batch_norm="frozen", resume=True)
    assert (again.history, again.metrics["test_accuracy"]) == (result.history, result.metrics["test_accuracy"])
    stored = keras.saving.load_model(tmp_path / "model.keras")
    images = result.preprocessing(colours.x_test[:4])
    np.testing.assert_allclose(stored.predict_on_batch(images), result.model.predict_on_batch(images), atol=1e-6)


def test_what_is_refused(run, few, shelf, tmp_path):
    with pytest.raises(ZooError, match=r"Expected an address, a folder, an Entry or a keras\.Model"):
        finetune(3, few)
    with pytest.raises(ZooError, match="Received: nope"):
        finetune("nope", few, shelf=shelf)
    with pytest.raises(ZooError, match=r"'body', 'data' or a Preprocessing\. Received: 'none'"):
        finetune(run, few, preprocessing="none")
    with pytest.raises(ZooError, match="an entry with preprocessing='body'"):
        finetune(build(GENOTYPE, "cifar", **SIZES), few, preprocessing="body")
    with pytest.raises(ZooError, match="Expected an entry and a run folder with from_scratch"):
        finetune(run, few, from_scratch=True)
    vector = keras.Model(image := keras.Input((8, 8)), keras.layers.Flatten()(image))
    with pytest.raises(TrainingError, match="Expected a model from images"):
        finetune(vector, few)
    two = keras.Model(image := keras.Input((8, 8, 1)), [image, keras.layers.ReLU()(image)])
    with pytest.raises(TrainingError, match="one input and one output"):
        finetune(two, few)


def test_damaged_weights_on_the_shelf_are_not_tuned(shelf, few, tmp_path):
    path = shelf.folder / "tiny_blocks" / "digits-v1" / "model.weights.h5"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ZooError, match="as published"):
        finetune("tiny_blocks", few, out=tmp_path / "run", shelf=shelf)
    assert not (tmp_path / "run").exists()
