"""Training under TensorFlow: one traced step, on one device, on all GPUs of a machine, or on several machines.

`tf.distribute` places the variables and sums the gradients: MirroredStrategy on one machine, and where ``TF_CONFIG``
names several workers MultiWorkerMirroredStrategy, under which Keras' own `fit` fails. The step is traced without
autograph; the gradients of all layers travel as one vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from automl_cells.datasets import Preprocessing
from automl_cells.training.distribution import tensorflow_strategy
from automl_cells.training.engines.base import MakeNetwork, MakeUpdate, Placed, Totals
from automl_cells.training.objective import cross_entropies, main_output, normalised


class TensorFlowEngine:
    """See `Engine`."""

    def __init__(
        self, make_network: MakeNetwork, make_update: MakeUpdate, preprocessing: Preprocessing, replicas: int
    ) -> None:
        self._strategy = tensorflow_strategy(replicas)
        self.replicas = self._strategy.num_replicas_in_sync
        with self._strategy.scope():
            self.network = make_network(Placed(_batch_norm(self.replicas)))
            self._variables = [variable.value for variable in self.network.trainable_variables]
            self._update = make_update(self.network)
            self._update.place(tf.constant)  # else they would be written into the graph, which holds 2 GB at most
            initial = self._update.initial([variable.numpy() for variable in self._variables])
            self._slots = [tf.Variable(initial[name], trainable=False, name=name) for name in self._update.slots]
        self._preprocessing = preprocessing
        self._sums: list[tf.Tensor] = []
        self._step = tf.function(self._traced_step, autograph=False)
        self._infer = tf.function(self._traced_inference, autograph=False, reduce_retracing=True)

    def _traced_step(self, images: Any, targets: Any, scalars: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        sums = self._strategy.run(self._replica_step, args=(images, targets, scalars, count))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica_step(self, images: tf.Tensor, targets: tf.Tensor, scalars: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """One replica's share of a batch of `count` images; gradients are summed over the replicas."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            outputs = self.network(normalised(images, self._preprocessing), training=True)
            loss, hits = cross_entropies(outputs, targets, self._update.recipe.auxiliary_weight)
            mean = loss / count
        gradient = self._update.flat(tape.gradient(mean, self._variables))
        context = tf.distribute.get_replica_context()
        if self.replicas > 1:
            gradient = context.all_reduce(tf.distribute.ReduceOp.SUM, gradient)
        weights = self._update.flat(self._variables)
        weights, slots = self._update(weights, gradient, [slot.value() for slot in self._slots], tf.unstack(scalars))
        values = [*self._update.split(weights), *slots]
        if self.replicas == 1:
            _assign(None, self._variables + self._slots, values)
        else:
            context.merge_call(_assign, args=(self._variables + self._slots, values))
        return tf.stack([loss, hits, tf.cast(tf.shape(images)[0], tf.float32)])

    def step(self, images: np.ndarray, targets: np.ndarray, step: int) -> None:
        """See `Engine.step`."""
        scalars = tf.constant(self._update.scalars(step))
        count = tf.constant(len(images), tf.float32)
        self._sums.append(self._step(self._shared(images), self._shared(targets), scalars, count))

    def _shared(self, array: np.ndarray) -> Any:
        """Each replica's rows of a batch."""
        if self.replicas == 1:
            return tf.constant(array)
        parts = np.array_split(array, self.replicas)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def totals(self) -> Totals:
        """See `Engine.totals`."""
        loss, hits, images = tf.reduce_sum(tf.stack(self._sums), 0).numpy().astype(float)
        self._sums.clear()
        return Totals(loss / images, hits / images)

    def _traced_inference(self, images: tf.Tensor) -> tf.Tensor:
        outputs = self.network(normalised(images, self._preprocessing), training=False)
        return tf.cast(main_output(outputs), tf.float32)

    def logits(self, images: np.ndarray, averaged: bool) -> np.ndarray:
        """See `Engine.logits`."""
        with _Averaged(self, averaged):
            return self._infer(tf.constant(images)).numpy()

    def weights(self, averaged: bool) -> dict[str, np.ndarray]:
        """See `Engine.weights`."""
        with _Averaged(self, averaged):
            return {variable.path: variable.numpy() for variable in self.network.weights}

    def state(self) -> dict[str, np.ndarray]:
        """See `Engine.state`."""
        slots = {f"slots/{name}": slot.numpy() for name, slot in zip(self._update.slots, self._slots, strict=True)}
        return slots | {f"variables/{n}": np.asarray(v.numpy()) for n, v in enumerate(self.network.variables)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `Engine.restore`."""
        slots = [state[f"slots/{name}"] for name in self._update.slots]
        values = [state[f"variables/{number}"] for number in range(len(self.network.variables))]
        for variable, value in zip(self.network.variables, values, strict=True):
            variable.assign(value)
        for slot, value in zip(self._slots, slots, strict=True):
            slot.assign(value)


def _batch_norm(replicas: int) -> Any:
    """Fused on one device; on several the statistics are those of the whole batch."""
    if replicas > 1:
        return lambda **arguments: keras.layers.BatchNormalization(**{**arguments, "synchronized": True})
    from automl_cells.training.engines.fused_batch_norm import FusedBatchNormalization

    return FusedBatchNormalization


def _assign(strategy: tf.distribute.Strategy | None, variables: list[tf.Variable], values: list[Any]) -> None:
    """Give `variables` their values: on every replica its own, which are equal on all."""
    for variable, value in zip(variables, values, strict=True):
        if strategy is None:
            variable.assign(value)
        else:
            strategy.extended.update(variable, lambda own, new: own.assign(new), args=(value,), group=False)


class _Averaged:
    """Puts the averaged weights, if there are any and they are wanted, into the network while the block lasts."""

    def __init__(self, engine: TensorFlowEngine, wanted: bool) -> None:
        self._engine = engine
        self._wanted = wanted and "average" in engine._update.slots
        self._kept: list[np.ndarray] = []

    def __enter__(self) -> None:
        if self._wanted:
            engine = self._engine
            self._kept = [variable.numpy() for variable in engine._variables]
            average = engine._update.split(engine._slots[-1].value())
            for variable, value in zip(engine._variables, average, strict=True):
                variable.assign(value)

    def __exit__(self, *_: object) -> None:
        if self._wanted:
            for variable, value in zip(self._engine._variables, self._kept, strict=True):
                variable.assign(value)
