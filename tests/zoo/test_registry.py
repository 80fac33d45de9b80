import dataclasses

import numpy as np
import pytest

from automl_cells import zoo
from automl_cells.errors import ZooError
from automl_cells.zoo import Entry, decode_predictions, info, list_models, load, preprocess_input
from automl_cells.zoo.catalogue import structures
from automl_cells.zoo.constructors import constructor


@pytest.fixture
def on_shelf(monkeypatch, shelf):
    monkeypatch.setenv("AUTOML_CELLS_ZOO", str(shelf.folder))
    return shelf


def test_structures_and_entries_are_told_apart(on_shelf):
    assert list_models(trained=True) == ["tiny_blocks/digits-v1"]
    assert list_models(trained=False) == sorted(structures())
    assert list_models() == sorted([*structures(), "tiny_blocks/digits-v1"])


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*cifar*", ["blockqnn_cifar", "blockqnn_cifar_small", "metaqnn_cifar", "nasnet_a_cifar"]),
        ("cifar", ["blockqnn_cifar", "blockqnn_cifar_small", "metaqnn_cifar", "nasnet_a_cifar"]),
        ("nasnet_a_?????", ["nasnet_a_cifar", "nasnet_a_large", "nasnet_a_mnist"]),
        ("tiny_blocks/*", ["tiny_blocks/digits-v1"]),
        ("nothing", []),
    ],
)
def test_patterns(on_shelf, pattern, found):
    assert list_models(pattern) == found


def test_versions_are_counted_as_people_do(on_shelf, run, monkeypatch):
    items = on_shelf.list()
    many = [items[0].model_copy(update={"version": version}) for version in (10, 9, 1)]
    monkeypatch.setattr(type(on_shelf), "list", lambda self: many)
    assert list_models(trained=True) == [f"tiny_blocks/digits-v{version}" for version in (1, 9, 10)]


def test_what_is_known_of_an_entry(on_shelf):
    known = info("tiny_blocks/digits")
    assert (known.name, known.version, known.trained, known.dataset) == ("tiny_blocks", "digits-v1", True, "digits")
    assert known.metrics["test_accuracy"] == 91.25
    assert known.labels == tuple("0123456789")
    assert known.versions == {"tiny_blocks/digits-v1": None}
    assert known.input_shape == (8, 8, 1)
    assert known == info(on_shelf.find("tiny_blocks"))
    assert dataclasses.asdict(known)["published"] == known.published


def test_what_is_known_of_a_structure_and_of_a_run(on_shelf, run):
    known = info("nasnet_a_mobile")
    assert (known.trained, known.parameters, known.classes, known.versions) == (False, 5_289_978, 1000, {})
    mine = info(run)
    assert (mine.version, mine.published, mine.versions) == (None, None, {})
    with pytest.raises(ZooError, match="Received: nothing"):
        info("nothing")


def test_a_model_by_its_address(on_shelf):
    entry = on_shelf.find("tiny_blocks")
    model = load("tiny_blocks/digits-v1")
    for ours, theirs in zip(model.get_weights(), entry.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (model.name, model.input_shape, model.output_shape) == ("tiny_blocks", (None, 8, 8, 1), (None, 10))
    assert load(entry, name="mine").name == "mine"
    assert load("tiny_blocks", input_shape=(None, 12, 1)).input_shape == (None, None, 12, 1)


def test_new_classes_on_the_pretrained_body(on_shelf):
    whole, swapped = load("tiny_blocks"), load("tiny_blocks", num_classes=10)
    kernels = [model.get_layer("predictions").get_weights()[0] for model in (whole, swapped)]
    assert not np.array_equal(*kernels)  # a new classifier, though it has as many classes
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    body = load("tiny_blocks", include_top=False, pooling="avg", input_shape=(8, 8, 1))
    kernel, bias = swapped.get_layer("predictions").get_weights()
    logits = load("tiny_blocks", num_classes=10, classifier_activation=None)
    logits.set_weights(swapped.get_weights())
    np.testing.assert_allclose(
        np.asarray(body(images)) @ kernel + bias, np.asarray(logits(images, training=False)), atol=1e-4
    )


def test_a_structure_without_weights_says_how_it_is_built(on_shelf):
    with pytest.raises(ZooError, match=r"from automl_cells.zoo import blockqnn_cifar. Received: blockqnn_cifar"):
        load("blockqnn_cifar")


def test_damaged_weights_never_reach_a_model(on_shelf):
    path = on_shelf.find("tiny_blocks").weights
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(ZooError, match="SHA-256"):
        load("tiny_blocks")


def test_pixels_in_and_names_out(on_shelf):
    entry = on_shelf.find("tiny_blocks")
    pixels = np.arange(128.0).reshape(2, 8, 8, 1)
    before = pixels.copy()
    np.testing.assert_array_equal(preprocess_input(pixels, "tiny_blocks/digits"), entry.preprocessing(pixels))
    np.testing.assert_array_equal(pixels, before)
    scores = np.zeros((2, 10))
    scores[0, [3, 7]] = 0.9, 0.1
    scores[1, [0, 9]] = 0.5, 0.5  # a tie: in the order of the classes
    assert decode_predictions(scores, entry, top=2) == [
        [(3, "3", 0.9), (7, "7", 0.1)],
        [(0, "0", 0.5), (9, "9", 0.5)],
    ]
    assert [len(row) for row in decode_predictions(scores, "tiny_blocks", top=99)] == [10, 10]


def test_what_pixels_and_names_refuse(on_shelf):
    with pytest.raises(ZooError, match=r"shape \(batch, 10\). Received: \(2, 9\)"):
        decode_predictions(np.zeros((2, 9)), "tiny_blocks")
    with pytest.raises(ZooError, match=r"top of at least 1. Received: 0"):
        decode_predictions(np.zeros((2, 10)), "tiny_blocks", top=0)
    with pytest.raises(ZooError, match="Received: 'channels_first'"):
        preprocess_input(np.zeros((1, 8, 8, 1)), "tiny_blocks", data_format="channels_first")


def test_the_constructor_carries_both(on_shelf, tiny):
    made = constructor("tiny_blocks")
    pixels = np.ones((1, 8, 8, 1))
    expected = Entry.read(on_shelf.find("tiny_blocks").folder).preprocessing(pixels)
    np.testing.assert_array_equal(made.preprocess_input(pixels, weights="digits"), expected)
    assert made.decode_predictions(np.eye(10)[:1], top=1, weights="digits-v1") == [[(0, "0", 1.0)]]


def test_the_official_weights_have_the_preprocessing_of_keras_applications():
    import keras

    pixels = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    expected = keras.applications.nasnet.preprocess_input(pixels.copy())
    np.testing.assert_allclose(zoo.nasnet_a_mobile.preprocess_input(pixels, weights="imagenet"), expected, atol=1e-6)
    with pytest.raises(ZooError, match=r"shape \(batch, 1000\)"):
        zoo.nasnet_a_mobile.decode_predictions(np.zeros((1, 10)), weights="imagenet")


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int64])
def test_scores_of_any_type_are_ranked(on_shelf, dtype):
    scores = np.zeros((1, 10), dtype)
    scores[0, 2] = 1
    assert decode_predictions(scores, "tiny_blocks", top=1) == [[(2, "2", 1.0)]]
    with pytest.raises(ZooError, match=r"predictions as numbers. Received: list"):
        decode_predictions([["a"] * 10], "tiny_blocks")


@pytest.mark.parametrize("words", [{"classes": 0}, {"num_classes": 0}, {"num_classes": "5"}, {"num_classes": 5.0}])
def test_a_number_of_classes_is_a_whole_number(words):
    with pytest.raises(ZooError, match=r"as a whole number above 0. Received: "):
        zoo.blockqnn_mnist(**words)


@pytest.mark.parametrize("words", [{"classifier_activation": "nope"}, {"name": "a/b"}])
def test_what_keras_refuses_is_refused_in_a_sentence(words):
    with pytest.raises(ZooError, match=r"a name and an activation that Keras has. Received: "):
        zoo.blockqnn_mnist(**words)


def test_versions_say_what_changed(on_shelf, other_run):
    on_shelf.publish(other_run, changes="another seed")
    assert info("tiny_blocks/digits").versions == {
        "tiny_blocks/digits-v1": None,
        "tiny_blocks/digits-v2": "another seed",
    }
