"""Colour images for a network of grey ones, and grey images for a network of colour ones."""

from __future__ import annotations

import dataclasses

import numpy as np

from automl_cells.datasets.base import Dataset, chunks
from automl_cells.datasets.encoded_images import EncodedImages
from automl_cells.errors import DataError

LUMINANCE = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in a grey value (ITU-R 601, as Pillow and television have them)."""


def with_channels(dataset: Dataset, channels: int) -> Dataset:
    """`dataset` with images of so many channels: colour becomes its luminance, grey is repeated three times.

    A converted data set is another one: its name has ``_grey`` or ``_rgb`` at its end, its fingerprint is that of the
    converted images. Images that are streamed stay so.

    Args:
        dataset: with 1 or 3 channels, unless `channels` is what it has.
        channels: 1 or 3.

    Raises:
        DataError: any other numbers of channels.
    """
    given = dataset.input_shape[2]
    if given == channels:
        return dataset
    if {given, channels} != {1, 3}:
        raise DataError(
            f"Expected images with {channels} channels, as the network was trained on "
            f"(only 1 and 3 are converted into each other). Received: {dataset.name} with {given}"
        )
    return dataclasses.replace(
        dataset,
        name=f"{dataset.name}_{'grey' if channels == 1 else 'rgb'}",
        x_train=_converted(dataset.x_train, channels),
        x_test=_converted(dataset.x_test, channels),
    )


def _converted(images: np.ndarray | EncodedImages, channels: int) -> np.ndarray | EncodedImages:
    """Images (n, height, width, 1 or 3) with the other number of channels, of the same type."""
    if isinstance(images, EncodedImages):  # the decoder does it, by the same rule
        return dataclasses.replace(images, channels=channels)
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    found = np.empty((*images.shape[:3], 1), images.dtype)
    start = 0
    for chunk in chunks(images):
        grey = chunk.astype(np.float32) @ np.array(LUMINANCE, np.float32)
        found[start : start + len(chunk), ..., 0] = np.rint(grey) if images.dtype == np.uint8 else grey
        start += len(chunk)
    return found
