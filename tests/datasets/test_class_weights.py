import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from automl_cells.datasets import class_weights
from automl_cells.errors import DataError


def test_worked_by_hand():
    # 6 images, 3 classes: 6 / (3 · 3), 6 / (3 · 2), 6 / (3 · 1)
    np.testing.assert_allclose(class_weights(np.array([0, 0, 0, 1, 1, 2]), 3), [2 / 3, 1, 2])


def test_a_class_without_images_has_no_weight_and_the_mean_over_images_stays_one():
    labels = np.array([0, 2, 2, 2])
    weights = class_weights(labels, 4)
    np.testing.assert_allclose(weights, [2, 0, 2 / 3, 0])
    assert weights[labels].mean() == pytest.approx(1)


def test_they_are_those_of_scikit_learn():
    labels = np.random.RandomState(0).randint(0, 5, 200)
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    np.testing.assert_allclose(class_weights(labels, 5), expected)


@pytest.mark.parametrize("labels", [[], [0.0, 1.0], [[0], [1]], [-1, 0], [0, 3], [True, False]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(DataError, match="Received: "):
        class_weights(np.array(labels), 3)
