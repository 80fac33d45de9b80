"""Keras models that people bring along: what can be exported is, what cannot is refused in a sentence."""

import keras
import numpy as np
import pytest

from automl_cells.errors import ExportError
from automl_cells.export import export_model


def sequential():
    layers = [keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Dense(4, activation="softmax")])


def _functional(make):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, make(inputs))


def normalization_of_constants():
    return _functional(lambda x: keras.layers.Conv2D(2, 3)(keras.layers.Normalization(mean=3.0, variance=4.0)(x)))


def normalization_that_was_adapted():
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(5, 2, (32, 8, 8, 1)))
    convolved = keras.layers.Conv2D(2, 3)
    return _functional(lambda x: keras.layers.BatchNormalization()(convolved(layer(x))))


def dense_and_batch_normalization():
    return _functional(lambda x: keras.layers.BatchNormalization()(keras.layers.Dense(3)(keras.layers.Flatten()(x))))


def shared_layer():
    layer = keras.layers.Conv2D(1, 3, padding="same")
    return _functional(lambda x: keras.layers.Add()([layer(x), layer(layer(x))]))


def nested():
    inner_inputs = keras.Input((8, 8, 1))
    inner = keras.Model(inner_inputs, keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3)(inner_inputs)))
    return _functional(lambda x: keras.layers.GlobalMaxPooling2D()(inner(x)))


def sigmoids():
    return _functional(lambda x: keras.layers.Dense(3, activation="sigmoid")(keras.layers.Flatten()(x)))


def dictionary():
    return _functional(lambda x: {"classes": keras.layers.Dense(3)(keras.layers.Flatten()(x))})


def flattened_softmax():
    return _functional(lambda x: keras.layers.Softmax()(keras.layers.Flatten()(keras.layers.Conv2D(1, 7)(x))))


@pytest.mark.parametrize(
    ("make", "output"),
    [
        (sequential, "probabilities"),
        (normalization_of_constants, "features"),
        (normalization_that_was_adapted, "features"),
        (dense_and_batch_normalization, "features"),
        (shared_layer, "features"),
        (nested, "features"),
        (sigmoids, "scores"),
        (dictionary, "logits"),
        (flattened_softmax, "probabilities"),
    ],
)
def test_it_is_exported_and_agrees(make, output, tmp_path):
    keras.utils.set_random_seed(0)
    model = make()
    images = np.random.default_rng(1).normal(size=(3, 8, 8, 1)).astype(np.float32)
    results = export_model(model, ["savedmodel", "onnx", "litert"], tmp_path, images=images, metadata={"n": 1})
    assert all(result.parity.max_abs_difference < 1e-5 for result in results.values())
    import onnxruntime

    session = onnxruntime.InferenceSession(str(results["onnx"].path))
    assert session.get_outputs()[0].name == output
    assert session.get_modelmeta().custom_metadata_map["output"] == output


def test_logits_of_a_flattened_softmax_are_called_so(tmp_path):
    model = flattened_softmax()
    images = np.zeros((1, 8, 8, 1), np.float32)
    path = export_model(model, ["onnx"], tmp_path, images=images, metadata={}, output="logits")["onnx"].path
    import onnxruntime

    assert onnxruntime.InferenceSession(str(path)).get_outputs()[0].name == "logits"


def channels_first():
    return _functional(lambda x: keras.layers.Conv2D(2, 1, data_format="channels_first")(x))


def half_inside():
    inner_inputs = keras.Input((8, 8, 1))
    inner = keras.Model(inner_inputs, keras.layers.Flatten(dtype="float16")(inner_inputs))
    return _functional(lambda x: inner(x))


def two_outputs():
    return _functional(lambda x: [keras.layers.Flatten()(x), keras.layers.GlobalMaxPooling2D()(x)])


def unbuilt():
    return keras.Sequential([keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (channels_first, "with the channels first"),
        (half_inside, "computes in float16"),
        (two_outputs, "1 inputs and 2 outputs"),
        (unbuilt, "that is built"),
    ],
)
def test_it_is_refused(make, words, tmp_path):
    images = np.zeros((1, 8, 8, 1), np.float32)
    with pytest.raises(ExportError, match=words):
        export_model(make(), ["onnx"], tmp_path / "out", images=images, metadata={})
    assert list(tmp_path.iterdir()) == []


def test_scores_have_no_logits(tmp_path):
    images = np.zeros((1, 8, 8, 1), np.float32)
    with pytest.raises(ExportError, match=r"Received: 'logits' of a model that gives scores"):
        export_model(sigmoids(), ["onnx"], tmp_path, images=images, metadata={}, output="logits")


def test_what_is_in_the_way_is_named_before_anything_is_made(model, images, tmp_path):
    (tmp_path / "model.onnx").mkdir()
    (tmp_path / "savedmodel").write_text("mine")
    for form in ("onnx", "savedmodel"):
        with pytest.raises(ExportError, match=f"free for the {form} export"):
            export_model(model, [form], tmp_path, images=images, metadata={})
