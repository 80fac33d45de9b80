"""One training of one network: from data and recipe to the engine, the batches and the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from automl_cells.augmentation import check_steps
from automl_cells.datasets import Preprocessing
from automl_cells.errors import TrainingError
from automl_cells.training import loop
from automl_cells.training.batches import TrainingBatches, weights_of_classes
from automl_cells.training.checkpoints import Checkpoints, State
from automl_cells.training.distribution import machines
from automl_cells.training.engines import Engine, Placed, engine_class
from automl_cells.training.precision import computing_in
from automl_cells.training.progress import ShowProgress
from automl_cells.training.recipes import Recipe
from automl_cells.training.updates import Update

RateOf = Callable[[keras.Variable], float]
"""The factor of the learning rate of a variable."""


def fit(
    make_network: Callable[[Placed], keras.Model],
    images: Any,
    labels: np.ndarray,
    training: np.ndarray,
    validation: np.ndarray,
    classes: int,
    preprocessing: Preprocessing,
    recipe: Recipe,
    *,
    precision: str = "float32",
    seed: int = 0,
    replicas: int = 1,
    checkpoints: Checkpoints | None = None,
    progress: ShowProgress | None = None,
    rate_of: RateOf | None = None,
) -> tuple[Engine, State]:
    """Train the network that `make_network` builds, normalised images → logits.

    Sets the global seeds of Python, NumPy and Keras.

    Args:
        make_network: called once, where the variables shall live; the variables that are trainable are trained.
        images: (n, height, width, channels), raw pixels; an array or something that can be indexed like one and has
            its shape.
        labels: (n,) integers.
        training: indices of the images to train on.
        validation: indices of those by which the best epoch is chosen; may be none.
        classes: number of classes.
        preprocessing: normalisation in front of the network.
        recipe: how to train.
        precision: ``float32`` or ``bfloat16``, see `resolve_precision`.
        seed: of the weights, the order of the images and the augmentation.
        replicas: on this machine, see `check_replicas`.
        checkpoints: where to keep what an interrupted training needs.
        progress: shown as it goes.
        rate_of: factor of the learning rate of each variable; 1 for all by default.

    Raises:
        TrainingError: see `check`, a training that diverges, or checkpoints that do not fit.
    """
    check(recipe, labels[training], images.shape[1:3], classes, replicas)
    batches = TrainingBatches(images, labels, training, classes, recipe, seed)

    def make_update(network: keras.Model) -> Update:
        variables = network.trainable_variables
        rates = None if rate_of is None else [rate_of(variable) for variable in variables]
        shapes = [tuple(variable.shape) for variable in variables]
        return Update(recipe, recipe.epochs * batches.steps, batches.steps, shapes, rates)

    keras.utils.set_random_seed(seed)
    with computing_in(precision):
        engine = engine_class(keras.backend.backend())(make_network, make_update, preprocessing, replicas)
    held_out = loop.Images(images, labels, validation)
    return engine, loop.run(engine, batches, held_out, recipe.epochs, checkpoints, progress, recipe.keep)


def check(recipe: Recipe, labels: np.ndarray, size: tuple[int, int], classes: int, replicas: int) -> None:
    """Refuse a recipe that does not fit the data, before anything is written.

    Args:
        recipe: the recipe.
        labels: (n,) of the images to train on.
        size: height and width of the images, in pixels.
        classes: number of classes.
        replicas: on each machine.

    Raises:
        TrainingError: a batch larger than the data or too small for the replicas, other weights of the classes, or a
            step of the augmentation that does not suit the size of the images.
    """
    check_steps(recipe.augmentation, *size)
    weights_of_classes(labels, classes, recipe)
    images, replicas = len(labels), replicas * machines()
    if recipe.batch_size > images:
        raise TrainingError(
            f"Expected batches of at most the {images} training images (batch_size of the recipe {recipe.name}). "
            f"Received: {recipe.batch_size}"
        )
    if recipe.batch_size < 2 * replicas:
        raise TrainingError(
            f"Expected batches of at least two images for each of {replicas} replicas. Received: {recipe.batch_size}"
        )
