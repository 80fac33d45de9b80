"""Batches of images and targets: order and augmentation depend on seed, epoch and place only.

So a run that was interrupted goes on with the batches it would have had, and the same seed gives the same batches under
every backend and with any number of replicas. A thread prepares the next batches while one is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from automl_cells.augmentation import augment
from automl_cells.augmentation.ahead import prepared_ahead
from automl_cells.datasets import class_weights
from automl_cells.errors import TrainingError
from automl_cells.training.recipes import Recipe


class Batch(NamedTuple):
    """(batch, height, width, channels) raw pixels, and (batch, classes) float32 targets."""

    images: np.ndarray
    targets: np.ndarray


class TrainingBatches:
    """The augmented batches of a training.

    The images left over after the last whole batch of an epoch are left out of that epoch, so that every batch has one
    shape.

    Args:
        images: (n, height, width, channels) uint8 or float32, all images; an array, or anything that gives one when
            indexed with integers.
        labels: (n,) integers.
        indices: the images to take.
        classes: number of classes.
        recipe: batch size, augmentation, label smoothing, weights of the classes.
        seed: of order and augmentation.
    """

    def __init__(
        self, images: Any, labels: np.ndarray, indices: np.ndarray, classes: int, recipe: Recipe, seed: int
    ) -> None:
        self._images, self._labels, self._indices = images, labels, indices
        self._recipe, self._seed = recipe, seed
        self.batch_size = recipe.batch_size
        self.steps = len(indices) // self.batch_size
        self._targets = target_table(labels[indices], classes, recipe)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of the 0-based `epoch`."""
        order = np.random.default_rng([self._seed, epoch]).permutation(self._indices)

        def make(number: int) -> Batch:
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            random = np.random.default_rng([self._seed, epoch, number])
            targets = self._targets[self._labels[chosen]]
            return Batch(*augment(self._images[chosen], targets, self._recipe.augmentation, random))

        return prepared_ahead(make, self.steps)


def target_table(labels: np.ndarray, classes: int, recipe: Recipe) -> np.ndarray:
    """The target of each class, (classes, classes) float32: smoothed one-hot rows, times the weight of the class.

    With smoothing s a row is 1 - s + s / classes at its class and s / classes elsewhere (as in Keras).

    Raises:
        TrainingError: as many weights as classes are needed.
    """
    smoothing = recipe.label_smoothing
    table = np.eye(classes, dtype=np.float32) * (1 - smoothing) + smoothing / classes
    return (table * weights_of_classes(labels, classes, recipe)[:, None]).astype(np.float32)


def weights_of_classes(labels: np.ndarray, classes: int, recipe: Recipe) -> np.ndarray:
    """The weight of each class in the loss, (classes,)."""
    if recipe.class_weights == "none":
        return np.ones(classes)
    if recipe.class_weights == "balanced":
        return class_weights(labels, classes)
    given: Sequence[float] = recipe.class_weights
    if len(given) != classes:
        raise TrainingError(f"Expected a class weight for each of {classes} classes. Received: {len(given)}")
    return np.asarray(given, np.float64)
