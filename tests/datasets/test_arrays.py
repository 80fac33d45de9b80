import numpy as np
import pytest

from automl_cells.datasets import from_arrays
from automl_cells.errors import DataError

IMAGES = np.arange(20 * 3 * 4, dtype=np.float64).reshape(20, 3, 4)
LABELS = np.arange(20) % 2


def test_a_channel_is_added_and_doubles_become_floats():
    found = from_arrays(IMAGES, LABELS, IMAGES[:4], LABELS[:4])
    assert found.x_train.shape == (20, 3, 4, 1)
    assert (found.x_train.dtype, found.y_train.dtype) == (np.float32, np.int64)


def test_bytes_stay_bytes_and_columns_of_labels_are_taken():
    found = from_arrays(IMAGES.astype(np.uint8), LABELS[:, np.newaxis], IMAGES[:4].astype(np.uint8), LABELS[:4])
    assert (found.x_train.dtype, found.y_train.shape) == (np.uint8, (20,))


def test_without_a_test_part_a_stratified_quarter_is_held_out():
    found = from_arrays(IMAGES, LABELS)
    assert (len(found.x_train), len(found.x_test)) == (15, 5)
    assert sorted(np.bincount(found.y_test)) == [2, 3]
    every = np.concatenate([found.x_train, found.x_test])[:, 0, 0, 0]
    assert sorted(every) == sorted(IMAGES[:, 0, 0])


def test_class_names_allow_a_class_without_images():
    assert from_arrays(IMAGES, LABELS, class_names=["a", "b", "c"]).classes == 3


def broken(value):
    images = IMAGES.copy()
    images[7, 1, 1] = value
    return images


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGES[0], LABELS), r"shape \(n, height, width, channels\).*Received: \(3, 4\)"),
        ((IMAGES[:, :, :0], LABELS), "with images in it"),
        ((broken(np.nan), LABELS), "Received: NaN or infinity in 1 images, first in image 7"),
        ((broken(np.inf), LABELS), "finite"),
        ((broken(1e300), LABELS), "finite"),
        ((IMAGES.astype(str), LABELS), "as numbers"),
        (([[1, 2], [3]], LABELS), "as an array"),
        ((IMAGES, LABELS[:5]), "Received: 20 images, 5 labels"),
        ((IMAGES, LABELS * 0), "two classes. Received: only label 0"),
        ((IMAGES, LABELS * 0.5), "as integers"),
        ((IMAGES, LABELS - 1), "labels from 0 in y_train. Received: -1"),
        ((IMAGES, LABELS * 2), "Received: largest label 2, no image of class 1"),
        ((IMAGES[:9], LABELS[:9]), "at least 10 training images. Received: 9"),
        ((IMAGES, LABELS, IMAGES), "together"),
        ((IMAGES, LABELS, IMAGES[:, :2], LABELS), r"Received: \(2, 4, 1\)"),
        ((IMAGES, LABELS, IMAGES[:2], np.array([1, 7])), "in y_train too. Received: 7"),
        ((IMAGES, LABELS, None, None, ["one"]), "number of class names, 1. Received: 1"),
        ((IMAGES, LABELS, None, None, ["same", "same"]), "names that differ"),
        ((IMAGES, LABELS, None, None, "ab"), "Received: the text 'ab'"),
        ((IMAGES, LABELS, IMAGES[:2], np.array([0, 2]), ["a", "b", "c"]), "in y_train too. Received: 2"),
        ((IMAGES, LABELS, IMAGES[:2], np.array([0, -1])), "labels from 0 in y_test. Received: -1"),
        ((IMAGES, LABELS, IMAGES[:2], np.array([0.0, 1.0])), "y_test as integers"),
        ((IMAGES, LABELS == 1), "y_train as integers"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(arguments, message):
    with pytest.raises(DataError, match=message):
        from_arrays(*arguments)
