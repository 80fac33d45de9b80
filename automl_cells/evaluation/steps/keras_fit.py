"""The proxy engine for any backend: Keras' own `fit`. Slower to start than an engine of the backend's own."""

from __future__ import annotations

import keras
import numpy as np

from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps.base import EpochResult


class KerasFitEngine:
    """See `ProxyEngine`."""

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, protocol: ProxyProtocol) -> None:
        self._model = model
        self._images = images
        self._labels = labels
        model.compile(
            keras.optimizers.Adam(
                protocol.learning_rate, beta_1=protocol.beta_1, beta_2=protocol.beta_2, epsilon=protocol.epsilon
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )

    def epoch(self, order: np.ndarray, learning_rate: float) -> EpochResult:
        """See `ProxyEngine.epoch`."""
        self._model.optimizer.learning_rate = learning_rate
        chosen = order.reshape(-1)
        history = self._model.fit(
            self._images[chosen], self._labels[chosen], batch_size=order.shape[1], shuffle=False, verbose=0
        ).history
        return EpochResult(float(history["loss"][0]), float(history["accuracy"][0]))

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        return np.asarray(self._model.predict(images, batch_size=1000, verbose=0))

    def reset(self) -> None:
        """See `ProxyEngine.reset`."""
        for variable in self._model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
