"""The handwritten digits that ship inside scikit-learn: the embedded default, real images without a download.

1,797 images of 8x8 pixels, values 0 to 16 (the test part of the UCI "Optical Recognition of Handwritten Digits").
"""

from __future__ import annotations

import numpy as np

from automl_cells.datasets.arrays import from_arrays
from automl_cells.datasets.base import Dataset


def load_digits() -> Dataset:
    """1,347 training and 450 test images (8, 8, 1), float32; the same stratified quarter is held out each time."""
    from sklearn.datasets import load_digits as read_digits  # takes about a second to import

    bunch = read_digits()
    return from_arrays(
        bunch.images.astype(np.float32), bunch.target, class_names=[str(c) for c in bunch.target_names], name="digits"
    )
