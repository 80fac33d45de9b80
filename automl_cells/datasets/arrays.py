"""From arrays in memory to a checked `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_cells.datasets.base import Dataset
from automl_cells.datasets.encoded_images import EncodedImages, part_of
from automl_cells.datasets.splits import stratified_split
from automl_cells.errors import DataError

MIN_TRAINING_IMAGES = 10
TEST_FRACTION = 0.25
SPLIT_SEED = 0


def from_arrays(
    x_train: Any,
    y_train: Any,
    x_test: Any = None,
    y_test: Any = None,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set of arrays.

    Args:
        x_train: images, (n, height, width, channels) or (n, height, width); uint8 and float32 stay as they are, other
            real numbers become float32. Encoded images stay encoded.
        y_train: labels, (n,) or (n, 1) integers: 0 … classes - 1, each present unless `class_names` says how many
            classes there are.
        x_test: test images of the same shape. Without a test part a quarter of the images is held out, stratified.
        y_test: their labels.
        class_names: the name of each class; by default ``"0"``, ``"1"``, ….
        name: what the data set is called in files.

    Raises:
        DataError: the images or labels are not usable; the message says which and why.
    """
    if (x_test is None) != (y_test is None):
        raise DataError(
            f"Expected test images and test labels together. Received: x_test {_given(x_test)}, y_test {_given(y_test)}"
        )
    images, labels = _images(x_train, "x_train"), _labels(y_train, "y_train")
    _check_pair(images, labels, "train")
    if x_test is None:
        _check_training(images, labels)
        rest, held_out = stratified_split(labels, TEST_FRACTION, SPLIT_SEED)
        images, test_images = part_of(images, rest), part_of(images, held_out)
        labels, test_labels = labels[rest], labels[held_out]
    else:
        test_images, test_labels = _images(x_test, "x_test"), _labels(y_test, "y_test")
        _check_pair(test_images, test_labels, "test")
        if test_images.shape[1:] != images.shape[1:]:
            raise DataError(
                f"Expected test images of the training images' shape {images.shape[1:]}. "
                f"Received: {test_images.shape[1:]}"
            )
        if test_images.dtype != images.dtype:
            images, test_images = _floats(images), _floats(test_images)
    _check_training(images, labels)
    names = _class_names(class_names, labels)
    unknown = np.setdiff1d(test_labels, labels)
    if len(unknown):
        raise DataError(f"Expected every label of y_test in y_train too. Received: {_few(unknown)}")
    return Dataset(name, images, labels, test_images, test_labels, names)


def _floats(images: np.ndarray | EncodedImages) -> np.ndarray:
    return (images[:] if isinstance(images, EncodedImages) else images).astype(np.float32)


def _images(values: Any, what: str) -> np.ndarray | EncodedImages:
    if isinstance(values, EncodedImages):
        if not len(values):
            raise DataError(f"Expected {what} with images in it. Received: shape {values.shape}")
        return values
    images = _array(values, what)
    if images.dtype.kind not in "buif":
        raise DataError(f"Expected {what} as numbers. Received: an array of type {images.dtype}")
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4:
        raise DataError(
            f"Expected {what} of shape (n, height, width, channels) or (n, height, width). Received: {images.shape}"
        )
    if 0 in images.shape:
        raise DataError(f"Expected {what} with images in it. Received: shape {images.shape}")
    if images.dtype != np.uint8:
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is reported as that
            images = np.asarray(images, np.float32)
        finite = np.isfinite(images).all(axis=(1, 2, 3))
        if not finite.all():
            raise DataError(
                f"Expected finite pixel values in {what}. Received: NaN or infinity in {np.sum(~finite)} images, "
                f"first in image {np.argmin(finite)}"
            )
    return images


def _labels(values: Any, what: str) -> np.ndarray:
    labels = _array(values, what)
    if labels.ndim == 2 and labels.shape[1] == 1:  # as keras.datasets.cifar10 has them
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise DataError(
            f"Expected {what} as integers of shape (n,). Received: type {labels.dtype}, shape {labels.shape}"
        )
    labels = labels.astype(np.int64)
    if len(labels) and labels.min() < 0:
        raise DataError(f"Expected labels from 0 in {what}. Received: {labels.min()}")
    return labels


def _array(values: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise DataError(f"Expected {what} as an array. Received: {type(values).__name__} ({error})") from None


def _check_pair(images: np.ndarray | EncodedImages, labels: np.ndarray, part: str) -> None:
    if len(images) != len(labels):
        raise DataError(
            f"Expected as many labels as images in the {part} part. "
            f"Received: {len(images)} images, {len(labels)} labels"
        )


def _check_training(images: np.ndarray | EncodedImages, labels: np.ndarray) -> None:
    if len(images) < MIN_TRAINING_IMAGES:
        raise DataError(f"Expected at least {MIN_TRAINING_IMAGES} training images. Received: {len(images)}")
    present = np.unique(labels)
    if len(present) < 2:
        raise DataError(f"Expected training images of at least two classes. Received: only label {present[0]}")


def _class_names(names: Sequence[str] | None, labels: np.ndarray) -> tuple[str, ...]:
    if isinstance(names, str):
        raise DataError(f"Expected class names as a list of texts. Received: the text {names!r:.80}")
    if names is not None:
        names = tuple(map(str, names))
        if labels.max() >= len(names):
            raise DataError(f"Expected labels below the number of class names, {len(names)}. Received: {labels.max()}")
        if len(set(names)) != len(names):
            raise DataError(f"Expected class names that differ. Received: {names!s:.120}")
        return names
    present = np.unique(labels)
    if present[-1] != len(present) - 1:
        missing = np.setdiff1d(np.arange(len(present)), present)
        raise DataError(
            "Expected every label from 0 to the largest in y_train, or class_names to say how many classes there are. "
            f"Received: largest label {present[-1]}, no image of class {missing[0]}"
        )
    return tuple(str(label) for label in present)


def _given(value: Any) -> str:
    return "absent" if value is None else "given"


def _few(values: np.ndarray) -> str:
    shown = ", ".join(map(str, values[:5]))
    return f"{shown}, …" if len(values) > 5 else shown
