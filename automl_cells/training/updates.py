"""The optimizers of a recipe as pure arithmetic on flat vectors, the same under every backend.

All trainable variables of a network are one vector here: an update is a handful of operations however many layers
there are (Keras' optimizers need some twenty a variable, most of the time of a small network's step), gradients of
several replicas are summed in one message, and averaging, clipping and decay are one line each. The arithmetic is that
of `keras.optimizers.SGD`, `Adam`, `AdamW` and `RMSprop`.

With gradient g (of the loss, plus ``l2`` · w for kernels, then clipped to the norm ``clip_norm``), rate η, decoupled
decay λ for kernels, step t from 1:

    sgd       v ← μ v - η g;               w ← w - η λ w + v      (Nesterov: w ← w - η λ w + μ v - η g)
    adam(w)   m ← β₁ m + (1 - β₁) g;       v ← β₂ v + (1 - β₂) g²;
              w ← w - η λ w - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)
    rmsprop   s ← ρ s + (1 - ρ) g²;        v ← μ v + η g / √(s + ε);    w ← w - η λ w - v
    average   a ← q a + (1 - q) w          (only with ``ema``)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from keras import ops

from automl_cells.training.recipes import Recipe
from automl_cells.training.schedule import ema_momentum, learning_rate

_MOMENTS = {"sgd": ("momentum",), "adam": ("first", "second"), "adamw": ("first", "second"), "rmsprop": ("square",)}


class Update:
    """One step of the optimizer of a recipe.

    Args:
        recipe: what to do.
        total_steps: steps of the whole training.
        steps_per_epoch: of them in each epoch.
        shapes: of the trainable variables, in order. Kernels (two dimensions or more) decay; biases and the scales and
            offsets of batch normalisation do not.
        rates: for each variable a factor of the learning rate; all 1 by default.

    Attributes:
        slots: names of the vectors that belong to the optimizer's state, each of `size` float32.
        size: number of trainable parameters.
    """

    def __init__(
        self,
        recipe: Recipe,
        total_steps: int,
        steps_per_epoch: int,
        shapes: Sequence[tuple[int, ...]],
        rates: Sequence[float] | None = None,
    ) -> None:
        self.recipe = recipe
        self._total_steps, self._steps_per_epoch = total_steps, steps_per_epoch
        self._shapes = [tuple(shape) for shape in shapes]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        self.size = sum(self._sizes)
        moments = _MOMENTS[recipe.optimizer]
        if recipe.optimizer == "rmsprop" and recipe.momentum:
            moments = (*moments, "momentum")
        self.slots = (*moments, "average") if recipe.ema is not None else moments
        self._kernels: Any = self._spread([float(len(shape) > 1) for shape in self._shapes])
        self._rates: Any = None if rates is None or set(rates) == {1.0} else self._spread(rates)
        self._rule: Callable[..., Any] = getattr(self, f"_{recipe.optimizer.removesuffix('w')}")

    def _spread(self, values: Sequence[float]) -> np.ndarray:
        """One value a variable, repeated for each of its parameters."""
        return np.repeat(np.asarray(values, np.float32), self._sizes)

    def place(self, put: Callable[[np.ndarray], Any]) -> None:
        """Turn the constants of the arithmetic into tensors, where arrays are not taken or end up in the graph."""
        self._kernels = put(self._kernels)
        self._rates = None if self._rates is None else put(self._rates)

    def initial(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The slots before the first step, for variables of these values: zeros, and the average at the values."""
        slots = {name: np.zeros(self.size, np.float32) for name in self.slots}
        if "average" in slots:
            slots["average"] = np.concatenate([np.ravel(value) for value in values]).astype(np.float32)
        return slots

    def scalars(self, step: int) -> np.ndarray:
        """What changes from step to step, for the 0-based `step`: float32 (3,): rate, corrected rate, q."""
        recipe = self.recipe
        rate = learning_rate(recipe, step, self._total_steps, self._steps_per_epoch)
        one, time = np.float32(1), np.float32(step + 1)  # in float32, as Keras does it: 1 - β₂ is 5e-5 off there
        correction = np.sqrt(one - np.float32(recipe.beta_2) ** time) / (one - np.float32(recipe.beta_1) ** time)
        average = ema_momentum(recipe, self._total_steps) if recipe.ema is not None and step else 0.0
        return np.array([rate, rate * correction, average], np.float32)

    def flat(self, values: Sequence[Any]) -> Any:
        """The variables, or their gradients, as one vector (size,)."""
        return ops.concatenate([ops.reshape(value, (-1,)) for value in values])

    def split(self, flat: Any) -> list[Any]:
        """The inverse of `flat`."""
        ends = list(accumulate(self._sizes))
        parts = ops.split(flat, ends[:-1]) if len(ends) > 1 else [flat]
        return [ops.reshape(part, shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def __call__(self, weights: Any, gradient: Any, slots: Sequence[Any], scalars: Any) -> tuple[Any, list[Any]]:
        """One step.

        Args:
            weights: (size,) float32.
            gradient: (size,) float32, of the loss over the whole batch.
            slots: in the order of `slots`, each (size,).
            scalars: see `scalars`.

        Returns:
            The new weights and the new slots.
        """
        recipe = self.recipe
        if recipe.l2:
            gradient = gradient + recipe.l2 * self._kernels * weights
        if recipe.clip_norm is not None:
            norm = ops.sqrt(ops.sum(ops.square(gradient)))
            gradient = gradient * (recipe.clip_norm / ops.maximum(norm, recipe.clip_norm))
        rate, corrected = scalars[0], scalars[1]
        if self._rates is not None:
            rate, corrected = rate * self._rates, corrected * self._rates
        decayed = weights - rate * recipe.weight_decay * self._kernels * weights if recipe.weight_decay else weights
        moments = list(slots[:-1] if "average" in self.slots else slots)
        change, moments = self._rule(gradient, moments, rate, corrected)
        updated = decayed + change
        if "average" in self.slots:
            moments.append(scalars[2] * slots[-1] + (1 - scalars[2]) * updated)
        return updated, moments

    def _sgd(self, gradient: Any, moments: list[Any], rate: Any, corrected: Any) -> tuple[Any, list[Any]]:
        step = rate * gradient
        velocity = self.recipe.momentum * moments[0] - step
        return (self.recipe.momentum * velocity - step if self.recipe.nesterov else velocity), [velocity]

    def _adam(self, gradient: Any, moments: list[Any], rate: Any, corrected: Any) -> tuple[Any, list[Any]]:
        recipe = self.recipe
        first = recipe.beta_1 * moments[0] + (1 - recipe.beta_1) * gradient
        second = recipe.beta_2 * moments[1] + (1 - recipe.beta_2) * ops.square(gradient)
        return -corrected * first / (ops.sqrt(second) + recipe.epsilon), [first, second]

    def _rmsprop(self, gradient: Any, moments: list[Any], rate: Any, corrected: Any) -> tuple[Any, list[Any]]:
        recipe = self.recipe
        square = recipe.rho * moments[0] + (1 - recipe.rho) * ops.square(gradient)
        step = rate * gradient * ops.rsqrt(square + recipe.epsilon)
        if not recipe.momentum:
            return -step, [square]
        velocity = recipe.momentum * moments[1] + step
        return -velocity, [square, velocity]
