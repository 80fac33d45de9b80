"""From values to places along an axis, and the round values that get a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """A linear axis.

    Attributes:
        low: value at the place 0.
        high: value at the place 1, larger than `low`.
    """

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float], margin: float = 0.06) -> Scale:
        """The axis on which these values lie, with some margin on both sides (a share of their range)."""
        low, high = min(values), max(values)
        space = margin * (high - low) or max(abs(high), 1.0) * margin
        return cls(low - space, high + space)

    def place(self, value: float) -> float:
        """Where a value lies; values beyond the ends lie at the ends."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self, count: int = 5, whole: bool = False) -> list[float]:
        """About `count` round values within the axis; only whole numbers if asked for."""
        raw = (self.high - self.low) / max(1, count)
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(size * step for step in _STEPS if size * step >= raw * 0.999)
        if whole:
            step = max(1.0, math.ceil(step))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def without_outliers(values: Sequence[float]) -> float:
    """The least value that an axis should show: three times the quartiles' distance below the first quartile at most.

    A few candidates that learnt nothing would otherwise press all others into one line.
    """
    ordered = sorted(values)
    first, third = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    bound = first - 3 * (third - first)
    return next(value for value in ordered if value >= bound)
