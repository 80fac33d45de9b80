"""What ``keras.applications`` promises, for every constructor of the zoo; the large ones in small versions."""

import inspect

import keras
import numpy as np
import pytest

import automl_cells.zoo
from automl_cells.builder.head import is_head
from automl_cells.builder.template import CellTemplate, ChainTemplate
from automl_cells.errors import TemplateError, ZooError
from automl_cells.training import save_weights
from automl_cells.zoo.catalogue import structures

LARGEST = 10_000_000  # parameters of a model that is built at its full size here


def sizes(name):
    """Changes that make a small network of any structure."""
    template = structures()[name].make_template()
    if isinstance(template, CellTemplate):
        return {"repeats": 1, "filter_multiplier": 8 / template.filters[0]}
    if isinstance(template, ChainTemplate):
        return {"filter_multiplier": 1 / 32}
    return {"repeats": 1, "filters": tuple(4 * 2**stage for stage in range(len(template.filters)))}


@pytest.fixture(params=structures(), scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def make(name):
    """The constructor, at a small size."""
    function = getattr(automl_cells.zoo, name)
    channels = structures()[name].input_shape[2]

    def small(**words):
        return function(**{"input_shape": (32, 32, channels), **sizes(name), **words})

    return small


def images(model, count=2):
    shape = [32 if size is None else size for size in model.input_shape[1:]]
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)


def test_the_signature_begins_as_in_keras_applications(name):
    ours = inspect.signature(getattr(automl_cells.zoo, name)).parameters
    theirs = inspect.signature(keras.applications.ResNet50).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert ours["num_classes"].kind is inspect.Parameter.KEYWORD_ONLY


def test_it_can_be_imported_and_is_listed(name):
    assert name in automl_cells.zoo.__all__
    assert name in automl_cells.zoo.list_models(trained=False)
    assert automl_cells.zoo.info(name).parameters == structures()[name].cost().parameters


def test_probabilities_logits_and_new_classes(make, name):
    model = make(classes=7)
    assert model.name == name
    outputs = np.asarray(model(images(model), training=False))
    assert outputs.shape == (2, 7)
    np.testing.assert_allclose(outputs.sum(-1), 1, atol=1e-5)
    logits = make(classes=7, classifier_activation=None)
    logits.set_weights(model.get_weights())
    np.testing.assert_allclose(keras.ops.softmax(logits(images(model), training=False)), outputs, atol=1e-5)
    assert make(num_classes=3).output_shape == (None, 3)


def test_a_body_for_images_of_any_size(make):
    body = make(include_top=False, input_shape=None)
    assert body.output_shape[:3] == (None, None, None)
    pooled = make(include_top=False, pooling="avg")
    assert pooled.output_shape == (None, body.output_shape[3])
    assert make(include_top=False, pooling="max")(images(pooled)).shape == (2, body.output_shape[3])
    maps = make(include_top=False, features=True)(images(pooled), training=False)
    assert len(maps) > 1
    assert maps[-1].shape[3] == body.output_shape[3]


def test_what_is_refused(make):
    with pytest.raises(ZooError, match=r"Expected include_top=True with num_classes. Received: num_classes=3"):
        make(include_top=False, num_classes=3)
    with pytest.raises(ZooError, match=r"either classes or num_classes. Received: classes=5 and num_classes=3"):
        make(classes=5, num_classes=3)
    with pytest.raises(ZooError, match=r"Expected weights=None with (repeats|filter_multiplier)"):
        make(weights="imagenet_of_mars")
    with pytest.raises(TemplateError, match="Received: "):
        make(input_shape=(4, 4, 3))


def test_weights_from_a_file_with_the_old_classifier_and_a_new_one(name, tmp_path):
    if structures()[name].cost().parameters > LARGEST:
        pytest.skip("too large a file for a test; its small relatives are tested")
    function = getattr(automl_cells.zoo, name)
    model = function()
    path = tmp_path / "model.weights.h5"
    save_weights(model, path)
    for ours, theirs in zip(function(weights=path).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs.astype(np.float16).astype(np.float32))
    swapped = function(weights=path, num_classes=3)
    assert swapped.output_shape == (None, 3)
    for layer in swapped.layers:
        if layer.weights and not is_head(layer.name):
            for ours, theirs in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs.astype(np.float16).astype(np.float32))
