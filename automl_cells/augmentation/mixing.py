"""Mixup: images and targets between two of the batch."""

from __future__ import annotations

import numpy as np

from automl_cells.augmentation.steps import Mixup


def mixup(
    images: np.ndarray, targets: np.ndarray, rng: np.random.Generator, step: Mixup
) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, H, W, C) and targets (n, classes), both as float32, mixed with those of the batch in another order.

    x = λ·xᵢ + (1-λ)·xⱼ and y = λ·yᵢ + (1-λ)·yⱼ (Zhang et al., section 2), with a λ ~ Beta(α, α) for each image; the
    authors' code draws one for the whole batch, which makes batches of one kind and so noisier gradients.
    """
    order = rng.permutation(len(images))
    share = rng.beta(step.alpha, step.alpha, len(images)).astype(np.float32)
    return _mixed(images, share[:, None, None, None], order), _mixed(targets, share[:, None], order)


def _mixed(values: np.ndarray, share: np.ndarray, order: np.ndarray) -> np.ndarray:
    return share * values + (1 - share) * values[order]
