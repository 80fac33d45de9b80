"""Measuring again what a card says: the accuracy of an entry on the test images of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from automl_cells.errors import ZooError
from automl_cells.zoo.data import dataset_of
from automl_cells.zoo.entry import Entry

TOLERANCE = 0.05
"""Points of accuracy within which a machine may differ: another order of additions turns over an image or two in ten
thousand whose classes are as good as tied."""


class Remeasured(NamedTuple):
    """What was found.

    Attributes:
        published: test accuracy in per cent as the metrics say.
        measured: as measured now.
        images: on how many test images.
    """

    published: float
    measured: float
    images: int

    @property
    def agrees(self) -> bool:
        """Whether the two are the same, but for the tolerance or a single image."""
        return abs(self.published - self.measured) <= max(TOLERANCE, 100 / self.images) + 1e-6


def remeasure(entry: Entry, folder: str | Path | None = None) -> Remeasured:
    """Load the model of an entry and measure its test accuracy.

    Args:
        entry: the entry.
        folder: where its data set lies, see `dataset_of`.

    Raises:
        ZooError: the data set is not there or not the same, the weights do not load, or no accuracy was published.
    """
    from automl_cells.training.conclusion import accuracy

    published = entry.metrics.get("test_accuracy")
    if not isinstance(published, int | float):
        raise ZooError(f"Expected a test accuracy in the metrics of {entry.folder}. Received: {published!r:.60}")
    data = dataset_of(entry, folder)
    measured = 100 * accuracy(entry.load_model(), entry.preprocessing, data.x_test, data.y_test)
    return Remeasured(float(published), round(measured, 4), len(data.x_test))
