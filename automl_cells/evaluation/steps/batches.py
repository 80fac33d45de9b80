"""Batches that are made on the host, for a protocol with augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from automl_cells.augmentation import Augmentation, augment
from automl_cells.augmentation.ahead import prepared_ahead


def augmented_batches(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    order: np.ndarray,
    steps: Sequence[Augmentation],
    seed: Sequence[int] | None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches ``images[order[i]]``, augmented; a thread makes the next ones while one is trained on.

    Args:
        images: (n, H, W, C) float32, normalised.
        labels: (n,) integers.
        classes: number of classes.
        order: (batches, batch), positions of images.
        steps: of the augmentation.
        seed: batch i draws from ``np.random.default_rng([*seed, i])``; ``None`` leaves the images as they are.

    Yields:
        Images (batch, H, W, C) and targets (batch, classes), both float32.
    """
    one_hot = np.eye(classes, dtype=np.float32)

    def make(number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = order[number]
        batch = images[chosen], one_hot[labels[chosen]]
        return batch if seed is None else augment(*batch, steps, np.random.default_rng([*seed, number]))

    return prepared_ahead(make, len(order))
