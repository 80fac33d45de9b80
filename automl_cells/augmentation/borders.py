"""What lies outside of an image: the one place that knows what the fills mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from automl_cells.augmentation.steps import Fill


def pad(images: np.ndarray, padding: int, fill: Fill) -> np.ndarray:
    """Images (n, H, W, C) with `padding` more pixels on every side, of the same type."""
    n, height, width, channels = images.shape
    padded = np.zeros((n, height + 2 * padding, width + 2 * padding, channels), images.dtype)
    padded[:, padding : padding + height, padding : padding + width] = images
    if fill != "constant":
        # One row or column outside after the other is many times faster than gathering them, or the whole, at once.
        for outside, inside in _copies(height, padding, fill):
            padded[:, outside] = padded[:, inside]
        for outside, inside in _copies(width, padding, fill):
            for channel in range(channels):  # one long copy each, not one of a few numbers for each row
                padded[:, :, outside, channel] = padded[:, :, inside, channel]
    return padded


def fold(positions: np.ndarray, size: int, fill: Fill) -> np.ndarray:
    """Positions along an axis of `size` pixels, brought to where the same value lies, within [-1, size].

    Pixel i is at position i. Within the outermost pixel on either side, ``pad(…, 1, fill)`` has the values.
    """
    if fill == "reflect":
        inside = np.mod(positions + np.float32(0.5), np.float32(2 * size))
        positions = size - np.abs(inside - np.float32(size)) - np.float32(0.5)
    elif fill == "wrap":
        positions = np.mod(positions, np.float32(size))
    return np.clip(positions, np.float32(-1), np.float32(size))


def _copies(size: int, padding: int, fill: Fill) -> Iterator[tuple[int, int]]:
    """Along a padded axis, each place outside of the image and the place inside that it repeats."""
    for outside in (*range(-padding, 0), *range(size, size + padding)):
        if fill == "nearest":
            inside = min(max(outside, 0), size - 1)
        elif fill == "wrap":
            inside = outside % size
        else:
            inside = min(outside % (2 * size), -(outside + 1) % (2 * size))
        yield outside + padding, inside + padding
