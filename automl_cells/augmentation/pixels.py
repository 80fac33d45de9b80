"""Steps that move whole pixels: crops and mirror images. They keep the type and the values of the pixels."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from automl_cells.augmentation.borders import pad
from automl_cells.augmentation.steps import HorizontalFlip, PadCrop


def pad_crop(images: np.ndarray, rng: np.random.Generator, step: PadCrop) -> np.ndarray:
    """A window of H × W at a random place of each padded image (n, H, W, C), all places alike."""
    n, height, width, channels = images.shape
    top, left = rng.integers(0, 2 * step.padding, (2, n), endpoint=True)
    padded = pad(images, step.padding, step.fill).reshape(n, height + 2 * step.padding, -1)
    windows = sliding_window_view(padded, (height, width * channels), axis=(1, 2))  # type: ignore[call-overload]
    return windows[np.arange(n), top, left * channels].reshape(images.shape)


def horizontal_flip(images: np.ndarray, rng: np.random.Generator, step: HorizontalFlip) -> np.ndarray:
    """Each image (n, H, W, C), or with probability 1/2 its mirror image."""
    mirrored = rng.random(len(images)) < 0.5
    chosen = images[mirrored]
    turned = np.empty_like(chosen)
    for channel in range(images.shape[3]):  # three long copies are faster than many of three numbers
        turned[..., channel] = chosen[:, :, ::-1, channel]
    flipped = images.copy()
    flipped[mirrored] = turned
    return flipped
