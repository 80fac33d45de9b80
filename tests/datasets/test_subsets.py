import numpy as np
import pytest

from automl_cells.datasets import balanced_subset, from_arrays, load
from automl_cells.datasets.subsets import balanced_indices
from automl_cells.errors import DataError
from tests.datasets.pictures import class_folders

LABELS = np.repeat([0, 1, 2], [50, 3, 20])


def counts(n, seed=0):
    return np.bincount(LABELS[balanced_indices(LABELS, n, seed)], minlength=3).tolist()


def test_classes_have_equal_numbers():
    assert counts(9) == [3, 3, 3]


def test_a_small_class_gives_all_and_the_others_more():
    assert counts(23) == [10, 3, 10]
    assert counts(60) == [37, 3, 20]
    assert counts(73) == [50, 3, 20]


def test_the_seed_decides_who_gives_one_more():
    found = {tuple(counts(8, seed)) for seed in range(20)}
    assert found == {(3, 3, 2), (3, 2, 3), (2, 3, 3)}


def test_the_same_seed_gives_the_same_images_in_order():
    first, again, other = (balanced_indices(LABELS, 12, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(set(first))


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (74, 0), (10.0, 0), (True, 0), (10, -1)])
def test_numbers_that_do_not_fit_are_refused(n, seed):
    with pytest.raises(DataError, match="Received: "):
        balanced_indices(LABELS, n, seed)


def test_a_subset_keeps_the_test_part_and_says_its_size():
    images = np.arange(73, dtype=np.uint8).reshape(73, 1, 1, 1)
    whole = from_arrays(images, LABELS, images[:5], LABELS[[0, 1, 50, 53, 54]], name="set")
    part = balanced_subset(whole, 30, seed=3)
    assert part.name == "set_30"
    np.testing.assert_array_equal(LABELS[part.x_train.ravel()], part.y_train)
    np.testing.assert_array_equal(part.x_test, whole.x_test)
    assert part.fingerprint != balanced_subset(whole, 30, seed=4).fingerprint
    with pytest.raises(DataError, match=r"at least 10 training images. Received: train=5"):
        balanced_subset(whole, 5)


def test_as_an_option_of_any_words(tmp_path):
    part = load("digits?train=500&seed=1")
    assert (part.name, len(part.x_train), len(part.x_test)) == ("digits_500", 500, 450)
    assert np.bincount(part.y_train).tolist() == [50] * 10
    assert part.fingerprint == balanced_subset(load("digits"), 500, 1).fingerprint
    with pytest.raises(DataError, match="seed with train"):
        load("digits?seed=1")
    with pytest.raises(DataError, match=r"to 1347 images. Received: 2000"):
        load("digits?train=2000")


def test_a_part_of_a_streamed_set_that_fits_is_in_memory(tmp_path):
    class_folders(tmp_path, count=20)
    assert load(f"folder:{tmp_path}?memory=3k").streamed  # 30 images of 192 bytes
    part = load(f"folder:{tmp_path}?memory=3k&train=10")
    assert not part.streamed
    assert part.fingerprint == load(f"folder:{tmp_path}?train=10").fingerprint
