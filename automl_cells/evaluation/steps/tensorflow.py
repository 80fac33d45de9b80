"""The proxy engine for TensorFlow: one traced step, the optimizer as one fused operation a variable.

`keras.Model.fit` spends most of a short training on tracing 2,000 graph operations, over half of them the optimizer's.
This step has none of that: no autograph, and ``ResourceApplyAdam`` and ``ResourceApplyKerasMomentum``, whose arithmetic
is that of Keras' Adam and SGD. Without augmentation the images are a constant on the device and batches are index
vectors; with it, batches are made on the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps.base import EpochResult
from automl_cells.evaluation.steps.batches import augmented_batches

_SCALAR = tf.TensorSpec((), tf.float32)


class TensorFlowEngine:
    """See `ProxyEngine`."""

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, protocol: ProxyProtocol) -> None:
        variables = [variable.value for variable in model.trainable_variables]
        self._optimizer = optimizer = _OPTIMIZERS[protocol.optimizer](variables, protocol)
        self._steps = 0
        feed: _Held | _Made
        if protocol.augmentation:
            feed = _Made(images, labels, int(model.output_shape[-1]), protocol)
        else:
            feed = _Held(images, labels)
        self._feed = feed

        def step(batch: tuple[tf.Tensor, ...], scalars: tuple[tf.Tensor, ...]) -> tf.Tensor:
            pictures, truth = feed.read(*batch)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(variables)
                logits = model(pictures, training=True)
                loss = tf.reduce_mean(feed.losses(truth, logits))
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            for place, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
                if protocol.l2 and len(variable.shape) > 1:
                    gradient = gradient + protocol.l2 * variable
                optimizer.apply(place, variable, gradient, scalars)
            hits = tf.cast(tf.argmax(logits, 1, tf.int32) == feed.classes(truth), tf.float32)
            return tf.stack([loss, tf.reduce_mean(hits)])

        self._step = tf.function(
            step, input_signature=[feed.signature, (_SCALAR,) * optimizer.scalars_a_step], autograph=False
        )
        self._infer = tf.function(
            lambda batch: model(batch, training=False),
            input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.float32)],
            autograph=False,
        )

    def epoch(self, order: np.ndarray, rates: np.ndarray, seed: Sequence[int] | None = None) -> EpochResult:
        """See `ProxyEngine.epoch`."""
        results = []
        for rate, batch in zip(rates, self._feed.batches(order, seed), strict=True):
            self._steps += 1
            scalars = self._optimizer.scalars(rate, self._steps)
            results.append(self._step(batch, tuple(tf.constant(scalar, tf.float32) for scalar in scalars)))
        loss, accuracy = tf.reduce_mean(tf.stack(results), 0).numpy()
        return EpochResult(float(loss), float(accuracy))

    def observe(self, indices: np.ndarray) -> None:
        """See `ProxyEngine.observe`."""
        # By the step that is there, at a rate of 0: tracing one without gradients takes longer than all its runs. With
        # moments, a rate of 0 would still move weights.
        steps, kept = self._steps, [slot.read_value() for slot in self._optimizer.slots]
        self.reset()
        self.epoch(indices[None], np.zeros(1))
        self._steps = steps
        for slot, value in zip(self._optimizer.slots, kept, strict=True):
            slot.assign(value)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        batches = range(0, len(images), 1000)
        return np.concatenate([self._infer(tf.constant(images[start : start + 1000])).numpy() for start in batches])

    def reset(self) -> None:
        """See `ProxyEngine.reset`."""
        self._steps = 0
        for slot in self._optimizer.slots:
            slot.assign(tf.zeros_like(slot))


class _Held:
    """Batches as index vectors into images and labels on the device."""

    signature = (tf.TensorSpec((None,), tf.int32),)

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self._images, self._labels = tf.constant(images), tf.constant(labels, tf.int32)

    def batches(self, order: np.ndarray, seed: Sequence[int] | None) -> Iterator[tuple[tf.Tensor]]:
        """What a step is called with, batch after batch."""
        return ((tf.constant(indices, tf.int32),) for indices in order)

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
        self.signature = (
            tf.TensorSpec((None, *images.shape[1:]), tf.float32),
            tf.TensorSpec((None, classes), tf.float32),
        )

    def batches(self, order: np.ndarray, seed: Sequence[int] | None) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """See `_Held.batches`."""
        made = augmented_batches(self._images, self._labels, self._classes, order, self._steps, seed)
        return ((tf.constant(images), tf.constant(targets)) for images, targets in made)

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
    """Adam: the numbers of a step are the rate, β₁ᵗ and β₂ᵗ; the slots its two moments of each variable."""

    scalars_a_step = 3

    def __init__(self, variables: Sequence[tf.Variable], protocol: ProxyProtocol) -> None:
        self.slots = [tf.Variable(tf.zeros_like(variable)) for variable in variables for _ in range(2)]
        # They are there: the protocol sees to it.
        self._betas = protocol.beta_1 or 0.0, protocol.beta_2 or 0.0
        self._epsilon = protocol.epsilon or 0.0

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """The numbers of the 1-based `step`."""
        return rate, self._betas[0] ** step, self._betas[1] ** step

    def apply(self, place: int, variable: tf.Variable, gradient: tf.Tensor, scalars: tuple[tf.Tensor, ...]) -> None:
        """Change the variable at that place of the list."""
        rate, power_1, power_2 = scalars
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.slots[2 * place].handle,
            v=self.slots[2 * place + 1].handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            epsilon=self._epsilon,
            grad=gradient,
        )


class _Momentum:
    """SGD with momentum: the number of a step is its rate, the slots are velocities."""

    scalars_a_step = 1

    def __init__(self, variables: Sequence[tf.Variable], protocol: ProxyProtocol) -> None:
        self.slots = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self._momentum = protocol.momentum or 0.0

    def scalars(self, rate: float, step: int) -> tuple[float, ...]:
        """See `_Adam.scalars`."""
        return (rate,)

    def apply(self, place: int, variable: tf.Variable, gradient: tf.Tensor, scalars: tuple[tf.Tensor, ...]) -> None:
        """See `_Adam.apply`."""
        # Not ResourceApplyMomentum, whose velocities are without the rate: another arithmetic where the rate changes.
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.slots[place].handle,
            lr=scalars[0],
            grad=gradient,
            momentum=self._momentum,
        )


_OPTIMIZERS: dict[str, type[_Adam] | type[_Momentum]] = {"adam": _Adam, "sgd": _Momentum}
