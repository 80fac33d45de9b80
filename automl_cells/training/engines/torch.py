"""Training under torch: its autograd over Keras' layers, on one device (a GPU if there is one).

Nothing is read back from the device between two epochs; weights, gradients and the optimizer's vectors stay there.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import torch

from automl_cells.datasets import Preprocessing
from automl_cells.training.engines.base import MakeNetwork, MakeUpdate, Placed, Totals
from automl_cells.training.objective import cross_entropies, main_output, normalised


class TorchEngine:
    """See `Engine`."""

    def __init__(
        self, make_network: MakeNetwork, make_update: MakeUpdate, preprocessing: Preprocessing, replicas: int
    ) -> None:
        self.replicas = replicas
        self.network = make_network(Placed(None))
        self._update = make_update(self.network)
        self._update.place(_on_device)
        self._preprocessing = preprocessing
        self._variables = [variable.value for variable in self.network.trainable_variables]
        initial = self._update.initial([_array(variable) for variable in self._variables])
        self._slots = [_on_device(initial[name]) for name in self._update.slots]
        self._sums: list[torch.Tensor] = []

    def step(self, images: np.ndarray, targets: np.ndarray, step: int) -> None:
        """See `Engine.step`."""
        outputs = self.network(normalised(_on_device(images), self._preprocessing), training=True)
        loss, hits = cross_entropies(outputs, _on_device(targets), self._update.recipe.auxiliary_weight)
        gradients = torch.autograd.grad(loss / len(images), self._variables)
        with torch.no_grad():
            scalars = [float(value) for value in self._update.scalars(step)]
            flat = self._update.flat(self._variables)
            flat, self._slots = self._update(flat, self._update.flat(gradients), self._slots, scalars)
            self._assign(flat)
            self._sums.append(torch.stack([loss.detach(), hits, torch.full_like(hits, len(images))]))

    def _assign(self, flat: torch.Tensor) -> None:
        for variable, value in zip(self._variables, self._update.split(flat), strict=True):
            variable.data.copy_(value)

    def totals(self) -> Totals:
        """See `Engine.totals`."""
        loss, hits, images = (float(total) for total in _array(torch.stack(self._sums).sum(0)))
        self._sums.clear()
        return Totals(loss / images, hits / images)

    def logits(self, images: np.ndarray, averaged: bool) -> np.ndarray:
        """See `Engine.logits`."""
        with torch.no_grad(), _Averaged(self, averaged):
            outputs = self.network(normalised(_on_device(images), self._preprocessing), training=False)
            return _array(main_output(outputs).float())

    def weights(self, averaged: bool) -> dict[str, np.ndarray]:
        """See `Engine.weights`."""
        with torch.no_grad(), _Averaged(self, averaged):
            return {variable.path: _array(variable.value) for variable in self.network.weights}

    def state(self) -> dict[str, np.ndarray]:
        """See `Engine.state`."""
        slots = {f"slots/{name}": _array(slot) for name, slot in zip(self._update.slots, self._slots, strict=True)}
        return slots | {f"variables/{n}": _array(v.value) for n, v in enumerate(self.network.variables)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `Engine.restore`."""
        slots = [np.asarray(state[f"slots/{name}"]) for name in self._update.slots]
        values = [state[f"variables/{number}"] for number in range(len(self.network.variables))]
        for new, old in zip(slots, self._slots, strict=True):
            if new.shape != tuple(old.shape):
                raise ValueError(f"shape {new.shape} instead of {tuple(old.shape)}")
        for variable, value in zip(self.network.variables, values, strict=True):
            variable.assign(value)
        self._slots = [_on_device(slot) for slot in slots]


def _on_device(array: np.ndarray) -> torch.Tensor:
    """A copy of `array` where Keras keeps its variables."""
    return keras.ops.convert_to_tensor(np.array(array))


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A copy on the host; not by way of `np.array`, which torch's tensors answer with a warning."""
    return tensor.detach().cpu().numpy().copy()


class _Averaged:
    """Puts the averaged weights, if there are any and they are wanted, into the network while the block lasts."""

    def __init__(self, engine: TorchEngine, wanted: bool) -> None:
        self._engine = engine
        self._wanted = wanted and "average" in engine._update.slots
        self._kept: torch.Tensor | None = None

    def __enter__(self) -> None:
        if self._wanted:
            self._kept = self._engine._update.flat(self._engine._variables).clone()
            self._engine._assign(self._engine._slots[-1])

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._engine._assign(self._kept)
