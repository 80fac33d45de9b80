"""Adam against its paper's formulas, one number at a time."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from automl_cells.strategies.adam import Adam


def by_hand(weight: float, gradients: list[float], rate: float) -> float:
    """Algorithm 1 of the paper, upward."""
    first = second = 0.0
    for step, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight += rate * (first / (1 - 0.9**step)) / (sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weight


def test_against_the_formulas() -> None:
    gradients = np.random.default_rng(0).normal(size=(20, 3)) * [1, 1e-3, 1e3]
    weights = np.array([0.5, -0.5, 0.0])
    adam = Adam(0.01, 3, np.float64)
    for gradient in gradients:
        adam.ascend(weights, gradient)
    expected = [by_hand(start, list(gradients[:, i]), 0.01) for i, start in enumerate([0.5, -0.5, 0.0])]
    assert weights == pytest.approx(expected, rel=1e-12)


def test_the_first_step_is_the_learning_rate_up_the_gradient() -> None:
    # Both moments are corrected, so the step is g / |g|.
    weights = np.zeros(4, np.float32)
    Adam(0.25, 4).ascend(weights, np.array([3.0, -0.01, 0.0, 1e4], np.float32))
    assert weights == pytest.approx([0.25, -0.25, 0.0, 0.25], rel=1e-4)


def test_gradients_are_left_alone() -> None:
    gradient = np.ones(2, np.float32)
    Adam(0.1, 2).ascend(np.zeros(2, np.float32), gradient)
    assert gradient.tolist() == [1, 1]


def test_new_parameters_are_as_if_they_had_always_been_there() -> None:
    gradients = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    gradients[:3, 3:] = 0
    small, large = np.zeros(5, np.float32), np.zeros(5, np.float32)
    grown, whole = Adam(0.1, 3), Adam(0.1, 5)
    for number, gradient in enumerate(gradients):
        if number == 3:
            grown.grow(5)
        size = 3 if number < 3 else 5
        grown.ascend(small[:size], gradient[:size])
        whole.ascend(large, gradient)
    assert small.tolist() == large.tolist()
    assert np.abs(small[3:]).min() > 0
