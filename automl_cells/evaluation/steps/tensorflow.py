"""The proxy engine for TensorFlow: one traced step, Adam as one fused operation a variable.

`keras.Model.fit` spends most of a short training on tracing 2,000 graph operations, over half of them the optimizer's.
This step has none of that: no autograph, images as a constant on the device, batches as index vectors, and
``ResourceApplyAdam``, whose arithmetic is that of Keras' Adam.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from automl_cells.evaluation.proxy_protocol import ProxyProtocol
from automl_cells.evaluation.steps.base import EpochResult


class TensorFlowEngine:
    """See `ProxyEngine`."""

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, protocol: ProxyProtocol) -> None:
        self._protocol = protocol
        self._variables = [variable.value for variable in model.trainable_variables]
        self._moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in self._variables]
        self._steps = 0
        data, targets = tf.constant(images), tf.constant(labels, tf.int32)

        def step(indices: tf.Tensor, rate: tf.Tensor, power_1: tf.Tensor, power_2: tf.Tensor) -> tf.Tensor:
            truth = tf.gather(targets, indices)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._variables)
                logits = model(tf.gather(data, indices), training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, self._variables, unconnected_gradients="zero")
            for variable, (first, second), gradient in zip(self._variables, self._moments, gradients, strict=True):
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle,
                    m=first.handle,
                    v=second.handle,
                    beta1_power=power_1,
                    beta2_power=power_2,
                    lr=rate,
                    beta1=protocol.beta_1,
                    beta2=protocol.beta_2,
                    epsilon=protocol.epsilon,
                    grad=gradient,
                )
            hits = tf.cast(tf.argmax(logits, 1, tf.int32) == truth, tf.float32)
            return tf.stack([loss, tf.reduce_mean(hits)])

        scalar = tf.TensorSpec((), tf.float32)
        self._step = tf.function(
            step, input_signature=[tf.TensorSpec((None,), tf.int32), scalar, scalar, scalar], autograph=False
        )
        self._infer = tf.function(
            lambda batch: model(batch, training=False),
            input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.float32)],
            autograph=False,
        )

    def epoch(self, order: np.ndarray, learning_rate: float) -> EpochResult:
        """See `ProxyEngine.epoch`."""
        results = []
        rate = tf.constant(learning_rate, tf.float32)
        for indices in order:
            self._steps += 1
            results.append(
                self._step(
                    tf.constant(indices, tf.int32),
                    rate,
                    tf.constant(self._protocol.beta_1**self._steps, tf.float32),
                    tf.constant(self._protocol.beta_2**self._steps, tf.float32),
                )
            )
        loss, accuracy = tf.reduce_mean(tf.stack(results), 0).numpy()
        return EpochResult(float(loss), float(accuracy))

    def logits(self, images: np.ndarray) -> np.ndarray:
        """See `ProxyEngine.logits`."""
        batches = range(0, len(images), 1000)
        return np.concatenate([self._infer(tf.constant(images[start : start + 1000])).numpy() for start in batches])

    def reset(self) -> None:
        """See `ProxyEngine.reset`."""
        self._steps = 0
        for pair in self._moments:
            for moment in pair:
                moment.assign(tf.zeros_like(moment))
