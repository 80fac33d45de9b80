"""Brightness, contrast and saturation."""

from __future__ import annotations

import numpy as np

from automl_cells.augmentation.steps import ColorJitter

_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601


def color_jitter(images: np.ndarray, rng: np.random.Generator, step: ColorJitter) -> np.ndarray:
    """Images (n, H, W, C) as float32 with other colours.

    With factors b, c, s uniform within the step's distances of 1, in this order (papers draw the order too):
    x ← b·x; x ← m + c·(x - m) with m the mean grey of the image; x ← g + s·(x - g) with g the grey of the pixel. The
    grey of three channels is that of red, green and blue, else their mean. Values may leave the range of the pixels:
    they are not clipped, since the range of float images is not known.
    """
    n, _, _, channels = images.shape
    brightness, contrast, saturation = (
        rng.uniform(1 - strength, 1 + strength, (n, 1, 1, 1)).astype(np.float32)
        for strength in (step.brightness, step.contrast, step.saturation)
    )
    weights = _GREY if channels == 3 else np.full(channels, 1 / channels, np.float32)
    colored = images * brightness
    grey = (colored @ weights)[..., None]
    mean = grey.mean(axis=(1, 2), keepdims=True)
    # Contrast is linear, so that the grey follows by the same rule, and all three are one sum.
    grey = mean + contrast * (grey - mean)
    colored *= saturation * contrast
    colored += saturation * (1 - contrast) * mean + (1 - saturation) * grey
    return colored
