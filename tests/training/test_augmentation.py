import keras
import numpy as np
import pytest

from automl_cells.datasets import Preprocessing
from automl_cells.training import recipe
from automl_cells.training.augmentation import training_model

SAME = Preprocessing((0.0,), (1.0,))


def wrapped(*steps, preprocessing=SAME, side=8):
    inputs = keras.Input((side, side, 1))
    network = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    return training_model(network, preprocessing, recipe("plain", augmentation=steps).augmentation, (side, side, 1))


def test_outside_of_training_only_the_normalisation_is_left():
    images = np.random.default_rng(0).uniform(0, 16, (3, 8, 8, 1)).astype(np.float32)
    preprocessing = Preprocessing((4.5,), (3.0,))
    model = wrapped({"op": "translation", "pixels": 2}, {"op": "rotation", "degrees": 20}, preprocessing=preprocessing)
    found = keras.ops.convert_to_numpy(model(images, training=False))
    np.testing.assert_allclose(found, preprocessing(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "margin"), [({"op": "translation", "pixels": 2}, 2), ({"op": "zoom", "factor": 0.3}, 2)]
)
def test_black_comes_in_at_the_border_and_no_further(step, margin):
    keras.utils.set_random_seed(0)
    found = keras.ops.convert_to_numpy(wrapped(step)(np.ones((50, 8, 8, 1), np.float32), training=True))
    inside = found[:, margin:-margin, margin:-margin]
    np.testing.assert_allclose(inside, 1, rtol=1e-5)
    assert found.min() == 0
    assert found[:, 0].max() == pytest.approx(1)


def test_a_rotation_keeps_the_centre_and_turns_by_no_more_than_it_says():
    keras.utils.set_random_seed(0)
    image = np.zeros((1, 9, 9, 1), np.float32)
    image[0, 4, :, 0] = 1  # a horizontal line: 20° move its ends by 4 · sin 20° = 1.4 pixels
    model = wrapped({"op": "rotation", "degrees": 20}, side=9)
    found = keras.ops.convert_to_numpy(model(np.repeat(image, 50, axis=0), training=True))
    np.testing.assert_allclose(found[:, 4, 4], 1, atol=1e-4)
    assert np.all(found[:, [0, 1, 7, 8]] == 0)
    assert found[:, 3].max() > 0.3


def test_a_flip_gives_the_image_or_its_mirror():
    keras.utils.set_random_seed(0)
    image = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
    found = keras.ops.convert_to_numpy(wrapped({"op": "horizontal_flip"})(np.repeat(image, 30, axis=0), training=True))
    mirrored = [bool(np.array_equal(one, image[0, :, ::-1])) for one in found]
    assert 5 < sum(mirrored) < 25
    assert all(flipped or np.array_equal(one, image[0]) for one, flipped in zip(found, mirrored, strict=True))
