"""Crops, mirror images, cutout and what lies outside of an image, by hand and by all the cases there are."""

import numpy as np
import pytest

from automl_cells.augmentation.borders import fold, pad
from automl_cells.augmentation.erasing import cutout
from automl_cells.augmentation.pixels import horizontal_flip, pad_crop
from automl_cells.augmentation.steps import Cutout, HorizontalFlip, PadCrop

ROW = np.array([1, 2, 3, 4], np.uint8).reshape(1, 1, 4, 1)


def rng():
    return np.random.default_rng(0)


def numbered(n, height, width, channels=1, dtype=np.uint8):
    """The same image n times, all of its numbers different and none 0."""
    image = np.arange(1, height * width * channels + 1, dtype=dtype).reshape(1, height, width, channels)
    return np.repeat(image, n, axis=0)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("constant", [0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0]),
        ("nearest", [1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 4, 4, 4]),
        ("reflect", [4, 4, 3, 2, 1, 1, 2, 3, 4, 4, 3, 2, 1, 1]),
        ("wrap", [4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1]),
    ],
)
def test_what_lies_outside(fill, expected):
    padded = pad(ROW, 5, fill)
    assert padded.shape == (1, 11, 14, 1)
    assert padded[0, 5, :, 0].tolist() == expected
    assert np.array_equal(pad(ROW.transpose(0, 2, 1, 3), 5, fill), padded.transpose(0, 2, 1, 3))


@pytest.mark.parametrize("fill", ["nearest", "reflect", "wrap"])
@pytest.mark.parametrize("padding", [1, 3, 7])
def test_padding_is_that_of_numpy(fill, padding):
    images = rng().integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    widths = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    mode = {"nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}[fill]
    assert np.array_equal(pad(images, padding, fill), np.pad(images, widths, mode=mode))


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("constant", [-1, -1, -0.25, 2.5, 4, 4]),
        ("nearest", [-1, -1, -0.25, 2.5, 4, 4]),
        # Of four pixels, from -1/2 to 7/2: -3 mirrors at -1/2 to 2, -1.5 to 0.5, -0.25 stays; 4.25 mirrors to 2.75.
        ("reflect", [2, 0.5, -0.25, 2.5, 2.75, 0]),
        ("wrap", [1, 2.5, 3.75, 2.5, 0.25, 3]),
    ],
)
def test_positions_outside_are_brought_to_where_the_value_lies(fill, expected):
    positions = np.array([-3, -1.5, -0.25, 2.5, 4.25, 7], np.float32)
    assert fold(positions, 4, fill).tolist() == expected


@pytest.mark.parametrize("fill", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_crop_is_any_window_of_the_padded_image(fill, channels):
    images = numbered(400, 4, 5, channels)
    padded = pad(images[:1], 2, fill)[0]
    windows = {padded[top : top + 4, left : left + 5].tobytes() for top in range(5) for left in range(5)}
    found = {image.tobytes() for image in pad_crop(images, rng(), PadCrop(op="pad_crop", padding=2, fill=fill))}
    assert found == windows


def test_crops_move_images_apart():
    images = np.arange(1, 101, dtype=np.float32).reshape(100, 1, 1, 1) * np.ones((1, 3, 3, 1), np.float32)
    cropped = pad_crop(images, rng(), PadCrop(op="pad_crop", padding=1))
    for number, image in enumerate(cropped, 1):  # no image has pixels of another
        assert set(np.unique(image)) <= {0, number}
        assert image[1, 1, 0] == number


@pytest.mark.parametrize("channels", [1, 3])
def test_a_flip_gives_the_image_or_its_mirror(channels):
    images = numbered(2000, 3, 4, channels)
    flipped = horizontal_flip(images, rng(), HorizontalFlip(op="horizontal_flip"))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (flipped == images).all(axis=(1, 2, 3))
    assert np.all(mirrored ^ same)
    assert 900 < mirrored.sum() < 1100  # 4.5 standard deviations


@pytest.mark.parametrize(("size", "before", "after"), [(1, 0, 0), (2, 1, 0), (3, 1, 1), (4, 2, 1), (99, 99, 99)])
def test_cutout_hides_a_square_around_any_pixel(size, before, after):
    images = numbered(600, 4, 5, 3)
    expected = set()
    for row in range(4):
        for column in range(5):
            image = images[0].copy()
            image[max(0, row - before) : row + after + 1, max(0, column - before) : column + after + 1] = 0
            expected.add(image.tobytes())
    hidden = cutout(images, rng(), Cutout(op="cutout", size=size))
    assert {image.tobytes() for image in hidden} == expected


def test_cutout_near_the_border_hides_less():
    hidden = cutout(numbered(1, 1, 3), np.random.default_rng(0), Cutout(op="cutout", size=2))
    assert hidden.ravel().tolist() in ([0, 2, 3], [0, 0, 3], [1, 0, 0])
