"""What a training loop asks of a backend: steps on batches, outputs, and its whole state as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from automl_cells.datasets import Preprocessing

if TYPE_CHECKING:
    import keras

    from automl_cells.training.updates import Update


class Totals(NamedTuple):
    """Means over the images seen since the last time: cross-entropy in nats, training accuracy from 0 to 1."""

    loss: float
    accuracy: float


class Placed(NamedTuple):
    """What a network is built with where it will be trained.

    Attributes:
        batch_norm: the batch normalisation layer for this backend and number of replicas (same arguments and variables
            as `keras.layers.BatchNormalization`), or ``None`` for the stock one.
    """

    batch_norm: Callable[..., Any] | None


MakeNetwork = Callable[[Placed], "keras.Model"]
"""Builds the network, normalised images → logits (or a list of them and those of an auxiliary head), when it is told
how; called where its variables shall live."""

MakeUpdate = Callable[["keras.Model"], "Update"]
"""The optimizer for the trainable variables of the network."""


class Engine(Protocol):
    """Trains one network. Made by `automl_cells.training.engines.make_engine`.

    Attributes:
        network: normalised images → logits. Its variables follow the training only after `state` or `weights`.
        replicas: how many copies of the network share each batch, over all machines.
    """

    network: keras.Model
    replicas: int

    def __init__(
        self, make_network: MakeNetwork, make_update: MakeUpdate, preprocessing: Preprocessing, replicas: int
    ) -> None: ...

    def step(self, images: np.ndarray, targets: np.ndarray, step: int) -> None:
        """One step on a batch; returns before it is done where the backend can.

        Args:
            images: (batch, height, width, channels), raw pixels, uint8 or float32.
            targets: (batch, classes) float32; rows need not sum to 1 (class weights).
            step: 0-based number of the step, for the schedule.
        """
        ...

    def totals(self) -> Totals:
        """Wait for the steps so far, and hand over their means."""
        ...

    def logits(self, images: np.ndarray, averaged: bool) -> np.ndarray:
        """Outputs at inference, float32 (n, classes), for raw images; with the averaged weights if there are any."""
        ...

    def weights(self, averaged: bool) -> dict[str, np.ndarray]:
        """The network's weights by path, with the averaged ones in place if asked for and there are any."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next step depends on."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave.

        Raises:
            KeyError: something is missing.
            ValueError: something has another shape.
        """
        ...
