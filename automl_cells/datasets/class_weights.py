"""Weights that let rare classes count as much as common ones."""

from __future__ import annotations

import numpy as np

from automl_cells.errors import DataError


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Balanced weights: the number of images over (classes with images × images of the class).

    With them every class has the same part in a loss, and the mean weight of the images is 1. These are
    scikit-learn's ``"balanced"`` weights.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 2.0]

    Args:
        labels: (n,) integers 0 … classes - 1.
        classes: number of classes.

    Returns:
        float64, (classes,); 0 for a class without images, which is never asked for.

    Raises:
        DataError: no labels, labels that are not integers, or labels out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "ui":
        raise DataError(f"Expected integer labels of shape (n,). Received: type {labels.dtype}, shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"Expected labels from 0 to {classes - 1}. Received: {labels.min()} to {labels.max()}")
    counts = np.bincount(labels.astype(np.int64), minlength=classes)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights
