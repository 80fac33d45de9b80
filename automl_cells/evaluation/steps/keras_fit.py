"""The proxy engine for any backend: Keras' own `fit`. Slower to start than an engine of the backend's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import keras
import numpy as np

from automl_cells.builder.keras_model import layer_outputs
from automl_cells.builder.operations import Choices
from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps.base import EpochResult
from automl_cells.evaluation.steps.batches import augmented_batches
from automl_cells.evaluation.steps.network import Network


class KerasFitEngine:
    """See `ProxyEngine`."""

    def __init__(self, network: Network, data: Held, protocol: ProxyProtocol, weights: np.ndarray) -> None:
        self._network, self._data = network, data
        self._steps = protocol.augmentation
        self.model = model = keras_model(network)
        variables = {tuple(variable.path.split("/")): variable for variable in model.trainable_variables}
        self._variables = [variables[_keras_path(found.layer, found.name)] for found in network.variables]
        self._norms = [model.get_layer(layer.name) for layer in network.norms]
        # Augmented batches have targets (mixup mixes them too) where the others have labels.
        loss = keras.losses.CategoricalCrossentropy if self._steps else keras.losses.SparseCategoricalCrossentropy
        model.compile(_optimizer(protocol), loss(from_logits=True), metrics=["accuracy"])
        model.optimizer.build(model.trainable_variables)
        self.reset(weights)

    @staticmethod
    def hold(images: np.ndarray, labels: np.ndarray, classes: int, protocol: ProxyProtocol) -> Held:
        """See `ProxyEngine.hold`; Keras puts each batch on the device itself."""
        return Held(images, labels, classes)

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """See `ProxyEngine.epoch`; dropout goes on by itself."""
        if self._steps or (rates != rates[0]).any():
            return self._step_by_step(order, rates, seed)
        self.model.optimizer.learning_rate = float(rates[0])
        chosen = order.reshape(-1)
        history = self.model.fit(
            self._data.images[chosen], self._data.labels[chosen], batch_size=order.shape[1], shuffle=False, verbose=0
        ).history
        return EpochResult(float(history["loss"][0]), float(history["accuracy"][0]))

    def _step_by_step(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None) -> EpochResult:
        """An epoch of calls of `train_on_batch`: in `fit`, JAX would not see a rate that changes."""
        images, labels, classes = self._data
        batches: Any = ((images[chosen], labels[chosen]) for chosen in order)
        if self._steps:
            batches = augmented_batches(images, labels, classes, order, self._steps, seed)
        results = []
        for rate, (batch, targets) in zip(rates, batches, strict=True):
            self.model.optimizer.learning_rate = float(rate)
            self.model.reset_metrics()
            found = self.model.train_on_batch(batch, targets, return_dict=True)
            results.append((float(found["loss"]), float(found["accuracy"])))
        loss, accuracy = np.mean(results, axis=0)
        return EpochResult(float(loss), float(accuracy))

    def observe(self, order: np.ndarray) -> None:
        """See `ProxyEngine.observe`."""
        if not self._norms:
            return
        seen = []
        with self._without_dropout(), _without_gradients():
            for indices in order:
                self.model(self._data.images[indices], training=True)
                seen.append(np.split(self.statistics(), 2))
        means, variances = map(np.stack, zip(*seen, strict=True))
        self._set_statistics(np.concatenate([means.mean(0), variances.mean(0) + means.var(0)]))

    @contextmanager
    def _without_dropout(self) -> Iterator[None]:
        """For calls layer by layer; a step that has been traced keeps its rates."""
        rates = [(layer, layer.rate) for layer in self.model.layers if isinstance(layer, keras.layers.Dropout)]
        for layer, _ in rates:
            layer.rate = 0.0
        try:
            yield
        finally:
            for layer, rate in rates:
                layer.rate = rate

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        return np.asarray(self.model.predict(images, batch_size=1000, verbose=0))

    def weights(self) -> np.ndarray:
        """See `ProxyEngine.weights`."""
        return np.concatenate([variable.numpy().ravel() for variable in self._variables])

    def statistics(self) -> np.ndarray:
        """See `ProxyEngine.statistics`."""
        values = [layer.moving_mean for layer in self._norms] + [layer.moving_variance for layer in self._norms]
        return np.concatenate([value.numpy() for value in values] or [np.zeros(0, np.float32)])

    def _set_statistics(self, flat: np.ndarray) -> None:
        means, variances = np.split(flat, 2)
        ends = np.cumsum([layer.shape[2] for layer in self._network.norms])[:-1]
        parts = zip(self._norms, np.split(means, ends), np.split(variances, ends), strict=True)
        for layer, mean, variance in parts:
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)

    def reset(self, weights: np.ndarray) -> None:
        """See `ProxyEngine.reset`."""
        ends = np.cumsum([found.size for found in self._network.variables])[:-1]
        for variable, found, part in zip(
            self._variables, self._network.variables, np.split(weights, ends), strict=True
        ):
            variable.assign(part.reshape(found.shape))
        self._forget()

    def _forget(self) -> None:
        for variable in self.model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def _without_gradients() -> AbstractContextManager[Any]:
    """For calls outside of `fit`, in which torch alone records what it would need for gradients."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


class Held(NamedTuple):
    """Images (n, H, W, C) float32, labels (n,), and how many classes there are."""

    images: np.ndarray
    labels: np.ndarray
    classes: int


def keras_model(network: Network) -> keras.Model:
    """The model of a plan that ends in logits: with the layers of `builder.build`, momentum 0 in normalisation."""
    choices = Choices(keras.layers.BatchNormalization, 0.0, network.epsilon, "zeros")
    inputs = keras.Input(network.plan[0].shape, name="image")
    return keras.Model(inputs, layer_outputs(network.plan, inputs, choices)[-1])


def _keras_path(layer: str, name: str) -> tuple[str, ...]:
    """The parts of the path of a Keras variable; those of attention are layers within a layer."""
    what, _, rest = name.partition("_")
    if what in ("query", "key", "value"):
        return f"{layer}_heads", what, rest
    return (f"{layer}_heads", "attention_output", rest) if what == "output" else (layer, name)


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
