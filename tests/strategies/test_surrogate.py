"""PPO's objective and the moving baseline against numbers worked out by hand."""

from __future__ import annotations

from math import e, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.strategies.surrogate import LARGEST_LOG_RATIO, advantages, surrogate


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "slope"),
    # ε = 0.2. min(r A, clip(r, 0.8, 1.2) A); the slope with respect to log r is r A where that is the smaller.
    [
        (1.0, 2.0, 2.0, 2.0),
        (1.1, 2.0, 2.2, 2.2),
        (1.5, 2.0, 2.4, 0.0),  # clipped: it has been raised enough
        (0.5, 2.0, 1.0, 1.0),  # not clipped: it has become worse
        (1.0, -2.0, -2.0, -2.0),
        (0.9, -2.0, -1.8, -1.8),
        (0.5, -2.0, -1.6, 0.0),  # clipped: it has been lowered enough
        (1.5, -2.0, -3.0, -3.0),  # not clipped
        (1.3, 0.0, 0.0, 0.0),
    ],
)
def test_surrogate_by_hand(ratio: float, advantage: float, objective: float, slope: float) -> None:
    old = np.array([-1.5])
    found = surrogate(old + log(ratio), old, np.array([advantage]), 0.2)
    assert [float(part[0]) for part in found] == pytest.approx([objective, slope], abs=1e-12)


def test_advantages_are_the_columns() -> None:
    objective, slopes = surrogate(np.zeros((2, 3)), np.zeros((2, 3)), np.array([1.0, 2.0, -3.0]), 0.2)
    assert objective.tolist() == slopes.tolist() == [[1.0, 2.0, -3.0]] * 2


def test_a_ratio_that_is_too_large_does_not_overflow() -> None:
    # 32 bits hold numbers up to e^88.
    new, old = np.zeros(2, np.float32), np.array([-1000.0, -LARGEST_LOG_RATIO], np.float32)
    objective, slopes = surrogate(new, old, np.array([-1.0, -1.0], np.float32), 0.2)
    assert objective == pytest.approx([-(e**20)] * 2)
    assert slopes == pytest.approx(objective)


@given(st.floats(-3, 3), st.floats(-3, 0), st.floats(-2, 2), st.floats(0.05, 0.9))
def test_the_slope_is_the_derivative(new: float, old: float, advantage: float, clip: float) -> None:
    step = 1e-6
    if min(abs(new - old - bound) for bound in (log(1 - clip), log(1 + clip))) < 2 * step:
        return  # a corner has none
    up, down = (surrogate(np.array(new + move), np.array(old), np.array(advantage), clip)[0] for move in (step, -step))
    _, slope = surrogate(np.array(new), np.array(old), np.array(advantage), clip)
    assert float(slope) == pytest.approx(float(up - down) / (2 * step), rel=1e-3, abs=1e-3)


def test_the_moving_average_by_hand() -> None:
    # b = 0.5, so 0.9 is 0.4 above; b = 0.95 · 0.5 + 0.05 · 0.9 = 0.52, so 0.42 is 0.1 below; b = 0.494 + 0.021 = 0.515
    differences, baseline = advantages([0.9, 0.42], 0.5, 0.95)
    assert differences == pytest.approx([0.4, -0.1])
    assert baseline == pytest.approx(0.515)


def test_without_rewards_nothing_moves() -> None:
    assert advantages([], 0.7, 0.95) == ([], 0.7)
