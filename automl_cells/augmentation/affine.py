"""Translation, rotation and zoom: one matrix an image, and one resampling for steps that follow each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl_cells.augmentation.sampling import bilinear
from automl_cells.augmentation.steps import Rotation, Translation, Zoom

Affine = Translation | Rotation | Zoom


def affine(images: np.ndarray, rng: np.random.Generator, steps: Sequence[Affine]) -> np.ndarray:
    """Images (n, H, W, C) after all of `steps`, which share one fill; float32.

    The new pixel at p, counted from the centre of the image, is the old value at M₁ M₂ … p, where Mᵢ is the matrix of
    step i. Taken together, the steps blur only once, and what one shifts out of the image another may bring back.
    """
    n, height, width, _ = images.shape
    matrix = np.broadcast_to(np.eye(3), (n, 3, 3))
    for step in steps:
        matrix = matrix @ _matrices(step, rng, n)
    middle = (height - 1) / 2, (width - 1) / 2
    down, right = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in (height, width))
    rows, columns = (
        (matrix[:, axis, 0, None] * down)[:, :, None].astype(np.float32)
        + (matrix[:, axis, 1, None] * right + matrix[:, axis, 2, None] + middle[axis])[:, None].astype(np.float32)
        for axis in (0, 1)
    )
    return bilinear(images, rows, columns, steps[0].fill)


def _matrices(step: Affine, rng: np.random.Generator, n: int) -> np.ndarray:
    """From new to old positions (down, right, 1), an (n, 3, 3) array: the inverse of what is seen to happen."""
    matrices = np.tile(np.eye(3), (n, 1, 1))
    if isinstance(step, Translation):
        matrices[:, :2, 2] = -rng.uniform(-step.pixels, step.pixels, (n, 2))
    elif isinstance(step, Zoom):
        matrices[:, [0, 1], [0, 1]] = rng.uniform(1 - step.factor, 1 + step.factor, (n, 2))
    else:
        angle = np.radians(rng.uniform(-step.degrees, step.degrees, n))
        matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
        matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(angle), np.sin(angle)
    return matrices
