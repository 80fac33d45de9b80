"""The networks whose outputs are compared between backends, and the images that they are shown."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from automl_cells.datasets import load
from automl_cells.zoo import Entry, blockqnn_cifar_small

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "zoo" / "blockqnn_found_digits" / "digits-v1"
IMAGES = 64


def digits() -> np.ndarray:
    """The first test images, raw."""
    return load("digits").x_test[:IMAGES]


def noise() -> np.ndarray:
    """Normalised images of the shape of CIFAR, each with its own colour and contrast."""
    random = np.random.default_rng(1)
    images = random.normal(size=(8, 32, 32, 3)) * random.uniform(0.3, 2, (8, 1, 1, 1))
    return (images + random.normal(size=(8, 1, 1, 3))).astype(np.float32)


def random_network(weights: Path | None = None) -> keras.Model:
    """BLOCK-QNN-S as published, in a small frame, by its constructor; with the weights of a file if there is one."""
    return blockqnn_cifar_small(weights=weights)


def randomise(model: keras.Model) -> None:
    """Random kernels, and statistics of batch normalisation far from their start, so that they are seen."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        kind = variable.path.rpartition("/")[2]
        if kind == "kernel":
            gain = 0.1 if len(variable.shape) == 2 else 2  # of the classifier: its softmax shall not saturate
            value = random.normal(size=variable.shape) * np.sqrt(gain / np.prod(variable.shape[:-1]))
        elif kind in ("gamma", "moving_variance"):
            value = random.uniform(0.5, 1.5, variable.shape)
        else:
            value = random.normal(size=variable.shape) * 0.2
        variable.assign(value.astype(np.float32))


def entry_outputs() -> np.ndarray:
    """The probabilities of the entry on the shelf for the digits."""
    entry = Entry.read(ENTRY)
    return np.asarray(entry.load_model().predict_on_batch(entry.preprocessing(digits())))
