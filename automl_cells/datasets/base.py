"""The one type of data set that the package knows, and the normalisation that every model's input goes through."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from automl_cells.datasets.encoded_images import EncodedImages
from automl_cells.errors import DataError

_CHUNK = 4096  # images converted at once, so that statistics of a large set do not need a second copy of it
_CHUNK_BYTES = 64 * 1024**2  # as they are stored; fewer images at once if they are large


def chunks(images: np.ndarray | EncodedImages) -> Iterator[np.ndarray]:
    """`images` (n, …) in order, so many at once that a chunk stays small: at most 4,096 images and about 64 MiB."""
    size = math.prod(images.shape[1:]) * images.dtype.itemsize
    step = max(1, min(_CHUNK, _CHUNK_BYTES // max(1, size)))
    for start in range(0, len(images), step):
        yield images[start : start + step]


@dataclass(frozen=True)
class Preprocessing:
    """Per-channel normalisation from raw pixel values to a model's input.

    Attributes:
        mean: one value a channel, in raw pixel units.
        std: one value a channel, in raw pixel units, above zero.

    Raises:
        DataError: different numbers of channels, values that are not finite, or a deviation that is not positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            numbers = isinstance(values, tuple) and all(type(value) in (int, float) for value in values)
            if not numbers or not values or not all(math.isfinite(value) for value in values):
                raise DataError(f"Expected the {name} as a tuple of finite numbers. Received: {values!r:.80}")
        if len(self.mean) != len(self.std):
            raise DataError(
                f"Expected as many means as deviations. Received: {len(self.mean)} means, {len(self.std)} deviations"
            )
        if min(self.std) <= 0:
            raise DataError(f"Expected deviations above zero. Received: {self.std}")

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """``(images - mean) / std``.

        Args:
            images: (…, height, width, channels), raw pixel values.

        Returns:
            float32, of the same shape.

        Raises:
            DataError: another number of channels.
        """
        images = np.asarray(images)
        if not images.ndim or images.shape[-1] != len(self.mean):
            raise DataError(
                f"Expected images with {len(self.mean)} channels at the end. Received: shape {images.shape}"
            )
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return (images.astype(np.float32) - mean) / std

    @classmethod
    def of(cls, images: np.ndarray | EncodedImages) -> Preprocessing:
        """The mean and standard deviation of each channel of `images` (n, height, width, channels).

        A channel that never changes gets the deviation 1. Encoded images are decoded once, a chunk at a time.
        """
        channels = images.shape[-1]
        count = math.prod(images.shape) // channels
        total, squares = np.zeros(channels), np.zeros(channels)
        if images.dtype == np.uint8:  # sums of whole numbers are exact, so that one look at the images is enough
            for chunk in chunks(images):
                flat = chunk.reshape(len(chunk), -1)  # summing over the images first is several times faster
                total += flat.sum(axis=0, dtype=np.int64).reshape(-1, channels).sum(axis=0)
                flat = np.square(flat, dtype=np.uint16)
                squares += flat.sum(axis=0, dtype=np.int64).reshape(-1, channels).sum(axis=0)
            exact = [(int(one), int(two)) for one, two in zip(total, squares, strict=True)]
            mean = np.array([one / count for one, _ in exact])
            std = np.array([math.sqrt(count * two - one * one) / count for one, two in exact])
        else:
            for chunk in chunks(images):
                total += chunk.sum(axis=(0, 1, 2), dtype=np.float64)
            mean = total / count
            for chunk in chunks(images):
                squares += np.square(chunk - mean).sum(axis=(0, 1, 2), dtype=np.float64)
            std = np.sqrt(squares / count)
        std[std < 1e-6] = 1.0
        return cls(tuple(map(float, mean)), tuple(map(float, std)))

    def to_document(self) -> dict[str, list[float]]:
        """``{"mean": […], "std": […]}``, ready for JSON."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `to_document`.

        Raises:
            DataError: other fields, or values that are not a valid preprocessing.
        """
        if not isinstance(document, Mapping) or set(document) != {"mean", "std"}:
            raise DataError(f"Expected a preprocessing with 'mean' and 'std'. Received: {document!r:.80}")
        fields = {name: tuple(values) if isinstance(values, list) else values for name, values in document.items()}
        return cls(**fields)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, split into a training and a test part. Made by `load` and `from_arrays`, which check it.

    Attributes:
        name: what the data set is called in files, e.g. ``digits``.
        x_train: (n, height, width, channels), uint8 or float32, raw pixel values. `EncodedImages` if the data set is
            `streamed`: slices and indices give arrays, the whole is never in memory.
        y_train: (n,), int64 labels 0 … classes - 1.
        x_test: images that a search never sees and a training touches once, at its end; may be encoded too.
        y_test: their labels.
        class_names: the name of each class, in the order of the labels.
    """

    name: str
    x_train: np.ndarray | EncodedImages
    y_train: np.ndarray
    x_test: np.ndarray | EncodedImages
    y_test: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            array = getattr(self, name)
            if isinstance(array, EncodedImages):  # read-only as it is
                continue
            view = array.view()
            view.flags.writeable = False  # the fingerprint is taken once
            object.__setattr__(self, name, view)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.x_train.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def streamed(self) -> bool:
        """Whether the training images are decoded each time they are looked at, being too many for the memory."""
        return isinstance(self.x_train, EncodedImages)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Normalisation with the mean and deviation of the training images."""
        return Preprocessing.of(self.x_train)

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:`` and the SHA-256 of the four arrays with their types and shapes; the same streamed or not."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.dtype.newbyteorder('<').str}{array.shape}".encode())
            for chunk in chunks(array):
                digest.update(np.ascontiguousarray(chunk, chunk.dtype.newbyteorder("<")).data)
        return f"sha256:{digest.hexdigest()}"
