"""Colours and mixtures, by hand."""

import numpy as np
import pytest

from automl_cells.augmentation.color import color_jitter
from automl_cells.augmentation.mixing import mixup
from automl_cells.augmentation.steps import ColorJitter, Mixup

GREY = np.array([0.299, 0.587, 0.114])


class Fixed:
    """A generator whose numbers are given, in order."""

    def __init__(self, *values):
        self.values = list(values)

    def uniform(self, low, high, size):
        value = self.values.pop(0)
        assert low <= value <= high
        return np.full(size, value)


def images(n=200, channels=3):
    return np.random.default_rng(0).integers(0, 256, (n, 6, 5, channels), dtype=np.uint8)


def jitter(given, rng=None, **fields):
    return color_jitter(given, rng or np.random.default_rng(1), ColorJitter(op="color_jitter", **fields))


def test_brightness_by_hand():
    found = jitter(np.full((1, 1, 2, 1), 200, np.uint8), Fixed(1.5, 1, 1), brightness=0.5)
    assert found.ravel().tolist() == [300, 300]  # not clipped


def test_contrast_by_hand():
    found = jitter(np.array([10, 30], np.uint8).reshape(1, 1, 2, 1), Fixed(1, 0.5, 1), contrast=0.5)
    assert found.ravel().tolist() == [15, 25]  # around the mean, 20


def test_saturation_by_hand():
    # The grey of (100, 0, 0) is 29.9; half of the way there: (64.95, 14.95, 14.95).
    found = jitter(np.array([100, 0, 0], np.uint8).reshape(1, 1, 1, 3), Fixed(1, 1, 0.5), saturation=0.5)
    np.testing.assert_allclose(found.ravel(), [64.95, 14.95, 14.95], rtol=1e-6)


def test_all_three_are_one_after_the_other():
    given = images(1)
    bright = given.astype(np.float64) * 1.2
    mean = (bright @ GREY).mean()
    contrasted = mean + 0.7 * (bright - mean)
    grey = (contrasted @ GREY)[..., None]
    found = jitter(given, Fixed(1.2, 0.7, 1.4), brightness=0.2, contrast=0.3, saturation=0.4)
    np.testing.assert_allclose(found, grey + 1.4 * (contrasted - grey), rtol=1e-4, atol=1e-3)


def test_factors_fill_their_range_and_differ_from_image_to_image():
    given = np.ones((500, 1, 1, 1), np.float32)
    found = jitter(given, brightness=0.25).ravel()
    assert (found.min(), found.max()) == pytest.approx((0.75, 1.25), abs=0.01)
    assert len(np.unique(found)) > 400


def test_contrast_keeps_the_mean_grey_and_saturation_the_grey_of_each_pixel():
    given = images()
    grey = given @ GREY
    contrasted, saturated = jitter(given, contrast=0.8) @ GREY, jitter(given, saturation=0.8) @ GREY
    np.testing.assert_allclose(contrasted.mean(axis=(1, 2)), grey.mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(saturated, grey, rtol=1e-4, atol=1e-3)


def test_one_channel_has_no_saturation():
    given = images(channels=1)
    np.testing.assert_allclose(jitter(given, saturation=0.8), given, rtol=1e-5, atol=1e-3)


def test_mixtures_by_hand():
    class Turn:
        def permutation(self, n):
            return np.array([1, 2, 0])

        def beta(self, a, b, n):
            assert (a, b, n) == (0.2, 0.2, 3)
            return np.array([0.75, 0.5, 1])

    given = np.array([100, 20, 60], np.uint8).reshape(3, 1, 1, 1)
    found, targets = mixup(given, np.eye(3, dtype=np.float32), Turn(), Mixup(op="mixup", alpha=0.2))
    assert found.dtype == targets.dtype == np.float32
    assert found.ravel().tolist() == [80, 40, 60]  # 0.75 · 100 + 0.25 · 20, 0.5 · 20 + 0.5 · 60, and itself
    assert targets.tolist() == [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 1]]


def test_images_and_targets_are_mixed_alike_and_their_sums_kept():
    n = 64
    values = np.arange(n, dtype=np.float32)
    given = values[:, None, None, None] * np.ones((1, 2, 3, 1), np.float32)
    found, targets = mixup(given, np.eye(n, dtype=np.float32), np.random.default_rng(0), Mixup(op="mixup", alpha=1))
    np.testing.assert_allclose(found, (targets @ values)[:, None, None, None] * np.ones((1, 2, 3, 1)), rtol=1e-5)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert np.all((targets > 0).sum(axis=1) <= 2)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_from_the_beta_distribution(alpha):
    n = 4000
    given = np.zeros((n, 1, 1, 1), np.uint8)
    own = np.eye(n, dtype=np.float32)
    step = Mixup(op="mixup", alpha=alpha)
    shares = np.diag(mixup(given, own, np.random.default_rng(0), step)[1])
    # Beta(α, α) has the mean 1/2 and the variance 1 / (4 (2α + 1)); each image has its own share.
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
