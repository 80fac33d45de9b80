"""The small training engine that proxy training drives; one implementation a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from automl_cells.evaluation.proxy_protocol import ProxyProtocol
    from automl_cells.evaluation.steps.network import Network


class EpochResult(NamedTuple):
    """Means over the steps of one epoch: cross-entropy in nats (without L2), training accuracy from 0 to 1."""

    loss: float
    accuracy: float


class ProxyEngine(Protocol):
    """Trains one network, which ends in logits, as a protocol says.

    Args:
        network: what to train.
        data: what `hold` made of the training images.
        protocol: how to train.
        weights: the first ones, float32, in the order of ``network.variables``.
    """

    def __init__(self, network: Network, data: Any, protocol: ProxyProtocol, weights: np.ndarray) -> None: ...

    @staticmethod
    def hold(images: np.ndarray, labels: np.ndarray, classes: int, protocol: ProxyProtocol) -> Any:
        """What all engines of a process train on; without augmentation the images are put on the device, once.

        Args:
            images: (n, H, W, C) float32, normalised.
            labels: (n,) integers.
            classes: number of classes.
            protocol: of all these engines.
        """
        ...

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """Train on ``images[order[i]]`` step by step.

        Args:
            order: shape (steps, batch), positions of images.
            rates: shape (steps,), the learning rate of each step.
            seed: of the augmentation, see `augmented_batches`, and of dropout; ``None`` trains on the images as they
                are.
        """
        ...

    def observe(self, order: np.ndarray) -> None:
        """Give batch normalisation the statistics of some batches, not augmented, with no dropout.

        No weight and no moment changes.

        Means are the means of the batches' means; variances the means of their variances plus the variance of their
        means.

        Args:
            order: shape (batches, batch), positions of images.
        """
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The output at inference, shape (images, classes), by the statistics of the last batch, or those observed."""
        ...

    def weights(self) -> np.ndarray:
        """The present ones, float32, in the order of ``network.variables``."""
        ...

    def statistics(self) -> np.ndarray:
        """Those that inference normalises by: all means, then all variances, in the order of ``network.norms``."""
        ...

    def reset(self, weights: np.ndarray) -> None:
        """Begin anew with these weights: forget the optimizer's moments."""
        ...
