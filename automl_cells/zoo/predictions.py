"""Pixels in, names out: `preprocess_input` and `decode_predictions` of ``keras.applications``, for every entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.errors import ZooError
from automl_cells.zoo.catalogue import structures
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.locate import resolve
from automl_cells.zoo.pretrained import IMAGENET


def preprocess_input(images: Any, model: str | Path | Entry, data_format: str | None = None) -> np.ndarray:
    """Raw pixels as the weights of `model` want them.

    Args:
        images: (…, height, width, channels), raw pixel values; they are not changed.
        model: an entry, its address or folder; or ``NAME/imagenet`` for the official ImageNet weights.
        data_format: only ``channels_last``, or ``None``.

    Returns:
        float32, of the same shape.

    Raises:
        ZooError: no such entry, or another data format.
        DataError: another number of channels.
    """
    if data_format not in (None, "channels_last"):
        raise ZooError(f"Expected data_format None or 'channels_last'. Received: {data_format!r:.60}")
    if _is_official(model):
        return np.asarray(images, np.float32) / 127.5 - 1  # mode "tf" of keras.applications
    return _entry(model).preprocessing(np.asarray(images))


def decode_predictions(
    predictions: Any, model: str | Path | Entry, top: int = 5
) -> list[list[tuple[int | str, str, float]]]:
    """The `top` classes of each image by name.

    Args:
        predictions: (batch, classes), probabilities or logits.
        model: an entry, its address or folder; or ``NAME/imagenet`` for the official ImageNet weights, whose names
            Keras fetches from the network once.
        top: how many, at most as many as there are classes.

    Returns:
        For each image a list of (number of the class, its name, its score), best first; for ``NAME/imagenet`` with the
        WordNet identifier in the place of the number, as in ``keras.applications``.

    Raises:
        ZooError: no such entry, or predictions of another shape.
    """
    try:
        predictions = np.asarray(predictions, np.float64)
    except (TypeError, ValueError):
        raise ZooError(f"Expected predictions as numbers. Received: {type(predictions).__name__}") from None
    official = _is_official(model)
    labels = () if official else _entry(model).labels
    classes = 1000 if official else len(labels)
    if predictions.ndim != 2 or predictions.shape[1] != classes:
        raise ZooError(f"Expected predictions of shape (batch, {classes}). Received: {predictions.shape}")
    if type(top) is not int or top < 1:
        raise ZooError(f"Expected top of at least 1. Received: {top!r:.40}")
    if official:
        import keras

        return keras.applications.imagenet_utils.decode_predictions(predictions, top=min(top, classes))
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [
        [(int(index), labels[index], float(row[index])) for index in best]
        for row, best in zip(predictions, order, strict=True)
    ]


def _is_official(model: str | Path | Entry) -> bool:
    name, _, tag = str(model).partition("/")
    known = structures().get(name)
    return (
        not isinstance(model, Entry) and tag == IMAGENET and known is not None and known.keras_application is not None
    )


def _entry(model: str | Path | Entry) -> Entry:
    return model if isinstance(model, Entry) else resolve(model)
