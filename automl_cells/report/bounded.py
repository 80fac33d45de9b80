"""Numbers that can be added and drawn, whatever an evaluator or a journal of somebody else's says."""

from __future__ import annotations

from typing import Any

LARGEST = 1e100
"""The largest number in a picture: sums and squares of some million of them are numbers still."""

_EXACT = 2**53  # up to here every integer is a float


def bounded(value: Any) -> Any:
    """A number as it is, or the nearest one within ±`LARGEST`, large integers as floats; anything else as it is.

    >>> bounded(97.5), bounded(-1.7e308), bounded(10**400), bounded("97")
    (97.5, -1e+100, 1e+100, '97')
    """
    if type(value) not in (int, float) or -_EXACT <= value <= _EXACT:
        return value
    return float(max(-LARGEST, min(LARGEST, value)))
