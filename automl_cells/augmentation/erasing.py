"""Cutout: a part of the image is hidden."""

from __future__ import annotations

import numpy as np

from automl_cells.augmentation.steps import Cutout


def cutout(images: np.ndarray, rng: np.random.Generator, step: Cutout) -> np.ndarray:
    """Images (n, H, W, C) of the same type, each with a square of 0.

    The square's centre is uniform over the pixels, and what is outside of the image is cut off, so that less than the
    square may be hidden (DeVries & Taylor, section 3.2). Of an even size, the centre is the pixel right and below of
    the middle. DeVries & Taylor hide with 0 after the normalisation, which is the mean colour; so does proxy training,
    where full training, whose images are raw pixels, hides with black.
    """
    n, height, width, _ = images.shape
    hidden = images.copy()
    starts = rng.integers(0, [[height], [width]], (2, n)) - step.size // 2
    tops, lefts = np.maximum(starts, 0).tolist()  # a slice's start below 0 would count from the other side
    bottoms, rights = (starts + step.size).tolist()
    for image, top, left, bottom, right in zip(hidden, tops, lefts, bottoms, rights, strict=True):
        image[top:bottom, left:right] = 0
    return hidden
