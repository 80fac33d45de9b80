"""Random changes to the training images, a whole batch at a time, in NumPy on the host.

Not layers of Keras: so the same seed gives the same batches under TensorFlow, JAX and torch, on any number of devices
and after an interruption; and on CPUs it is much faster. `steps` holds the data, `augment` applies it.
"""

from __future__ import annotations

from automl_cells.augmentation.pipeline import augment, check_steps
from automl_cells.augmentation.steps import Augmentation

__all__ = ["Augmentation", "augment", "check_steps"]
