"""The small training engine that proxy training drives; one implementation a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    import keras

    from automl_cells.evaluation.proxy_protocol import ProxyProtocol


class EpochResult(NamedTuple):
    """Means over the steps of one epoch: cross-entropy in nats (without L2), training accuracy from 0 to 1."""

    loss: float
    accuracy: float


class ProxyEngine(Protocol):
    """Trains one model, which must end in logits, on images (n, H, W, C) float32 and labels (n,), as a protocol says.

    Where the protocol has no augmentation, the images stay on the device.
    """

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, protocol: ProxyProtocol) -> None: ...

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """Train on ``images[order[i]]`` step by step.

        Args:
            order: shape (steps, batch), positions of images.
            rates: shape (steps,), the learning rate of each step.
            seed: of the augmentation, see `augmented_batches`; ``None`` trains on the images as they are.
        """
        ...

    def observe(self, indices: np.ndarray) -> None:
        """Show batch normalisation one batch, not augmented: no weight changes, and no moment of the optimizer.

        Args:
            indices: shape (batch,), positions of images.
        """
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The model's output at inference, shape (images, classes)."""
        ...

    def reset(self) -> None:
        """Forget the optimizer's moments."""
        ...
