"""What the states of strategies are made of as JSON, and back: trajectories, numbers, arrays. Never unpickled.

All that reads raises a `ValueError` that says what it found.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

from automl_cells.errors import GenotypeError
from automl_cells.spaces.base import Action, Space

if TYPE_CHECKING:
    import numpy as np


def is_number(value: Any) -> bool:
    """Whether `value` is a finite number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any) -> float:
    """A finite number."""
    if not is_number(value):
        raise ValueError(f"number {value!r:.80}")
    return float(value)


def count(value: Any) -> int:
    """An integer from 0."""
    if type(value) is not int or value < 0:
        raise ValueError(f"count {value!r:.80}")
    return value


def trajectory(value: Any, space: Space) -> tuple[Action, ...]:
    """Decisions that JSON made lists of, legal in `space` from its beginning to an end."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"decisions {value!r:.80}")
    decisions = _frozen(value)
    try:
        space.replay(decisions)
    except (GenotypeError, TypeError) as error:
        raise ValueError(f"decisions {value!r:.80} ({error})") from None
    return decisions


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def packed(array: np.ndarray) -> dict[str, Any]:
    """A vector as its type and the base64 of its little-endian bytes."""
    little = array.astype(array.dtype.newbyteorder("<"))
    return {"dtype": little.dtype.str, "size": little.size, "data": base64.b64encode(little.tobytes()).decode("ascii")}


def unpacked(document: Any, size: int, dtype: type[np.floating]) -> np.ndarray:
    """The inverse of `packed`, for a vector of `size` finite numbers of type `dtype`."""
    import numpy as np

    little = np.dtype(dtype).newbyteorder("<")
    if not isinstance(document, dict) or document.get("dtype") != little.str or document.get("size") != size:
        raise ValueError(f"array {document!r:.80} where {size} numbers of type {little.str} should be")
    try:
        array = np.frombuffer(base64.b64decode(document["data"], validate=True), little).astype(dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"array without its numbers ({error!r:.80})") from None
    if array.size != size or not np.isfinite(array).all():
        raise ValueError(f"array of {array.size} numbers where {size} finite ones should be")
    return array
