"""The learning rate as a function of the step, and the Keras optimizer of a recipe."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from automl_cells.training.recipes import Recipe

EMA_SHARE = 0.05  # of the training that averaged weights may look back over


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then constant, cosine to zero, or steps.

    With progress p = step / total_steps and warm-up w, for p ≥ w: ``cosine`` is peak · (1 + cos π (p - w)/(1 - w)) / 2
    and ``step`` is peak · factor^(number of steps s with s ≤ p). For p < w it rises as peak · (step + 1) / (w · total).

    Args:
        recipe: peak, schedule, warm-up and steps.
        total_steps: steps of the whole training.
    """

    def __init__(self, recipe: Recipe, total_steps: int) -> None:
        self.recipe = recipe
        self.total_steps = total_steps

    def __call__(self, step: Any) -> Any:
        """The learning rate of the 0-based `step`."""
        recipe = self.recipe
        step = ops.cast(step, "float32")
        progress = step / self.total_steps
        rate = ops.ones_like(progress)
        if recipe.schedule == "cosine":
            angle = ops.clip((progress - recipe.warmup) / (1 - recipe.warmup), 0.0, 1.0) * math.pi
            rate = (1 + ops.cos(angle)) / 2
        for boundary in recipe.steps:
            # In whole steps: a fraction such as 0.7 has no exact float32, and would fall a step late.
            rate = ops.where(step >= round(boundary * self.total_steps), rate * recipe.step_factor, rate)
        if warmup_steps := round(recipe.warmup * self.total_steps):
            rate = ops.where(step < warmup_steps, (step + 1) / warmup_steps, rate)
        return recipe.learning_rate * rate

    def get_config(self) -> dict[str, Any]:
        """The recipe as JSON and the number of steps."""
        return {"recipe": self.recipe.model_dump(mode="json"), "total_steps": self.total_steps}


def ema_momentum(recipe: Recipe, total_steps: int) -> float:
    """The recipe's weight of the past, or less where it would look back over more than a twentieth of the training.

    An average with momentum m looks back over 1 / (1 - m) steps; in a short training the recipe's own would still hold
    the first weights at the end.

    Example:
        >>> from automl_cells.training import recipe
        >>> [round(ema_momentum(recipe("plain", ema=0.99), steps), 4) for steps in (10, 100, 1000, 4000)]
        [0.0, 0.8, 0.98, 0.99]
    """
    horizon = max(1.0, EMA_SHARE * total_steps)
    return min(recipe.ema if recipe.ema is not None else 1.0, 1 - 1 / horizon)


def make_optimizer(recipe: Recipe, total_steps: int, model: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe; only the kernels of `model` decay."""
    common: dict[str, Any] = {
        "learning_rate": LearningRate(recipe, total_steps),
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.ema is not None,
        "ema_momentum": ema_momentum(recipe, total_steps),
    }
    if recipe.optimizer == "adamw":
        common["weight_decay"] = recipe.weight_decay  # AdamW does not take None
        optimizer: keras.optimizers.Optimizer = keras.optimizers.AdamW(**common)
    else:
        optimizer = keras.optimizers.SGD(momentum=recipe.momentum, nesterov=recipe.nesterov, **common)
    vectors = [variable for variable in model.trainable_variables if len(variable.shape) < 2]
    if vectors and recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=vectors)  # biases, scales and offsets
    return optimizer
