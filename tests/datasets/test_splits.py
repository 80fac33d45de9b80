import numpy as np
import pytest

from automl_cells.datasets import stratified_split
from automl_cells.errors import DataError


def test_each_class_gives_its_share():
    labels = np.array([0] * 8 + [1] * 4)
    rest, held_out = stratified_split(labels, 0.25, seed=0)
    assert np.bincount(labels[held_out]).tolist() == [2, 1]
    assert sorted([*rest, *held_out]) == list(range(12))


def test_the_total_is_rounded_up_and_taken_from_the_largest_remainders():
    # Shares 1.25, 1.5, 1.75 of 18 images: 4.5, so five are held out: 1 + 1 + 1, and one more of classes 2 and 1.
    labels = np.repeat([0, 1, 2], [5, 6, 7])
    _, held_out = stratified_split(labels, 0.25, seed=3)
    assert np.bincount(labels[held_out]).tolist() == [1, 2, 2]


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    labels = np.arange(100) % 5
    first, again, other = (stratified_split(labels, 0.1, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_this_split_stays_what_it_is():
    # Published accuracies were measured on such splits, so this one is frozen.
    assert stratified_split(np.arange(12) % 3, 0.25, seed=0)[1].tolist() == [1, 6, 11]


def test_a_class_keeps_its_last_image():
    rest, held_out = stratified_split(np.array([0] * 9 + [1]), 0.5, seed=0)
    assert 9 in rest
    assert len(held_out) == 5


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(DataError, match=r"Received: "):
        stratified_split(np.arange(10) % 2, fraction, seed=0)


def test_images_that_cannot_be_split_are_refused():
    with pytest.raises(DataError, match="two images of some class"):
        stratified_split(np.array([0, 1]), 0.5, seed=0)
