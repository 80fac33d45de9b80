"""Sampling between pixels, by hand, and the steps that do it on images whose values are linear in the position."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.augmentation.affine import affine
from automl_cells.augmentation.sampling import bilinear, resized_crop, upsample_crop, upsampled
from automl_cells.augmentation.steps import ResizedCrop, Rotation, Translation, UpsampleCrop, Zoom

FILLS = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}  # and NumPy's names


def rng(seed=0):
    return np.random.default_rng(seed)


def positions(values, axis):
    return np.asarray(values, np.float32).reshape((1, -1, 1) if axis == 0 else (1, 1, -1))


def ramps(n, height, width):
    """Images of two channels: the row and the column of each pixel, counted from the centre."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.repeat(np.stack([rows - (height - 1) / 2, columns - (width - 1) / 2], axis=-1)[None], n, axis=0)


def test_between_four_pixels():
    image = np.array([[0, 8], [16, 40]], np.uint8).reshape(1, 2, 2, 1)
    # At row 1/2, column 1/4: above 8/4 = 2, below 16 + 24/4 = 22, between 12. At (3/4, 1): 8 + 3/4 · 32 = 32.
    found = bilinear(image, positions([0.5], 0), positions([0.25], 1), "constant")
    assert found.dtype == np.float32
    assert found.tolist() == [[[[12.0]]]]
    assert bilinear(image, positions([0.75], 0), positions([1], 1), "constant").item() == 32


def test_outside_it_goes_over_into_black():
    image = np.full((1, 1, 1, 1), 100, np.uint8)
    found = bilinear(image, positions([0], 0), positions([-1.5, -1, -0.75, -0.25, 0, 0.5, 1, 3], 1), "constant")
    assert found.ravel().tolist() == [0, 0, 25, 75, 100, 50, 0, 0]


@given(
    st.sampled_from(sorted(FILLS)),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(-7, 7),
    st.integers(-7, 7),
    st.sampled_from([1, 3]),
)
def test_at_whole_pixels_it_is_a_shift_with_fill(fill, height, width, down, right, channels):
    images = rng().integers(1, 256, (2, height, width, channels), dtype=np.uint8)
    rows, columns = positions(np.arange(height) + down, 0), positions(np.arange(width) + right, 1)
    padded = np.pad(images, ((0, 0), (7, 7), (7, 7), (0, 0)), mode=FILLS[fill])
    expected = padded[:, 7 + down : 7 + down + height, 7 + right : 7 + right + width]
    assert np.array_equal(bilinear(images, rows, columns, fill), expected)


@given(st.sampled_from(sorted(FILLS)), st.floats(-20, 20, width=32), st.floats(-20, 20, width=32))
def test_values_stay_within_those_of_the_image(fill, row, column):
    images = rng().integers(50, 200, (1, 4, 5, 1), dtype=np.uint8)
    found = bilinear(images, positions([row], 0), positions([column], 1), fill).item()
    low = 0 if fill == "constant" else images.min()
    assert low - 1e-4 <= found <= images.max() + 1e-4


@pytest.mark.parametrize("fill", sorted(FILLS))
@pytest.mark.parametrize("shape", [(3, 8, 8, 1), (2, 5, 9, 3)])
def test_steps_of_nothing_change_nothing(fill, shape):
    images = rng().integers(0, 256, shape, dtype=np.uint8)
    nothing = [
        Translation.model_construct(op="translation", pixels=0.0, fill=fill),
        Rotation.model_construct(op="rotation", degrees=0.0, fill=fill),
        Zoom.model_construct(op="zoom", factor=0.0, fill=fill),
    ]
    assert np.array_equal(affine(images, rng(), nothing), images)


def test_a_translation_moves_all_pixels_of_an_image_by_the_same():
    moved = ramps(500, 20, 14) - affine(ramps(500, 20, 14), rng(), [Translation(op="translation", pixels=3)])
    inside = moved[:, 4:-4, 4:-4]  # what comes in from outside is no ramp
    shift = inside[:, 0, 0]
    np.testing.assert_allclose(inside, np.broadcast_to(shift[:, None, None], inside.shape), atol=1e-5)
    assert np.abs(shift).max() <= 3
    assert shift.min(axis=0).tolist() == pytest.approx([-3, -3], abs=0.1)
    assert shift.max(axis=0).tolist() == pytest.approx([3, 3], abs=0.1)
    assert abs(np.corrcoef(shift.T)[0, 1]) < 0.2  # down and right are drawn apart


def test_a_rotation_turns_around_the_centre_by_no_more_than_it_says():
    turned = affine(ramps(500, 21, 15), rng(), [Rotation(op="rotation", degrees=30)])
    np.testing.assert_allclose(turned[:, 10, 7], 0, atol=1e-5)  # the centre stays
    down, right = turned[:, 11, 7], turned[:, 10, 8]  # where one pixel further comes from
    angle = np.degrees(np.arctan2(down[:, 1], down[:, 0]))
    np.testing.assert_allclose(np.hypot(*down.T), 1, atol=1e-5)
    np.testing.assert_allclose(right, np.stack([-down[:, 1], down[:, 0]], axis=-1), atol=1e-5)  # no shear, no mirror
    assert np.abs(angle).max() <= 30.001
    assert (angle.min(), angle.max()) == pytest.approx((-30, 30), abs=1)


def test_a_zoom_scales_each_direction_around_the_centre():
    zoomed = affine(ramps(500, 21, 15), rng(), [Zoom(op="zoom", factor=0.25)])
    scales = np.stack([zoomed[:, 11, 7, 0], zoomed[:, 10, 8, 1]])
    rows, columns = ramps(1, 21, 15)[0].transpose(2, 0, 1)
    np.testing.assert_allclose(zoomed[:, 6:15, 4:11, 0], (scales[0, :, None, None] * rows)[:, 6:15, 4:11], atol=1e-4)
    np.testing.assert_allclose(zoomed[:, 6:15, 4:11, 1], (scales[1, :, None, None] * columns)[:, 6:15, 4:11], atol=1e-4)
    assert scales.min() == pytest.approx(0.75, abs=0.01)
    assert scales.max() == pytest.approx(1.25, abs=0.01)
    assert abs(np.corrcoef(scales)[0, 1]) < 0.2


def test_steps_together_are_the_steps_one_after_the_other():
    # Of values that are linear in the position, no resampling loses anything: once or three times is the same.
    steps = [
        Rotation(op="rotation", degrees=15),
        Translation(op="translation", pixels=2),
        Zoom(op="zoom", factor=0.1),
    ]
    images = ramps(30, 31, 31)
    together, generator, apart = affine(images, rng(4), steps), rng(4), images
    for step in steps:
        apart = affine(apart, generator, [step])
    np.testing.assert_allclose(together[:, 10:-10, 10:-10], apart[:, 10:-10, 10:-10], atol=1e-4)
    assert np.abs(together - images)[:, 10:-10, 10:-10].max() > 1


def test_black_comes_in_at_the_border_and_no_further():
    white = np.ones((50, 8, 8, 1), np.float32)
    for step in (Translation(op="translation", pixels=2), Zoom(op="zoom", factor=0.3)):
        found = affine(white, rng(), [step])
        np.testing.assert_allclose(found[:, 2:-2, 2:-2], 1, rtol=1e-6)
        assert found.min() == 0
        assert found[:, 0].max() == pytest.approx(1)


def test_upsampling_by_hand():
    # Four pixels over [0, 4] lie at -1/4, 1/4, 3/4 and 5/4 of the two old ones: 0 (the border's), 1, 3, 4.
    images = np.broadcast_to(np.array([0, 4], np.uint8).reshape(1, 1, 2, 1), (100, 2, 2, 1))
    found = upsample_crop(images, rng(), UpsampleCrop(op="upsample_crop", size=4))
    assert {tuple(row) for row in found[:, 0, :, 0].tolist()} == {(0, 1), (1, 3), (3, 4)}
    assert np.array_equal(found[:, 0], found[:, 1])


def test_upsampling_takes_all_crops():
    images = np.broadcast_to(ramps(1, 32, 32), (3000, 32, 32, 2))
    found = upsample_crop(images, rng(), UpsampleCrop(op="upsample_crop", size=40))[:, 15, 15]
    steps = np.round(found / 0.8, 3)  # one pixel of 40 is 0.8 of 32
    assert len(np.unique(steps, axis=0)) == 9 * 9
    np.testing.assert_allclose([steps.min(), steps.max()], [-4.5, 3.5], atol=1e-3)  # pixel 15 is half a pixel off


def test_upsampling_by_a_scale_is_that_to_the_size_where_the_images_are_square():
    images = rng().integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    by_scale, by_size = UpsampleCrop(op="upsample_crop", scale=1.25), UpsampleCrop(op="upsample_crop", size=40)
    assert np.array_equal(upsample_crop(images, rng(), by_scale), upsample_crop(images, rng(), by_size))


def test_upsampling_by_a_scale_keeps_the_shape_of_what_is_seen():
    # 8 × 16 pixels become 10 × 20: a pixel of the crop is 0.8 of an old one in both directions.
    images = np.broadcast_to(ramps(1, 8, 16), (2000, 8, 16, 2))
    found = upsample_crop(images, rng(), UpsampleCrop(op="upsample_crop", scale=1.25))
    np.testing.assert_allclose(np.diff(found[:, 1:-1, 1:-1, 0], axis=1), 0.8, atol=1e-5)
    np.testing.assert_allclose(np.diff(found[:, 1:-1, 1:-1, 1], axis=2), 0.8, atol=1e-5)
    assert len(np.unique(np.round(found[:, 3, 7], 3), axis=0)) == 3 * 5  # all crops


@pytest.mark.parametrize(("scale", "expected"), [(1, (8, 10)), (1.25, (10, 13)), (1.2, (10, 12)), (2.06, (16, 21))])
def test_a_scale_is_rounded_to_whole_pixels(scale, expected):
    assert upsampled(UpsampleCrop(op="upsample_crop", scale=scale), 8, 10) == expected


@pytest.mark.parametrize("shape", [(3, 8, 8, 1), (3, 28, 28, 3)])
def test_the_whole_image_is_itself(shape):
    images = rng().integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(upsample_crop(images, rng(), UpsampleCrop(op="upsample_crop", size=shape[1])), images)
    whole = ResizedCrop(op="resized_crop", area=(1, 1), ratio=(1, 1))
    assert np.array_equal(resized_crop(images, rng(), whole), images)


def test_a_box_that_never_fits_is_the_whole_image():
    images = rng().integers(0, 256, (3, 8, 16, 1), dtype=np.uint8)
    assert np.array_equal(
        resized_crop(images, rng(), ResizedCrop(op="resized_crop", area=(1, 1), ratio=(1, 1))), images
    )
    narrow = ResizedCrop(op="resized_crop", area=(1, 1), ratio=(2, 2))  # fits: 8 high and 16 wide
    assert np.array_equal(resized_crop(images, rng(), narrow), images)


def test_boxes_that_do_not_fit_are_drawn_again():
    # With three quarters of the area, boxes with a ratio of 3/4 to 4/3 fit: ln(4/3) / ln 4, one in five, has ten tries.
    box = ResizedCrop(op="resized_crop", area=(0.75, 0.75), ratio=(0.25, 4))
    whole = (resized_crop(ramps(1000, 16, 16), rng(), box) == ramps(1, 16, 16)).all(axis=(1, 2, 3))
    assert 0.05 < whole.mean() < 0.15  # 0.793^10 = 0.098 never fit


def test_boxes_have_the_area_and_the_ratio_and_lie_inside():
    images = ramps(2000, 24, 40)
    found = resized_crop(images, rng(), ResizedCrop(op="resized_crop", area=(0.1, 0.3), ratio=(0.5, 2)))
    # Away from the borders the values are linear: one new pixel is height / 24 and width / 40 old ones.
    height = 24 * (found[:, 14, 20, 0] - found[:, 10, 20, 0]) / 4
    width = 40 * (found[:, 12, 22, 1] - found[:, 12, 18, 1]) / 4
    share, ratio = height * width / (24 * 40), width / height
    assert (share.min(), share.max()) == pytest.approx((0.1, 0.3), abs=0.005)
    assert (ratio.min(), ratio.max()) == pytest.approx((0.5, 2), rel=0.02)
    assert abs(np.log(ratio).mean()) < 0.1
    middle = (found[:, 11, 20] + found[:, 12, 19]) / 2  # the centre of the box
    assert np.all(np.abs(middle[:, 0]) <= (24 - height) / 2 + 1e-3)
    assert np.all(np.abs(middle[:, 1]) <= (40 - width) / 2 + 1e-3)
    np.testing.assert_allclose(middle.mean(axis=0), 0, atol=0.7)


def test_a_box_by_hand():
    # A box of a quarter of the area is 2 of 4 pixels wide; from 0, its new pixels lie at -1/4, 1/4, 3/4 and 5/4.
    class Corner:
        def uniform(self, low, high, size):
            return np.full(size, low)

        def random(self, size):
            return np.zeros(size)

    image = np.repeat(np.array([[0, 4, 8, 100]], np.uint8), 4, axis=0).reshape(1, 4, 4, 1)
    box = ResizedCrop(op="resized_crop", area=(0.25, 0.25), ratio=(1, 1))
    assert resized_crop(image, Corner(), box)[0, 0, :, 0].tolist() == [0, 1, 3, 5]
