"""Bilinear sampling of images at real positions, and the steps that resize a part of an image.

Pixel i of a row lies at position i and covers [i - 1/2, i + 1/2]; an image of W pixels covers [-1/2, W - 1/2].
"""

from __future__ import annotations

import math

import numpy as np

from automl_cells.augmentation.borders import fold, pad
from automl_cells.augmentation.steps import Fill, ResizedCrop, UpsampleCrop
from automl_cells.errors import TrainingError

_PIXELS_AT_ONCE = 1 << 16  # so that indices and weights stay in the cache
_TRIES = 10  # at a box that fits into the image


def bilinear(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: Fill) -> np.ndarray:
    """The values of images between their pixels.

    With y = ⌊y⌋ + b and x = ⌊x⌋ + a the value is (1-b)·((1-a)·I[⌊y⌋, ⌊x⌋] + a·I[⌊y⌋, ⌊x⌋+1]) + b·(the same, a row
    below); at whole positions it is the pixel, exactly.

    Args:
        images: (n, H, W, C).
        rows: float32, broadcastable together with `columns` to (n, h, w): the position of each new pixel, in pixels.
        columns: the same for the other direction.
        fill: what lies outside of the images.

    Returns:
        float32 (n, h, w, C).
    """
    n = len(images)
    height, width = np.broadcast_shapes(rows.shape, columns.shape)[1:]
    rows, columns = (np.broadcast_to(array, (n, *array.shape[1:])) for array in (rows, columns))
    sampled = np.empty((n, height, width, images.shape[3]), np.float32)
    some = max(1, _PIXELS_AT_ONCE // (height * width))
    for start in range(0, n, some):
        part = slice(start, start + some)
        _sample(images[part], rows[part], columns[part], fill, sampled[part])
    return sampled


def upsample_crop(images: np.ndarray, rng: np.random.Generator, step: UpsampleCrop) -> np.ndarray:
    """Resize images (n, H, W, C), crop H × W of them at whole pixels; float32, in one resampling.

    Raises:
        TrainingError: see `upsampled`.
    """
    n, height, width, _ = images.shape
    tall, wide = upsampled(step, height, width)
    top = rng.integers(0, tall - height, n, endpoint=True)
    left = rng.integers(0, wide - width, n, endpoint=True)
    rows = _resized(top, np.full(n, height / tall), height)
    columns = _resized(left, np.full(n, width / wide), width)
    return bilinear(images, rows[:, :, None], columns[:, None], "nearest")


def upsampled(step: UpsampleCrop, height: int, width: int) -> tuple[int, int]:
    """Height and width in pixels to which images of that height and width are resized.

    Raises:
        TrainingError: the step's size is smaller than the images.

    Example:
        >>> upsampled(UpsampleCrop(op="upsample_crop", scale=1.25), 32, 10)
        (40, 13)
    """
    if step.scale is not None:
        return math.floor(step.scale * height + 0.5), math.floor(step.scale * width + 0.5)
    size = step.size or 0  # it is there: the step sees to it
    if size < max(height, width):
        raise TrainingError(
            f"Expected an upsample_crop to a size of at least {max(height, width)}, that of the images. "
            f"Received: {size}"
        )
    return size, size


def resized_crop(images: np.ndarray, rng: np.random.Generator, step: ResizedCrop) -> np.ndarray:
    """Resize a random box of each image (n, H, W, C) to H × W; float32.

    Its area is uniform and the logarithm of its ratio is (as in torchvision; TensorFlow draws the ratio itself). The
    first of ten boxes that fits is taken, else the whole image, as in slim. Boxes need not begin and end at whole
    pixels, and their outermost pixels are interpolated with their neighbours in the image.
    """
    n, height, width, _ = images.shape
    area = rng.uniform(*step.area, (n, _TRIES)) * (height * width)
    ratio = np.exp(rng.uniform(np.log(step.ratio[0]), np.log(step.ratio[1]), (n, _TRIES)))
    box_height, box_width = np.sqrt(area / ratio), np.sqrt(area * ratio)
    fits = (box_height <= height) & (box_width <= width)
    chosen, fitting = (np.arange(n), np.argmax(fits, axis=1)), fits.any(axis=1)
    box_height = np.where(fitting, box_height[chosen], height)
    box_width = np.where(fitting, box_width[chosen], width)
    scales = box_height / height, box_width / width
    top, left = rng.random((2, n)) * (height - box_height, width - box_width)
    rows = _resized(top / scales[0], scales[0], height)
    columns = _resized(left / scales[1], scales[1], width)
    return bilinear(images, rows[:, :, None], columns[:, None], "nearest")


def _resized(start: np.ndarray, scale: np.ndarray, size: int) -> np.ndarray:
    """Positions (n, size) of `size` new pixels from `start` on, where a new pixel is `scale` old ones wide."""
    centres = start[:, None] + np.arange(size) + 0.5
    return (centres * scale[:, None] - 0.5).astype(np.float32)


def _sample(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: Fill, out: np.ndarray) -> None:
    n, height, width, channels = images.shape
    top, down = _split(fold(rows, height, fill), height)
    left, right = _split(fold(columns, width, fill), width)
    stride = width + 2
    first = (np.arange(n)[:, None, None] * (height + 2) + top) * stride + left
    # One plane after the other: gathering single numbers is much faster in NumPy than gathering rows of three.
    planes = np.moveaxis(pad(images, 1, fill), -1, 0).astype(np.float32, order="C").reshape(channels, -1)
    for channel, plane in enumerate(planes):
        upper, lower = (
            _between(plane[skip:].take(first), plane[skip + 1 :].take(first), right) for skip in (0, stride)
        )
        out[..., channel] = _between(upper, lower, down)


def _split(positions: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixel at or before each position in [-1, size], counted in the image padded by one, and the rest."""
    before = np.minimum(np.floor(positions), np.float32(size - 1))
    return before.astype(np.intp) + 1, positions - before


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """``first + share · (second - first)``, in the memory of `second`."""
    second -= first
    second *= share
    second += first
    return second
