"""Encoded images that behave like one array, decoded only where they are looked at.

This is what `Dataset.x_train` is if the decoded images would not fit into memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import numpy as np

from automl_cells.datasets.pixels import EncodedImage, decode
from automl_cells.errors import DataError

MEMORY = 2 * 1024**3
"""Bytes that the decoded images of one part of a data set may take, unless said otherwise."""

_T = TypeVar("_T")
_S = TypeVar("_S")


def in_threads(function: Callable[[_S], _T], values: Iterable[_S]) -> list[_T]:
    """``[function(value) for value in values]``, by a few threads: Pillow decodes without holding Python's lock."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, values))


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """A read-only array (n, height, width, channels) of uint8 whose images are decoded when they are asked for.

    ``images[3]`` is one image; ``images[10:20]``, ``images[indices]`` and ``images[mask]`` are new NumPy arrays, and
    only they are in memory. Nothing is kept, so each time costs the decoding again.

    Attributes:
        sources: where the images are.
        size: (height, width) that each is fitted to.
        channels: 1 or 3.
        memory: bytes up to which `settled` decodes them all.
    """

    sources: Sequence[EncodedImage] = field(repr=False)
    size: tuple[int, int]
    channels: int
    memory: int = MEMORY

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, height, width, channels)."""
        return len(self.sources), *self.size, self.channels

    @property
    def dtype(self) -> np.dtype:
        """Always uint8."""
        return np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        """Always 4."""
        return 4

    @property
    def nbytes(self) -> int:
        """What all images would take in memory."""
        return len(self.sources) * self.size[0] * self.size[1] * self.channels

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Decoded images.

        Args:
            key: an integer, a slice, or an array of integers or truth values of shape (m,).

        Returns:
            uint8: (height, width, channels) for an integer, else (m, height, width, channels).

        Raises:
            DataError: a file that could be read at first no longer can be.
            IndexError: beyond the end.
        """
        places = np.arange(len(self))[key]
        if places.ndim == 0:
            return self._decoded(int(places))
        if places.ndim != 1:
            raise IndexError(f"Expected indices of shape (m,). Received: {places.shape}")
        found = np.empty((len(places), *self.shape[1:]), np.uint8)

        def fill(row: int) -> None:
            found[row] = self._decoded(int(places[row]))

        if len(places) < 4:  # not worth the threads
            for row in range(len(places)):
                fill(row)
        else:
            in_threads(fill, range(len(places)))
        return found

    def __array__(self, *arguments: Any, **options: Any) -> NoReturn:
        """Refused: `np.asarray` would bring everything into memory, unasked.

        Raises:
            DataError: always.
        """
        raise DataError(
            f"Expected to look at a part of the images, such as images[:64], for they are not in memory. "
            f"Received: a request for all {len(self):,} ({self.nbytes:,} bytes)"
        )

    def subset(self, indices: np.ndarray) -> EncodedImages:
        """The images at `indices` (m,), still encoded."""
        return EncodedImages([self.sources[int(i)] for i in indices], self.size, self.channels, self.memory)

    def _decoded(self, place: int) -> np.ndarray:
        source = self.sources[place]
        try:
            return decode(source, self.size, self.channels)
        except DataError as error:
            raise DataError(f"Expected an image that can be read. Received: {source} ({error})") from None


def settled(images: np.ndarray | EncodedImages) -> np.ndarray | EncodedImages:
    """Encoded images decoded if that takes at most their `memory` bytes; anything else is handed back as it is."""
    if isinstance(images, EncodedImages) and images.nbytes <= images.memory:
        return images[:]
    return images


def part_of(images: np.ndarray | EncodedImages, indices: np.ndarray) -> np.ndarray | EncodedImages:
    """The images at `indices` (m,), still encoded if they were."""
    return images.subset(indices) if isinstance(images, EncodedImages) else images[indices]
