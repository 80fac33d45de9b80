"""What changes with the step of a training: the learning rate, and how far averaged weights look back. No Keras."""

from __future__ import annotations

import math

from automl_cells.training.recipes import Recipe

EMA_SHARE = 0.05  # of the training that averaged weights may look back over


def learning_rate(recipe: Recipe, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """The learning rate of a step.

    With step t counted from 0, T = `total_steps`, warm-up w and q = (t/T - w) / (1 - w), kept within 0 and 1, the rate
    is peak · (t + 1) / round(w·T) in the first round(w·T) steps, and then peak times

    - ``constant``: 1
    - ``cosine``: (1 + cos πq) / 2
    - ``linear``: 1 - q
    - ``step``: the product of the factors of all fractions s of `recipe.steps` with t ≥ round(s·T)
    - ``exponential``: decay_rate ^ ⌊t / round(decay_epochs · steps_per_epoch)⌋ (in stairs, as in slim)

    Args:
        recipe: peak, schedule, warm-up and what belongs to the schedule.
        step: the step, from 0.
        total_steps: steps of the whole training.
        steps_per_epoch: steps of one epoch.

    Example:
        >>> from automl_cells.training import recipe
        >>> cycle = recipe("plain", learning_rate=1.0, schedule="linear", warmup=0.2)
        >>> [round(learning_rate(cycle, step, 10, 5), 4) for step in range(10)]
        [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        >>> stairs = recipe("metaqnn_mnist", learning_rate=1.0, decay_rate=0.5, decay_epochs=2)
        >>> [learning_rate(stairs, epoch * 5, 25, 5) for epoch in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    warmup_steps = round(recipe.warmup * total_steps)
    if step < warmup_steps:
        return recipe.learning_rate * (step + 1) / warmup_steps
    progress = min(max((step / total_steps - recipe.warmup) / (1 - recipe.warmup), 0.0), 1.0)
    factor = 1.0
    if recipe.schedule == "cosine":
        factor = (1 + math.cos(math.pi * progress)) / 2
    elif recipe.schedule == "linear":
        factor = 1 - progress
    elif recipe.schedule == "exponential":
        rate, epochs = recipe.decay_rate or 1.0, recipe.decay_epochs or 1.0  # both are there: the recipe sees to it
        factor = rate ** (step // max(1, round(epochs * steps_per_epoch)))
    elif recipe.schedule == "step":
        factors = (
            recipe.step_factor if isinstance(recipe.step_factor, tuple) else (recipe.step_factor,) * len(recipe.steps)
        )
        # In whole steps: in floating point, 0.07 of 100 steps is a little more than 7.
        factor = math.prod(
            f for share, f in zip(recipe.steps, factors, strict=True) if step >= round(share * total_steps)
        )
    return recipe.learning_rate * factor


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
