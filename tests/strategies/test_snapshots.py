"""Parts of a strategy's state through JSON and back, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from automl_cells.spaces import BlockQNN
from automl_cells.strategies.snapshots import count, number, packed, trajectory, unpacked
from tests.strategies.tree import Tree


@given(
    arrays.arrays(np.float32, st.integers(0, 20), elements=st.floats(allow_nan=False, allow_infinity=False, width=32))
)
def test_arrays_come_back_bit_by_bit(array: np.ndarray) -> None:
    back = unpacked(json.loads(json.dumps(packed(array))), array.size, np.float32)
    assert back.tobytes() == array.tobytes()
    assert back.dtype == np.float32
    back += 1  # may be changed in place


def test_an_array_by_hand() -> None:
    # 1.0 is 0x3f800000 and -2.0 is 0xc0000000; little-endian 00 00 80 3f 00 00 00 c0.
    assert packed(np.array([1, -2], ">f4")) == {"dtype": "<f4", "size": 2, "data": "AACAPwAAAMA="}


GOOD = packed(np.array([1.0, -2.0], np.float32))


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [1.0, -2.0],
        {},
        {**GOOD, "dtype": "<f8"},
        {**GOOD, "dtype": "O"},
        {**GOOD, "size": 3},
        {**GOOD, "data": GOOD["data"][:-4]},
        {**GOOD, "data": "AACAPwAAAM"},
        {**GOOD, "data": "???"},
        {**GOOD, "data": "ä"},
        {**GOOD, "data": None},
        {**GOOD, "data": packed(np.array([1, np.nan], np.float32))["data"]},
        {**GOOD, "data": packed(np.array([1, np.inf], np.float32))["data"]},
        {"dtype": "<f4", "size": 2},
    ],
    ids=str,
)
def test_other_arrays_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="array"):
        unpacked(bad, 2, np.float32)


def test_trajectories_become_tuples_again() -> None:
    decisions = ((1, 4, 0, 0, 0), (2, 7, 0, 0, 0))
    assert trajectory(json.loads(json.dumps(decisions)), BlockQNN()) == decisions
    assert trajectory([0, 1, 1], Tree()) == (0, 1, 1)


@pytest.mark.parametrize("bad", [None, 3, "01", {}, [], [0], [0, 2], [1, 1], [None], [[]], [{}]], ids=repr)
def test_other_trajectories_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="decisions"):
        trajectory(bad, Tree())


@pytest.mark.parametrize("bad", [None, "1", True, float("nan"), float("inf"), [1]], ids=repr)
def test_other_numbers_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        number(bad)
    with pytest.raises(ValueError, match="count"):
        count(bad)


def test_numbers() -> None:
    assert (number(3), number(-0.5), count(0), count(7)) == (3.0, -0.5, 0, 7)
    for bad in (-1, 1.0):
        with pytest.raises(ValueError, match="count"):
            count(bad)
