"""The proxy engine for JAX: one compiled step from the plan, without Keras; weights and moments are given away to it.

Under JAX a network's time goes into XLA's compilation, which is the shorter the fewer operations a step has: all
weights are one vector and its update a handful of operations, whose arithmetic is that of Keras' Adam and SGD.
Inference and statistics are compiled too, each once, at the first use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps import jax_primitives
from automl_cells.evaluation.steps.base import EpochResult
from automl_cells.evaluation.steps.batches import augmented_batches
from automl_cells.evaluation.steps.interpreter import Mode, Primitives, forward
from automl_cells.evaluation.steps.network import Network

_INFERENCE_BATCH = 500  # images whose maps are in memory at once
_PRIMITIVES: Primitives = jax_primitives


class JaxEngine:
    """See `ProxyEngine`."""

    def __init__(self, network: Network, data: Data, protocol: ProxyProtocol, weights: np.ndarray) -> None:
        self._network, self._data, self._protocol = network, data, protocol
        self._statistics: Any = jnp.array(network.first_statistics())
        self._weights: Any = None
        self._slots: tuple[Any, ...] = ()
        self._steps = 0
        self._step = jax.jit(self._traced_step, donate_argnums=(0, 1))
        self._infer = jax.jit(self._traced_inference)
        self._observe = jax.jit(self._traced_observation)
        self.reset(weights)

    @staticmethod
    def hold(images: np.ndarray, labels: np.ndarray, classes: int, protocol: ProxyProtocol) -> Data:
        """See `ProxyEngine.hold`."""
        placed = images if protocol.augmentation else jnp.array(images)
        return Data(placed, labels, np.eye(classes, dtype=np.float32))

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """See `ProxyEngine.epoch`."""
        key = int(np.random.SeedSequence(seed or 0).generate_state(1)[0])
        results = []
        for rate, (number, batch) in zip(rates, enumerate(self._batches(order, seed)), strict=True):
            self._steps += 1
            self._weights, self._slots, self._statistics, result = self._step(
                self._weights, self._slots, *batch, np.array(self._scalars(rate), np.float32), np.uint32(key ^ number)
            )
            results.append(result)
        loss, accuracy = np.mean(np.asarray(jnp.stack(results)), axis=0)
        return EpochResult(float(loss), float(accuracy))

    def _batches(self, order: np.ndarray, seed: Sequence[int] | None) -> Iterator[tuple[Any, np.ndarray]]:
        """Images and targets, batch after batch."""
        images, labels, one_hot = self._data
        if self._protocol.augmentation:
            return augmented_batches(images, labels, len(one_hot), order, self._protocol.augmentation, seed)
        return ((images[indices], one_hot[labels[indices]]) for indices in order)

    def _scalars(self, rate: float) -> tuple[float, ...]:
        """What a step's arithmetic needs besides the gradients: the rate, of Adam corrected for the moments' start."""
        if self._protocol.optimizer == "sgd":
            return (rate,)
        beta_1, beta_2 = self._protocol.beta_1 or 0.0, self._protocol.beta_2 or 0.0
        return (rate * float(np.sqrt(1 - beta_2**self._steps)) / (1 - beta_1**self._steps),)

    def _traced_step(
        self, weights: Any, slots: tuple[Any, ...], images: Any, targets: Any, scalars: Any, key: Any
    ) -> tuple[Any, tuple[Any, ...], Any, Any]:
        def objective(weights: Any) -> tuple[Any, tuple[Any, Any]]:
            logits, statistics = forward(self._network, self._named(weights), images, _PRIMITIVES, Mode(key=key))
            loss = -(targets * jax.nn.log_softmax(logits)).sum(1).mean()
            return loss, (logits, statistics)

        (loss, (logits, statistics)), gradient = jax.value_and_grad(objective, has_aux=True)(weights)
        if self._protocol.l2:
            kernels = self._network.kernels
            gradient = gradient.at[:kernels].add(self._protocol.l2 * weights[:kernels])
        weights, slots = self._updated(weights, slots, gradient, scalars[0])
        hits = (logits.argmax(1) == targets.argmax(1)).mean()
        return weights, slots, _joined(statistics), jnp.stack([loss, hits])

    def _updated(self, weights: Any, slots: tuple[Any, ...], gradient: Any, rate: Any) -> tuple[Any, tuple[Any, ...]]:
        """The optimizer's arithmetic; the slots are the velocity, or the two moments."""
        protocol = self._protocol
        if protocol.optimizer == "sgd":
            velocity = (protocol.momentum or 0.0) * slots[0] - rate * gradient
            return weights + velocity, (velocity,)
        first = slots[0] + (gradient - slots[0]) * (1 - (protocol.beta_1 or 0.0))
        second = slots[1] + (gradient**2 - slots[1]) * (1 - (protocol.beta_2 or 0.0))
        return weights - rate * first / (jnp.sqrt(second) + (protocol.epsilon or 0.0)), (first, second)

    def observe(self, order: np.ndarray) -> None:
        """See `ProxyEngine.observe`."""
        if not self._network.norms:
            return
        seen = jnp.stack([self._observe(self._weights, self._data.images[indices]) for indices in order])
        means, variances = jnp.split(seen, 2, axis=1)
        self._statistics = jnp.concatenate([means.mean(0), variances.mean(0) + means.var(0)])

    def _traced_observation(self, weights: Any, images: Any) -> Any:
        return _joined(forward(self._network, self._named(weights), images, _PRIMITIVES, Mode()).statistics)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        size, found = min(len(images), _INFERENCE_BATCH), []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            missing = size - len(batch)  # filled up, since another shape would be compiled anew
            padded = np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0)))
            found.append(np.asarray(self._infer(self._weights, self._statistics, padded))[: len(batch)])
        return np.concatenate(found)

    def _traced_inference(self, weights: Any, statistics: Any, images: Any) -> Any:
        sizes = [layer.shape[2] for layer in self._network.norms]
        parts = jnp.split(statistics, np.cumsum(2 * sizes)[:-1]) if sizes else []
        mode = Mode(list(zip(parts[: len(sizes)], parts[len(sizes) :], strict=True)))
        return forward(self._network, self._named(weights), images, _PRIMITIVES, mode).logits

    def weights(self) -> np.ndarray:
        """See `ProxyEngine.weights`."""
        return np.array(self._weights)

    def statistics(self) -> np.ndarray:
        """See `ProxyEngine.statistics`."""
        return np.array(self._statistics)

    def reset(self, weights: np.ndarray) -> None:
        """See `ProxyEngine.reset`."""
        self._weights = jnp.array(weights)
        self._slots = tuple(jnp.zeros_like(self._weights) for _ in range(1 + (self._protocol.optimizer == "adam")))
        self._steps = 0

    def _named(self, flat: Any) -> dict[tuple[str, str], Any]:
        """The variables, each with its shape, by names of layer and variable."""
        variables = self._network.variables
        parts = jnp.split(flat, np.cumsum([variable.size for variable in variables])[:-1])
        return {
            (variable.layer, variable.name): part.reshape(variable.shape)
            for part, variable in zip(parts, variables, strict=True)
        }


class Data(NamedTuple):
    """What engines train on.

    Attributes:
        images: (n, H, W, C) float32, on the device unless they are augmented first.
        labels: (n,) integers.
        one_hot: (classes, classes), row i the target of class i.
    """

    images: Any
    labels: np.ndarray
    one_hot: np.ndarray


def _joined(statistics: list[tuple[Any, Any]]) -> Any:
    """All means, then all variances."""
    means, variances = zip(*statistics, strict=True) if statistics else ((), ())
    return jnp.concatenate([*means, *variances]) if statistics else jnp.zeros(0)
