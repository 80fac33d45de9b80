"""From encoded images and labels to a `Dataset`: which images are damaged, what size all get, what fits into memory."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl_cells.datasets.arrays import from_arrays
from automl_cells.datasets.base import Dataset
from automl_cells.datasets.encoded_images import MEMORY, EncodedImages, in_threads, settled
from automl_cells.datasets.pixels import EncodedImage, Facts, examine
from automl_cells.errors import DataError

MAX_SIDE = 224
"""Largest side that images of different sizes get unless one is asked for."""
_NAMED = 5  # files in a message


class SkippedImagesWarning(UserWarning):
    """Images that cannot be read were left out, as asked for."""


@dataclass(frozen=True)
class Reading:
    """How encoded images are read.

    Attributes:
        size: (height, width) that every image is fitted to. ``None``: images of one size stay as they are, others
            become squares whose side is the median of the shorter sides, at most `MAX_SIDE`.
        corrupt: ``"refuse"`` or ``"skip"`` images that cannot be read.
        memory: bytes that the decoded images of one part, training or test, may take; a larger part is streamed.
    """

    size: tuple[int, int] | None = None
    corrupt: str = "refuse"
    memory: int = MEMORY


@dataclass(frozen=True)
class Part:
    """The training or test part before it is read.

    Attributes:
        images: where the images are.
        labels: (n,) int64.
    """

    images: Sequence[EncodedImage]
    labels: np.ndarray

    def only(self, keep: np.ndarray) -> Part:
        """The images of which `keep`, (n,) truth values, is true."""
        return Part([image for image, wanted in zip(self.images, keep, strict=True) if wanted], self.labels[keep])


def from_encoded(
    train: Part, test: Part | None, class_names: Sequence[str] | None, name: str, reading: Reading
) -> Dataset:
    """Read encoded images; every image is read once to its end to see that it is whole.

    Args:
        train: the training part, or all images.
        test: the test part; ``None``: a quarter is held out as by `from_arrays`.
        class_names: as for `from_arrays`.
        name: of the data set.
        reading: how.

    Raises:
        DataError: images that cannot be read (unless they are to be skipped), a class without any, or as `from_arrays`.
    """
    facts = _examined([*train.images, *(test.images if test else [])])
    _report(facts, reading.corrupt)
    good = np.array([isinstance(fact, Facts) for fact in facts], bool)
    cut = len(train.images)
    train = train.only(good[:cut])
    test = test and test.only(good[cut:])
    found = [fact for fact in facts if isinstance(fact, Facts)]
    if class_names is not None:
        _check_classes(train, class_names)
    size = reading.size or _size(found, found[: len(train.images)])
    channels = max((fact.channels for fact in found), default=1)

    def images_of(part: Part) -> EncodedImages:
        return EncodedImages(part.images, size, channels, reading.memory)

    given: dict[str, Any] = {"x_train": images_of(train), "y_train": train.labels}
    if test is not None:
        given |= {"x_test": images_of(test), "y_test": test.labels}
    try:
        dataset = from_arrays(**given, class_names=class_names, name=name)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    return dataclasses.replace(dataset, x_train=settled(dataset.x_train), x_test=settled(dataset.x_test))


def _examined(images: list[EncodedImage]) -> list[Facts | str]:
    """What each image is, or why it cannot be read with its name."""

    def look(image: EncodedImage) -> Facts | str:
        try:
            return examine(image)
        except DataError as error:
            return f"{image} ({error})"

    with warnings.catch_warnings():  # here and not in the threads, whose filters are common
        warnings.simplefilter("ignore")  # Pillow's remarks on metadata that nobody reads
        return in_threads(look, images)


def _report(facts: list[Facts | str], corrupt: str) -> None:
    bad = [fact for fact in facts if isinstance(fact, str)]
    if not bad:
        return
    listed = "; ".join(bad[:_NAMED]) + (f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else "")
    if corrupt != "skip":
        raise DataError(
            "Expected images that can be read (?corrupt=skip leaves the others out). "
            f"Received: {len(bad)} of {len(facts)} that cannot: {listed}"
        )
    warnings.warn(
        f"{len(bad)} of {len(facts)} images cannot be read and are left out: {listed}",
        SkippedImagesWarning,
        stacklevel=4,
    )


def _check_classes(train: Part, class_names: Sequence[str]) -> None:
    counts = np.bincount(train.labels[train.labels >= 0], minlength=len(class_names))
    empty = [class_names[label] for label in range(len(class_names)) if not counts[label]]
    if empty:
        raise DataError(
            f"Expected training images that can be read in every class. Received: none in {', '.join(empty[:_NAMED])}"
            + (f" and {len(empty) - _NAMED} more classes" if len(empty) > _NAMED else "")
        )


def _size(found: list[Facts], training: list[Facts]) -> tuple[int, int]:
    sizes = {(fact.height, fact.width) for fact in found}
    if len(sizes) == 1:
        return sizes.pop()
    if not training:
        return 1, 1  # refused later, with the reason
    side = min(int(np.median([min(fact.height, fact.width) for fact in training])), MAX_SIDE)
    return side, side
