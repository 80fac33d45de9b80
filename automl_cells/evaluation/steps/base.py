"""The small training engine that proxy training drives; one implementation a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    import keras

    from automl_cells.evaluation.proxy_protocol import ProxyProtocol


class EpochResult(NamedTuple):
    """Means over the steps of one epoch: cross-entropy in nats, training accuracy from 0 to 1."""

    loss: float
    accuracy: float


class ProxyEngine(Protocol):
    """Trains one model, which must end in logits, with Adam on arrays that stay on the device."""

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, protocol: ProxyProtocol) -> None: ...

    def epoch(self, order: np.ndarray, learning_rate: float) -> EpochResult:
        """Train on ``images[order[i]]`` step by step.

        Args:
            order: shape (steps, batch), positions of images.
            learning_rate: of every step; 0 changes no weight.
        """
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The model's output at inference, shape (images, classes)."""
        ...

    def reset(self) -> None:
        """Forget the optimizer's moments."""
        ...
