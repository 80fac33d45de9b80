"""From the augmentation of a recipe (data) to Keras layers, and the wrapper model in which a network is trained.

The wrapper is ``raw images → augmentation → normalisation → network``. Augmentation works on raw pixels, so that what
it fills in is black; it does nothing outside of training. The network itself never holds these layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from automl_cells.datasets import Preprocessing
from automl_cells.training.recipes import Augmentation


def _translation(step: Any, height: int, width: int) -> keras.layers.Layer:
    return keras.layers.RandomTranslation(
        min(1.0, step.pixels / height), min(1.0, step.pixels / width), fill_mode=step.fill
    )


def _rotation(step: Any, height: int, width: int) -> keras.layers.Layer:
    return keras.layers.RandomRotation(step.degrees / 360, fill_mode=step.fill)


def _zoom(step: Any, height: int, width: int) -> keras.layers.Layer:
    return keras.layers.RandomZoom(step.factor, step.factor, fill_mode=step.fill)


def _horizontal_flip(step: Any, height: int, width: int) -> keras.layers.Layer:
    return keras.layers.RandomFlip("horizontal")


_LAYERS: dict[str, Callable[[Any, int, int], keras.layers.Layer]] = {
    "translation": _translation,
    "rotation": _rotation,
    "zoom": _zoom,
    "horizontal_flip": _horizontal_flip,
}


def augmentation_layers(steps: Sequence[Augmentation], height: int, width: int) -> list[keras.layers.Layer]:
    """The Keras layers of an augmentation, for images of that size in pixels; off outside of training."""
    return [_LAYERS[step.op](step, height, width) for step in steps]


def training_model(
    model: keras.Model,
    preprocessing: Preprocessing,
    steps: Sequence[Augmentation],
    input_shape: tuple[int, int, int],
) -> keras.Model:
    """The wrapper around `model` that is trained: it shares the weights of `model` and takes raw images.

    Args:
        model: the network, normalised images → outputs.
        preprocessing: its normalisation.
        steps: augmentation, in order.
        input_shape: (height, width, channels) of the raw images.
    """
    images = keras.Input(input_shape, name="raw_image")
    tensor = images
    for layer in augmentation_layers(steps, *input_shape[:2]):
        tensor = layer(tensor)
    variance = [std**2 for std in preprocessing.std]
    tensor = keras.layers.Normalization(mean=list(preprocessing.mean), variance=variance)(tensor)
    return keras.Model(images, model(tensor))
