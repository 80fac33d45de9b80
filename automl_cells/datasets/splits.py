"""Splitting labelled images into two parts with the same proportions of classes."""

from __future__ import annotations

import math

import numpy as np

from automl_cells.errors import DataError


def stratified_split(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a fraction of the images, the same fraction of each class.

    ``⌈fraction · n⌉`` images are held out. Each class gives the whole part of its share; the images still missing come
    from the classes with the largest remainders. A class never gives its last image.

    Args:
        labels: (n,) integer labels.
        fraction: between 0 and 1, exclusive.
        seed: the same seed gives the same split, whatever the version of NumPy.

    Returns:
        Indices of the rest and of the images held out, each in increasing order.

    Raises:
        DataError: a fraction out of range, or so few images that one part would be empty.
    """
    labels = np.asarray(labels)
    if not 0 < fraction < 1:
        raise DataError(f"Expected a fraction between 0 and 1, exclusive. Received: {fraction}")
    classes, counts = np.unique(labels, return_counts=True)
    quotas = counts * fraction
    takes = np.minimum(np.floor(quotas).astype(int), counts - 1)
    total = math.ceil(round(len(labels) * fraction, 9))  # rounded: 0.1 · 30 is slightly more than 3 in binary
    for place in np.argsort(-(quotas - takes), kind="stable"):
        if takes.sum() >= total:
            break
        if takes[place] < counts[place] - 1:
            takes[place] += 1
    if takes.sum() == 0:
        raise DataError(
            f"Expected at least two images of some class, to hold {fraction:.0%} out. Received: {len(labels)} images"
        )
    # RandomState: its streams are frozen, while those of numpy's newer generators may change with a release.
    random = np.random.RandomState(seed)
    held_out = np.sort(
        np.concatenate(
            [random.permutation(np.flatnonzero(labels == c))[:take] for c, take in zip(classes, takes, strict=True)]
        )
    )
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out
