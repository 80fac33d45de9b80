"""A small, balanced part of a large data set, for experiments with few images."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl_cells.datasets.arrays import MIN_TRAINING_IMAGES
from automl_cells.datasets.base import Dataset
from automl_cells.datasets.encoded_images import part_of, settled
from automl_cells.errors import DataError


def balanced_indices(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Choose `n` images so that the classes have as equal numbers as possible.

    A class with fewer images than its share gives all it has, and the others give more. Where the numbers cannot be
    equal, the seed decides which classes give one image more.

    Args:
        labels: (m,) integer labels.
        n: how many; at most m.
        seed: the same seed gives the same images, whatever the version of NumPy.

    Returns:
        (n,) indices in increasing order.

    Raises:
        DataError: more images than there are, or fewer than classes.
    """
    labels = np.asarray(labels)
    classes, counts = np.unique(labels, return_counts=True)
    if not isinstance(n, int) or isinstance(n, bool) or not len(classes) <= n <= len(labels):
        raise DataError(f"Expected from {len(classes)} (the classes) to {len(labels)} images. Received: {n!r}")
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise DataError(f"Expected a seed from 0 to 2**32 - 1. Received: {seed!r}")
    random = np.random.RandomState(seed)  # its streams are frozen, see `stratified_split`
    takes = np.zeros(len(classes), int)
    order = random.permutation(len(classes))
    while left := n - takes.sum():
        open_classes = order[takes[order] < counts[order]]
        share, extra = divmod(left, len(open_classes))
        wanted = np.full(len(open_classes), share)
        if not share:
            wanted[:extra] = 1
        takes[open_classes] += np.minimum(wanted, counts[open_classes] - takes[open_classes])
    chosen = [
        random.permutation(np.flatnonzero(labels == label))[:count] for label, count in zip(classes, takes, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def balanced_subset(dataset: Dataset, n: int, seed: int = 0) -> Dataset:
    """`dataset` with `n` of its training images, the classes as equal in number as possible, and the same test part.

    Its name has the number at its end, such as ``cifar10_500``; the seed shows in the fingerprint.

    Args:
        dataset: the large set; if it is streamed and the part fits into memory, the part is in memory.
        n: training images to keep.
        seed: which.

    Raises:
        DataError: fewer than `from_arrays` demands, fewer than classes, or more than there are.
    """
    if isinstance(n, int) and n < MIN_TRAINING_IMAGES:
        raise DataError(f"Expected at least {MIN_TRAINING_IMAGES} training images. Received: train={n}")
    chosen = balanced_indices(dataset.y_train, n, seed)
    images = settled(part_of(dataset.x_train, chosen))
    return dataclasses.replace(dataset, name=f"{dataset.name}_{n}", x_train=images, y_train=dataset.y_train[chosen])
