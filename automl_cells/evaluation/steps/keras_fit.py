"""The proxy engine for any backend: Keras' own `fit`. Slower to start than an engine of the backend's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps.base import EpochResult
from automl_cells.evaluation.steps.batches import augmented_batches


class KerasFitEngine:
    """See `ProxyEngine`."""

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, protocol: ProxyProtocol) -> None:
        self._model = model
        self._images = images
        self._labels = labels
        self._steps = protocol.augmentation
        self._classes = int(model.output_shape[-1])
        # Augmented batches have targets (mixup mixes them too) where the others have labels.
        loss = keras.losses.CategoricalCrossentropy if self._steps else keras.losses.SparseCategoricalCrossentropy
        model.compile(_optimizer(protocol), loss(from_logits=True), metrics=["accuracy"])
        model.optimizer.build(model.trainable_variables)

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """See `ProxyEngine.epoch`."""
        if self._steps or (rates != rates[0]).any():
            return self._step_by_step(order, rates, seed)
        self._model.optimizer.learning_rate = float(rates[0])
        chosen = order.reshape(-1)
        history = self._model.fit(
            self._images[chosen], self._labels[chosen], batch_size=order.shape[1], shuffle=False, verbose=0
        ).history
        return EpochResult(float(history["loss"][0]), float(history["accuracy"][0]))

    def _step_by_step(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None) -> EpochResult:
        """An epoch of calls of `train_on_batch`: in `fit`, JAX would not see a rate that changes."""
        batches: Any = ((self._images[chosen], self._labels[chosen]) for chosen in order)
        if self._steps:
            batches = augmented_batches(self._images, self._labels, self._classes, order, self._steps, seed)
        results = []
        for rate, (images, targets) in zip(rates, batches, strict=True):
            self._model.optimizer.learning_rate = float(rate)
            self._model.reset_metrics()
            found = self._model.train_on_batch(images, targets, return_dict=True)
            results.append((float(found["loss"]), float(found["accuracy"])))
        loss, accuracy = np.mean(results, axis=0)
        return EpochResult(float(loss), float(accuracy))

    def observe(self, indices: np.ndarray) -> None:
        """See `ProxyEngine.observe`."""
        variables = self._model.optimizer.variables
        kept = [variable.numpy().copy() for variable in variables]
        self.reset()  # with moments, a rate of 0 would still move weights
        self.epoch(indices[None], np.zeros(1))
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        return np.asarray(self._model.predict(images, batch_size=1000, verbose=0))

    def reset(self) -> None:
        """See `ProxyEngine.reset`."""
        for variable in self._model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def _optimizer(protocol: ProxyProtocol) -> keras.optimizers.Optimizer:
    """The protocol's; with L2 it adds that to the gradients itself: Keras' own ``weight_decay`` is decoupled."""
    if protocol.optimizer == "sgd":
        base, fields = keras.optimizers.SGD, {"momentum": protocol.momentum}
    else:
        base = keras.optimizers.Adam
        fields = {"beta_1": protocol.beta_1, "beta_2": protocol.beta_2, "epsilon": protocol.epsilon}
    if not protocol.l2:
        return base(protocol.learning_rate, **fields)

    class Coupled(base):  # type: ignore[misc, valid-type]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if len(variable.shape) > 1:
                gradient = gradient + keras.ops.multiply(variable, protocol.l2)
            super().update_step(gradient, variable, learning_rate)

    return Coupled(protocol.learning_rate, **fields)
