"""Guesses the last point of a learning curve from its first ones.

Baker, Gupta, Raskar & Naik, "Accelerating Neural Architecture Search using Performance Prediction" (arXiv 1705.10823):
a regression from the first points of a curve, and their differences, to the accuracy that the training ends with;
trained on the curves of the candidates that have been trained to their end. The paper compares ν-SVR, forests and
ordinary least squares. Here it is ridge regression, whose weight of the penalty is the one of a few that has the least
leave-one-out error; that error is also the deviation that a guess comes with. A linear model is a handful of numbers,
which a worker can apply without any library.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from automl_cells.errors import StrategyError

LEAST_CURVES = 12
_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)


class CurveModel(NamedTuple):
    """A linear guess of the accuracy at the end.

    Attributes:
        epochs: after how many epochs it guesses.
        weights: of the accuracies after each of them, then of the differences between neighbours.
        bias: what is added.
        deviation: of the truth from the guess, in the unit of the accuracies (leave-one-out, root of the mean square).
    """

    epochs: int
    weights: tuple[float, ...]
    bias: float
    deviation: float

    def __call__(self, curve: Sequence[float]) -> float:
        """The guess for a curve of at least `epochs` points; points beyond them are not looked at."""
        return self.bias + sum(w * x for w, x in zip(self.weights, features(curve, self.epochs), strict=True))


def features(curve: Sequence[float], epochs: int) -> list[float]:
    """The first `epochs` points of a curve and their differences.

    Example:
        >>> features([20.0, 50.0, 60.0, 65.0], 3)
        [20.0, 50.0, 60.0, 30.0, 10.0]
    """
    first = list(curve[:epochs])
    return [*first, *(after - before for before, after in pairwise(first))]


def fit(curves: Sequence[Sequence[float]], ends: Sequence[float], epochs: int) -> CurveModel:
    """The model that guesses after `epochs` epochs.

    Args:
        curves: n learning curves of at least `epochs` points each.
        ends: n accuracies at the end.
        epochs: points to guess from, from 1.

    Raises:
        StrategyError: fewer than `LEAST_CURVES` curves, one that is too short, or not an end for each.
    """
    import numpy as np

    if len(curves) != len(ends) or len(curves) < LEAST_CURVES or min(map(len, curves)) < epochs or epochs < 1:
        raise StrategyError(
            f"Expected at least {LEAST_CURVES} learning curves of {epochs} or more epochs and their ends. "
            f"Received: {len(curves)} curves, {len(ends)} ends"
        )
    rows = np.array([features(curve, epochs) for curve in curves])
    truth = np.array(ends, np.float64)
    centre, middle = rows.mean(0), truth.mean()
    scale = rows.std(0)
    scale[scale == 0] = 1.0
    points = (rows - centre) / scale
    best: tuple[float, np.ndarray] | None = None
    for penalty in _PENALTIES:
        inner = np.linalg.inv(points.T @ points + penalty * np.eye(points.shape[1]))
        weights = inner @ points.T @ (truth - middle)
        leverage = np.einsum("ij,jk,ik->i", points, inner, points) + 1 / len(points)  # the bias is fitted too
        left_out = (truth - middle - points @ weights) / np.maximum(1 - leverage, 1e-6)
        error = float(np.sqrt(np.mean(left_out**2)))
        if best is None or error < best[0]:
            best = error, weights
    assert best is not None
    error, weights = best
    raw = weights / scale
    return CurveModel(epochs, tuple(map(float, raw)), float(middle - raw @ centre), error)
