import numpy as np
import pytest

from automl_cells.datasets import from_arrays, load
from automl_cells.datasets.channels import with_channels
from automl_cells.errors import DataError


def colours(dtype, channels=3):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 5, channels)).astype(dtype)
    pixels[0, 0, 0] = ([255, 0, 0] * channels)[:channels]
    return from_arrays(pixels, np.arange(20) % 2, pixels[:10], np.arange(10) % 2, name="dots")


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_colour_becomes_luminance(dtype):
    data = colours(dtype)
    grey = with_channels(data, 1)
    expected = data.x_train @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey.x_train[..., 0], expected, atol=0.51 if dtype == "uint8" else 1e-3)
    assert grey.x_train[0, 0, 0, 0] == pytest.approx(76 if dtype == "uint8" else 76.245)
    assert (grey.x_train.dtype, grey.input_shape, grey.name) == (np.dtype(dtype), (4, 5, 1), "dots_grey")
    assert grey.fingerprint != data.fingerprint


def test_grey_is_repeated():
    data = load("digits")
    rgb = with_channels(data, 3)
    assert rgb.input_shape == (8, 8, 3)
    for channel in range(3):
        np.testing.assert_array_equal(rgb.x_test[..., channel], data.x_test[..., 0])
    assert (rgb.name, rgb.classes) == ("digits_rgb", 10)


def test_the_same_number_changes_nothing_and_others_are_refused():
    data = colours("uint8", 2)
    assert with_channels(data, 2) is data
    with pytest.raises(DataError, match=r"only 1 and 3 are converted into each other\)\. Received: dots with 2"):
        with_channels(data, 1)
