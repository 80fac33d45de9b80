import json

import numpy as np
import pytest

from automl_cells.datasets import Preprocessing, from_arrays
from automl_cells.errors import DataError


def dataset(**changes):
    images = np.arange(12 * 2 * 2, dtype=np.uint8).reshape(12, 2, 2, 1)
    arrays = {"x_train": images, "y_train": np.arange(12) % 2, "x_test": images[:2], "y_test": np.array([0, 1])}
    return from_arrays(**{**arrays, **changes})


def test_preprocessing_has_the_mean_and_deviation_of_each_channel():
    images = np.zeros((2, 1, 2, 2), np.uint8)
    images[..., 0] = [[[0, 2]], [[4, 6]]]  # mean 3, variance (9 + 1 + 1 + 9) / 4 = 5
    images[..., 1] = 7  # constant: deviation 1
    found = Preprocessing.of(images)
    assert found.mean == (3.0, 7.0)
    assert found.std == pytest.approx((5**0.5, 1.0))
    normalised = found(images)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised[0, 0, 1], [-1 / 5**0.5, 0], rtol=1e-6)


def test_preprocessing_survives_json():
    preprocessing = Preprocessing((1.5, 2.0), (0.5, 3.0))
    assert Preprocessing.from_document(json.loads(json.dumps(preprocessing.to_document()))) == preprocessing


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"mean": [0.0]},
        {"mean": [0.0], "std": [0.0]},
        {"mean": [0.0], "std": [1.0, 1.0]},
        {"mean": [], "std": []},
        {"mean": [float("nan")], "std": [1.0]},
        {"mean": ["0"], "std": [1.0]},
        {"mean": 0.0, "std": 1.0},
        [1.0],
    ],
)
def test_a_preprocessing_that_is_not_valid_is_refused(document):
    with pytest.raises(DataError, match="Received: "):
        Preprocessing.from_document(document)


def test_preprocessing_refuses_images_with_other_channels():
    with pytest.raises(DataError, match=r"1 channels.*Received: shape \(2, 4, 4, 3\)"):
        Preprocessing((0.0,), (1.0,))(np.zeros((2, 4, 4, 3)))


def test_a_dataset_knows_its_shape_and_classes():
    assert (dataset().input_shape, dataset().classes, dataset().class_names) == ((2, 2, 1), 2, ("0", "1"))


def test_the_fingerprint_follows_every_array():
    assert dataset().fingerprint == dataset().fingerprint
    images = dataset().x_train.copy()
    images[3, 0, 0, 0] += 1
    labels = np.arange(12) % 2
    others = [
        dataset(x_train=images),
        dataset(y_train=labels[::-1]),
        dataset(x_test=images[2:4]),
        dataset(y_test=np.array([1, 0])),
        dataset(x_train=images.astype(np.float32), x_test=images[:2]),
    ]
    assert len({dataset().fingerprint, *(other.fingerprint for other in others)}) == 6


def test_the_arrays_of_a_dataset_cannot_be_changed_through_it():
    with pytest.raises(ValueError, match="read-only"):
        dataset().x_train[0] = 1
