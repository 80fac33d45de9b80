"""Adam on one flat vector that may grow."""

from __future__ import annotations

import math

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Kingma & Ba's


class Adam:
    """Kingma & Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015, arXiv 1412.6980), algorithm 1.

    Args:
        learning_rate: α.
        size: number of parameters.
        dtype: of the moments.

    Attributes:
        first: the first moment, shape (size,).
        second: the second moment, likewise.
        steps: how many there have been.
    """

    def __init__(self, learning_rate: float, size: int, dtype: type[np.floating] = np.float32) -> None:
        self.learning_rate = learning_rate
        self.load(np.zeros(size, dtype), np.zeros(size, dtype), 0)

    def load(self, first: np.ndarray, second: np.ndarray, steps: int) -> None:
        """Take over moments and the number of steps."""
        self.first, self.second, self.steps = first, second, steps
        self._scratch = np.empty_like(first)

    def grow(self, size: int) -> None:
        """Have moments for so many parameters; those of new ones are 0."""
        if size > len(self.first):
            more = np.zeros(size - len(self.first), self.first.dtype)
            self.load(np.append(self.first, more), np.append(self.second, more), self.steps)

    def ascend(self, weights: np.ndarray, gradient: np.ndarray) -> None:
        """Change `weights` in place by one step up the gradient."""
        self.steps += 1
        change = self._scratch  # nothing is allocated: this is a good part of a controller's learning
        np.multiply(gradient, 1 - BETA1, out=change)
        self.first *= BETA1
        self.first += change
        np.multiply(gradient, gradient, out=change)
        change *= 1 - BETA2
        self.second *= BETA2
        self.second += change
        np.sqrt(self.second, out=change)
        change /= math.sqrt(1 - BETA2**self.steps)
        change += EPSILON
        np.divide(self.first, change, out=change)
        change *= self.learning_rate / (1 - BETA1**self.steps)
        weights += change
