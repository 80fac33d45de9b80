import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest

import automl_cells.zoo
from automl_cells.builder import build
from automl_cells.errors import AutoMLCellsError, TemplateError, ZooError
from automl_cells.training import load_weights, save_weights
from automl_cells.zoo import blockqnn_imagenet, blockqnn_imagenet_mobile
from automl_cells.zoo.constructors import constructor
from automl_cells.zoo.entry import WEIGHTS

NAMES = [
    "blockqnn_cifar", "blockqnn_cifar_small", "blockqnn_imagenet", "blockqnn_imagenet_mobile",
    "blockqnn_imagenet_small", "blockqnn_mnist",
]  # fmt: skip


@pytest.fixture(scope="module")
def tiny_blocks(tiny):
    return constructor("tiny_blocks")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype("float32")


@pytest.fixture
def on_shelf(monkeypatch, shelf):
    monkeypatch.setenv("AUTOML_CELLS_ZOO", str(shelf.folder))
    return shelf


@pytest.fixture
def empty_shelf(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOML_CELLS_ZOO", str(tmp_path / "none"))


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_signature_is_that_of_keras_applications(name):
    function = getattr(automl_cells.zoo, name)
    ours = inspect.signature(function).parameters
    theirs = inspect.signature(keras.applications.ResNet50).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for parameter in ("include_top", "input_tensor", "input_shape", "pooling", "classifier_activation"):
        assert ours[parameter].default == theirs[parameter].default
    assert ours["weights"].default is None
    assert ours["classes"].default == (1000 if "imagenet" in name else 10)
    assert ours["name"].default == function.__name__ == function.__qualname__ == name
    more = list(ours.values())[len(theirs) :]
    assert [parameter.name for parameter in more] == [
        "num_classes",
        "repeats",
        "filters",
        "filter_multiplier",
        "features",
    ]
    assert {parameter.kind for parameter in more} == {inspect.Parameter.KEYWORD_ONLY}


def test_help_states_the_measured_size():
    assert "162,805,288 trainable parameters and 23,621,918,720 multiply-adds" in blockqnn_imagenet.__doc__
    assert "include_top:" in blockqnn_imagenet.__doc__


def test_importing_the_zoo_imports_no_keras():
    code = (
        "import sys; from automl_cells.zoo import *; "
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_mobile_network_has_the_planned_parameters():
    model = blockqnn_imagenet_mobile()
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 4_080_028
    assert (model.name, model.input_shape, model.output_shape) == (
        "blockqnn_imagenet_mobile",
        (None, 224, 224, 3),
        (None, 1000),
    )


def test_head_and_pooling(tiny_blocks):
    assert tiny_blocks().output_shape == (None, 10)
    assert tiny_blocks(classes=4, name="mine").output_shape == (None, 4)
    body = tiny_blocks(include_top=False)
    assert body.input_shape == (None, None, None, 1)
    assert body.output_shape[:3] == (None, None, None)
    assert tiny_blocks(include_top=False, input_shape=(16, 16, 2)).output_shape[1:3] == (8, 8)
    assert tiny_blocks(include_top=False, pooling="avg").output_shape == (None, body.output_shape[3])
    assert tiny_blocks(pooling="max").output_shape == (None, 10)  # as keras.applications: ignored with the top
    logits = tiny_blocks(classifier_activation=None)
    assert isinstance(logits.layers[-1], keras.layers.Dense)


def test_a_model_is_built_on_a_given_tensor(tiny_blocks):
    inputs = keras.Input((12, 12, 3))
    model = tiny_blocks(input_tensor=keras.layers.Rescaling(1 / 255)(inputs))
    assert model.input_shape == (None, 12, 12, 3)
    assert isinstance(model.layers[1], keras.layers.Rescaling)
    with pytest.raises(TemplateError, match="Expected the input_shape of input_tensor"):
        tiny_blocks(input_tensor=inputs, input_shape=(8, 8, 3))


@pytest.mark.parametrize(
    "shape", [(8, 8), (8, 8, 3, 1), (8, 8, None), (7, 8, 3), (None, 4, 3), (8.0, 8, 3), 8, (8, 8, 0), (True, 8, 3)]
)
def test_input_shapes_are_checked(tiny_blocks, shape):
    with pytest.raises(TemplateError, match="Received: "):
        tiny_blocks(input_shape=shape)


def test_any_image_size_with_the_top(tiny_blocks):
    model = tiny_blocks(input_shape=(None, None, 3))
    assert model(np.zeros((1, 9, 13, 3), "float32")).shape == (1, 10)


def test_sizes_can_be_changed_without_weights(tiny_blocks, on_shelf):
    wide = tiny_blocks(filters=(2,), filter_multiplier=1.5, repeats=2)
    assert wide.get_layer("stem1_conv").filters == 3
    assert wide.get_layer("stage1_block2_output").output.shape[1:3] == (8, 8)
    for size in ({"repeats": 1}, {"filters": (4, 6)}, {"filter_multiplier": 1.0}):
        with pytest.raises(
            ZooError, match=f"Expected weights=None with {next(iter(size))}. Received: weights='digits'"
        ):
            tiny_blocks(weights="digits", **size)


@pytest.mark.parametrize("weights", ["digits", "digits-v1"])
def test_weights_come_from_the_shelf(tiny_blocks, on_shelf, run, weights):
    stored = build("block_qnn_b", tiny_template())
    load_weights(stored, run / "entry" / WEIGHTS)
    assert same_weights(tiny_blocks(weights=weights), stored)


def test_a_folder_of_the_same_name_does_not_hide_a_tag(tiny_blocks, on_shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert tiny_blocks(weights="digits").output_shape == (None, 10)


def tiny_template():
    return automl_cells.zoo.structure("tiny_blocks").make_template()


def test_weights_come_from_a_file_an_entry_or_a_run(tiny_blocks, run, empty_shelf):
    models = [tiny_blocks(weights=path) for path in (run, run / "entry", str(run / "entry" / WEIGHTS))]
    assert same_weights(models[0], models[1])
    assert same_weights(models[0], models[2])
    assert not same_weights(models[0], tiny_blocks())


def test_the_body_gets_the_weights_of_the_body(tiny_blocks, run, images, empty_shelf):
    """The body, pooled and put through the classifier's weights by hand, gives the whole model's logits."""
    whole = tiny_blocks(weights=run, classifier_activation=None)
    kernel, bias = whole.get_layer("predictions").get_weights()
    for weights in (run, run / "entry" / WEIGHTS):
        body = tiny_blocks(weights=weights, include_top=False, pooling="avg", classes=3)
        np.testing.assert_allclose(np.asarray(body(images)) @ kernel + bias, np.asarray(whole(images)), atol=1e-4)


def test_weights_nobody_has_published(tiny_blocks, on_shelf):
    with pytest.raises(ZooError, match=r"\(there: digits-v1\)\. Received: imagenet$"):
        tiny_blocks(weights="imagenet")
    with pytest.raises(ZooError, match=r"\(there: digits-v1\)\. Received: digits-v2$"):
        tiny_blocks(weights="digits-v2")
    with pytest.raises(ZooError, match="nobody has published weights of this structure"):
        blockqnn_imagenet(weights="imagenet")
    with pytest.raises(ZooError, match="no such file or entry folder"):
        tiny_blocks(weights="missing/model.weights.h5")


def test_other_classes_than_the_weights_have(tiny_blocks, run, empty_shelf):
    with pytest.raises(ZooError, match=r"Expected classes=10 with include_top=True .* Received: 7"):
        tiny_blocks(weights=run, classes=7)
    with pytest.raises(ZooError, match="Expected weights that fit tiny_blocks: Expected predictions/"):
        tiny_blocks(weights=run / "entry" / WEIGHTS, classes=7)


def test_another_activation_than_softmax(tiny_blocks, run, empty_shelf):
    with pytest.raises(ZooError, match=r"'softmax' with weights. Received: 'relu'"):
        tiny_blocks(weights=run, classifier_activation="relu")


def test_other_channels_than_the_weights_have(tiny_blocks, run, empty_shelf):
    with pytest.raises(TemplateError, match="the 1 channels of the weights"):
        tiny_blocks(weights=run, input_shape=(8, 8, 3))
    assert tiny_blocks(weights=run, input_shape=(10, 12, 1)).input_shape == (None, 10, 12, 1)


def test_weights_of_another_structure(run, tmp_path, empty_shelf):
    with pytest.raises(ZooError, match=r"with another genotype, repeats, filters, number of channels$"):
        automl_cells.zoo.blockqnn_cifar(weights=run)
    deeper = build("block_qnn_b", tiny_template().model_copy(update={"repeats": 2}))
    save_weights(deeper, tmp_path / WEIGHTS)
    with pytest.raises(ZooError, match="variables of the body and of the classifier"):
        constructor("tiny_blocks")(weights=tmp_path / WEIGHTS, include_top=False)


def test_damaged_weights_on_the_shelf_are_not_loaded(tiny_blocks, on_shelf):
    path = on_shelf.folder / "tiny_blocks" / "digits-v1" / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(ZooError, match="SHA-256"):
        tiny_blocks(weights="digits")


def test_an_unreadable_weights_file(tiny_blocks, tmp_path, empty_shelf):
    (tmp_path / WEIGHTS).write_bytes(b"rubbish")
    for include_top in (True, False):
        with pytest.raises(AutoMLCellsError, match="Expected weights that fit tiny_blocks"):
            tiny_blocks(weights=tmp_path / WEIGHTS, include_top=include_top)
