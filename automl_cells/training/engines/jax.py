"""Training under JAX: one compiled step, on one device or with each batch shared out over several.

The variables are laid out by `keras.distribution.DataParallel`; a step computes on the whole batch, of which every
device holds its rows, so that loss, gradients and the statistics of batch normalisation are those of the whole batch.
Weights, optimizer and sums stay on the devices; nothing is read back between two epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from automl_cells.datasets import Preprocessing
from automl_cells.training.distribution import jax_devices
from automl_cells.training.engines.base import MakeNetwork, MakeUpdate, Placed, Totals
from automl_cells.training.objective import cross_entropies, main_output, normalised

Arrays = list[Any]


class JaxEngine:
    """See `Engine`."""

    def __init__(
        self, make_network: MakeNetwork, make_update: MakeUpdate, preprocessing: Preprocessing, replicas: int
    ) -> None:
        self.replicas = replicas
        devices = jax_devices(replicas)
        mesh = Mesh(np.array(devices), ("batch",))
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._by_rows = NamedSharding(mesh, PartitionSpec("batch"))
        names = [f"{device.platform}:{device.id}" for device in devices]
        with keras.distribution.DataParallel(devices=names, auto_shard_dataset=False).scope():
            self.network = make_network(Placed(None))
        self._update = make_update(self.network)
        self._preprocessing = preprocessing
        self._trained: Arrays = []
        self._rest: Arrays = []
        self._take_over()
        initial = self._update.initial([np.asarray(value) for value in self._trained])
        self._slots: Arrays = self._placed([initial[name] for name in self._update.slots])
        self._sums: Any = self._placed([np.zeros(3, np.float32)])[0]
        self._step = jax.jit(self._traced_step, donate_argnums=(0, 1, 2, 3))
        self._infer = jax.jit(self._traced_inference)

    def _placed(self, values: Arrays) -> Arrays:
        """A copy of each value on every device."""
        return [jax.device_put(jnp.array(value), self._everywhere) for value in values]

    def _traced_step(
        self, trained: Arrays, rest: Arrays, slots: Arrays, sums: Any, images: Any, targets: Any, scalars: Any
    ) -> tuple[Arrays, Arrays, Arrays, Any]:
        def objective(trained: Arrays) -> tuple[Any, Any]:
            inputs = normalised(images, self._preprocessing)
            outputs, changed = self.network.stateless_call(trained, rest, inputs, training=True)
            loss, hits = cross_entropies(outputs, targets, self._update.recipe.auxiliary_weight)
            return loss / images.shape[0], (jnp.stack([loss, hits, jnp.float32(images.shape[0])]), changed)

        (_, (seen, rest)), gradients = jax.value_and_grad(objective, has_aux=True)(trained)
        flat, slots = self._update(self._update.flat(trained), self._update.flat(gradients), slots, scalars)
        return self._update.split(flat), rest, slots, sums + seen

    def step(self, images: np.ndarray, targets: np.ndarray, step: int) -> None:
        """See `Engine.step`."""
        even = len(images) % self.replicas == 0  # rows can only be shared out evenly; else every device takes all
        put = partial(jax.device_put, device=self._by_rows if even else self._everywhere)
        self._trained, self._rest, self._slots, self._sums = self._step(
            self._trained,
            self._rest,
            self._slots,
            self._sums,
            put(images),
            put(targets),
            self._update.scalars(step),
        )

    def totals(self) -> Totals:
        """See `Engine.totals`."""
        loss, hits, images = (float(total) for total in np.asarray(self._sums))
        self._sums = self._placed([np.zeros(3, np.float32)])[0]
        return Totals(loss / images, hits / images)

    def _traced_inference(self, trained: Arrays, rest: Arrays, images: Any) -> Any:
        inputs = normalised(images, self._preprocessing)
        outputs, _ = self.network.stateless_call(trained, rest, inputs, training=False)
        return jnp.asarray(main_output(outputs), jnp.float32)

    def logits(self, images: np.ndarray, averaged: bool) -> np.ndarray:
        """See `Engine.logits`."""
        return np.asarray(self._infer(self._averaged(averaged), self._rest, images))

    def _averaged(self, wanted: bool) -> Arrays:
        """The trained variables; their averages if they are wanted and there are any."""
        if wanted and "average" in self._update.slots:
            return self._update.split(self._slots[-1])
        return self._trained

    def weights(self, averaged: bool) -> dict[str, np.ndarray]:
        """See `Engine.weights`; the network gets copies, since a step gives the memory of its arrays away."""
        self._hand_over(self._averaged(averaged))
        found = {variable.path: np.array(variable.value) for variable in self.network.weights}
        if averaged:
            self._hand_over(self._trained)
        return found

    def _hand_over(self, trained: Arrays) -> None:
        """Give the network's variables these values, and the latest of those that are not trained."""
        network = self.network
        variables = [*network.trainable_variables, *network.non_trainable_variables]
        for variable, value in zip(variables, [*trained, *self._rest], strict=True):
            variable.assign(np.array(value))

    def state(self) -> dict[str, np.ndarray]:
        """See `Engine.state`."""
        self._hand_over(self._trained)
        slots = {f"slots/{name}": np.array(slot) for name, slot in zip(self._update.slots, self._slots, strict=True)}
        return slots | {f"variables/{n}": np.array(v.value) for n, v in enumerate(self.network.variables)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `Engine.restore`."""
        slots = [np.asarray(state[f"slots/{name}"]) for name in self._update.slots]
        values = [state[f"variables/{number}"] for number in range(len(self.network.variables))]
        for new, old in zip(slots, self._slots, strict=True):
            if new.shape != old.shape:
                raise ValueError(f"shape {new.shape} instead of {old.shape}")
        for variable, value in zip(self.network.variables, values, strict=True):
            variable.assign(value)
        self._slots = self._placed(slots)
        self._take_over()

    def _take_over(self) -> None:
        """Go on from the values of the network's variables."""
        self._trained = self._placed([variable.value for variable in self.network.trainable_variables])
        self._rest = self._placed([variable.value for variable in self.network.non_trainable_variables])
