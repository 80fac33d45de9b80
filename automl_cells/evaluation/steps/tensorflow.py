"""The proxy engine for TensorFlow: an epoch is one call of one traced function, everything else is not traced at all.

Traced is the training step alone, in a loop over the batches of an epoch: plain operations from the plan, no Keras, no
autograph, one fused operation (``ResourceApplyAdam``, ``ResourceApplyKerasMomentum``, whose arithmetic is that of
Keras' Adam and SGD) that changes the one vector of all weights. Validation and statistics run operation by operation:
a small network's few batches are done before a graph of it would be. Without augmentation the images are a constant on
the device, which all candidates of a process share, and batches are rows of indices; with it, batches are made on the
host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps import tensorflow_primitives
from automl_cells.evaluation.steps.base import EpochResult
from automl_cells.evaluation.steps.batches import augmented_batches
from automl_cells.evaluation.steps.interpreter import Mode, Primitives, forward
from automl_cells.evaluation.steps.network import Network

_INFERENCE_BATCH = 500  # images whose maps are in memory at once


class TensorFlowEngine:
    """See `ProxyEngine`."""

    def __init__(self, network: Network, data: _Held | _Made, protocol: ProxyProtocol, weights: np.ndarray) -> None:
        self._network, self._data, self._l2 = network, data, protocol.l2
        self._weights = tf.Variable(weights)
        self._statistics = tf.Variable(network.first_statistics())
        self._optimizer = _OPTIMIZERS[protocol.optimizer](self._weights, protocol)
        self._steps = 0
        self._traced: dict[int, Any] = {}  # by the number of images in a batch: all shapes are known in the graph

    @staticmethod
    def hold(images: np.ndarray, labels: np.ndarray, classes: int, protocol: ProxyProtocol) -> _Held | _Made:
        """See `ProxyEngine.hold`."""
        return _Made(images, labels, classes, protocol) if protocol.augmentation else _Held(images, labels)

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """See `ProxyEngine.epoch`."""
        key = int(np.random.SeedSequence(seed or 0).generate_state(1)[0] >> 1)
        batch = order.shape[1]
        if batch not in self._traced:
            self._traced[batch] = self._trace(batch)
        scalars = [self._optimizer.scalars(rate, self._steps + step) for step, rate in enumerate(rates, start=1)]
        self._steps += len(rates)
        totals, done = np.zeros(2), 0
        with _unimproved_graphs():
            for batches in self._data.batches(order, seed):
                count = len(batches[0])
                numbers = tf.constant(scalars[done : done + count], tf.float32)
                totals += self._traced[batch](batches, numbers, tf.constant(key ^ done, tf.int32)).numpy()
                done += count
        return EpochResult(*map(float, totals / len(rates)))

    def _trace(self, batch: int) -> Any:
        """Several steps in a row on batches of that many images; gives the sums of loss and accuracy."""
        network, data, optimizer = self._network, self._data, self._optimizer
        counts = network.counts(batch)

        def steps(batches: tuple[tf.Tensor, ...], scalars: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
            count = tf.shape(scalars)[0]

            def step(number: tf.Tensor, totals: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                images, truth = data.read(*(tf.gather(part, number) for part in batches))
                named = self._split(self._weights.read_value())
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(named)
                    mode = Mode(key=key + number)
                    logits, statistics = forward(network, self._by_name(named), images, _PRIMITIVES, mode)
                    loss = tf.reduce_mean(data.losses(truth, logits))
                gradients = tape.gradient(loss, named, unconnected_gradients="zero")
                flat = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
                if self._l2:
                    decay = self._l2 * self._weights.read_value()[: network.kernels]
                    flat += tf.pad(decay, [[0, flat.shape[0] - network.kernels]])
                optimizer.apply(flat, tf.gather(scalars, number))
                if statistics:
                    self._statistics.assign(_joined(statistics, counts))
                hits = tf.cast(tf.argmax(logits, 1, tf.int32) == data.classes(truth), tf.float32)
                return number + 1, totals + tf.stack([loss, tf.reduce_mean(hits)])

            start = [tf.constant(0), tf.zeros(2)]
            return tf.while_loop(lambda number, _: number < count, step, start, parallel_iterations=1)[1]

        signature = [
            data.signature(batch),
            tf.TensorSpec((None, optimizer.scalars_a_step), tf.float32),
            tf.TensorSpec((), tf.int32),
        ]
        return tf.function(steps, input_signature=signature, autograph=False).get_concrete_function()

    def observe(self, order: np.ndarray) -> None:
        """See `ProxyEngine.observe`."""
        if not self._network.norms:
            return
        weights, counts = self._by_name(self._split(self._weights)), self._network.counts(order.shape[1])
        seen = [
            _joined(forward(self._network, weights, self._data.images(indices), _PRIMITIVES, Mode()).statistics, counts)
            for indices in order
        ]
        means, variances = tf.split(tf.stack(seen), 2, axis=1)
        together = tf.reduce_mean(variances, 0) + tf.math.reduce_variance(means, 0)
        self._statistics.assign(tf.concat([tf.reduce_mean(means, 0), together], 0))

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        weights = self._by_name(self._split(self._weights))
        sizes = [layer.shape[2] for layer in self._network.norms]
        parts = tf.split(self._statistics, 2 * sizes) if sizes else []
        mode = Mode(list(zip(parts[: len(sizes)], parts[len(sizes) :], strict=True)))
        batches = (images[start : start + _INFERENCE_BATCH] for start in range(0, len(images), _INFERENCE_BATCH))
        return np.concatenate(
            [forward(self._network, weights, tf.constant(batch), _PRIMITIVES, mode).logits.numpy() for batch in batches]
        )

    def weights(self) -> np.ndarray:
        """See `ProxyEngine.weights`."""
        return self._weights.numpy()

    def statistics(self) -> np.ndarray:
        """See `ProxyEngine.statistics`."""
        return self._statistics.numpy()

    def reset(self, weights: np.ndarray) -> None:
        """See `ProxyEngine.reset`."""
        self._weights.assign(weights)
        self._steps = 0
        for slot in self._optimizer.slots:
            slot.assign(tf.zeros_like(slot))

    def _split(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """The variables, each with its shape."""
        variables = self._network.variables
        parts = tf.split(flat, [variable.size for variable in variables])
        return [
            part if len(variable.shape) == 1 else tf.reshape(part, variable.shape)
            for part, variable in zip(parts, variables, strict=True)
        ]

    def _by_name(self, tensors: Sequence[tf.Tensor]) -> dict[tuple[str, str], tf.Tensor]:
        names = ((variable.layer, variable.name) for variable in self._network.variables)
        return dict(zip(names, tensors, strict=True))


_PRIMITIVES: Primitives = tensorflow_primitives


@contextmanager
def _unimproved_graphs() -> Iterator[None]:
    """Without TensorFlow's passes over a graph, which cost more than they give to one that is run a few hundred times.

    They are switched off for all of TensorFlow, hence only for as long as our graph runs.
    """
    what = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(what, False)
    tf.config.optimizer.set_experimental_options({what: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({what: before})


def _joined(statistics: list[tuple[tf.Tensor, tf.Tensor]], counts: np.ndarray) -> tf.Tensor:
    """All means and then all variances, these divided by n: `normalise_batch` divides by n - 1, but not by 0."""
    means, variances = zip(*statistics, strict=True)
    biased = tf.concat(variances, 0) * (np.maximum(counts - 1, 1) / counts)
    return tf.concat([*means, biased], 0)


class _Held:
    """Batches as rows of indices into images and labels on the device."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self._images, self._labels = tf.constant(images), tf.constant(labels, tf.int32)

    def signature(self, batch: int) -> tuple[tf.TensorSpec, ...]:
        """What `batches` yields for batches of that many images."""
        return (tf.TensorSpec((None, batch), tf.int32),)

    def batches(self, order: np.ndarray, seed: Sequence[int] | None) -> Iterator[tuple[tf.Tensor, ...]]:
        """The batches of an epoch, as many as possible at once, stacked."""
        yield (tf.constant(order, tf.int32),)

    def images(self, indices: np.ndarray) -> tf.Tensor:
        """Images (batch, H, W, C) as they are."""
        return tf.gather(self._images, indices)

    def read(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images (batch, H, W, C), and what `losses` and `classes` take: here labels (batch,)."""
        return tf.gather(self._images, indices), tf.gather(self._labels, indices)

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The cross-entropies (batch,) of logits (batch, classes)."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    def classes(self, labels: tf.Tensor) -> tf.Tensor:
        """The right classes, (batch,) int32."""
        return labels


class _Made:
    """Batches made on the host: images (batch, H, W, C) and targets (batch, classes)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, classes: int, protocol: ProxyProtocol) -> None:
        self._images, self._labels, self._classes, self._steps = images, labels, classes, protocol.augmentation

    def signature(self, batch: int) -> tuple[tf.TensorSpec, ...]:
        """See `_Held.signature`."""
        return (
            tf.TensorSpec((None, batch, *self._images.shape[1:]), tf.float32),
            tf.TensorSpec((None, batch, self._classes), tf.float32),
        )

    def batches(self, order: np.ndarray, seed: Sequence[int] | None) -> Iterator[tuple[tf.Tensor, ...]]:
        """See `_Held.batches`; one by one, while the next ones are made."""
        made = augmented_batches(self._images, self._labels, self._classes, order, self._steps, seed)
        return ((tf.constant(images[None]), tf.constant(targets[None])) for images, targets in made)

    def images(self, indices: np.ndarray) -> tf.Tensor:
        """See `_Held.images`."""
        return tf.constant(self._images[indices])

    def read(self, images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `_Held.read`."""
        return images, targets

    def losses(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """See `_Held.losses`."""
        return tf.nn.softmax_cross_entropy_with_logits(targets, logits)

    def classes(self, targets: tf.Tensor) -> tf.Tensor:
        """See `_Held.classes`; of mixed images the class of the larger share."""
        return tf.argmax(targets, 1, tf.int32)


class _Adam:
    """Adam: the numbers of a step are the rate, β₁ᵗ and β₂ᵗ; the slots its two moments."""

    scalars_a_step = 3

    def __init__(self, weights: tf.Variable, protocol: ProxyProtocol) -> None:
        self._weights = weights
        self.slots = [tf.Variable(tf.zeros_like(weights)) for _ in range(2)]
        # They are there: the protocol sees to it.
        self._betas = protocol.beta_1 or 0.0, protocol.beta_2 or 0.0
        self._epsilon = protocol.epsilon or 0.0

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """The numbers of the 1-based `step`."""
        return rate, self._betas[0] ** step, self._betas[1] ** step

    def apply(self, gradient: tf.Tensor, scalars: tf.Tensor) -> None:
        """Change all weights."""
        rate, power_1, power_2 = tf.unstack(scalars)
        tf.raw_ops.ResourceApplyAdam(
            var=self._weights.handle,
            m=self.slots[0].handle,
            v=self.slots[1].handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            epsilon=self._epsilon,
            grad=gradient,
        )


class _Momentum:
    """SGD with momentum: the number of a step is its rate, the slot is the velocity."""

    scalars_a_step = 1

    def __init__(self, weights: tf.Variable, protocol: ProxyProtocol) -> None:
        self._weights = weights
        self.slots = [tf.Variable(tf.zeros_like(weights))]
        self._momentum = protocol.momentum or 0.0

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """See `_Adam.scalars`."""
        return (rate,)

    def apply(self, gradient: tf.Tensor, scalars: tf.Tensor) -> None:
        """See `_Adam.apply`."""
        # Not ResourceApplyMomentum, whose velocities are without the rate: another arithmetic where the rate changes.
        weights, velocity = self._weights.handle, self.slots[0].handle
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=weights, accum=velocity, lr=scalars[0], grad=gradient, momentum=self._momentum
        )


_OPTIMIZERS: dict[str, type[_Adam] | type[_Momentum]] = {"adam": _Adam, "sgd": _Momentum}
