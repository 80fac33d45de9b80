"""All search spaces keep the contract; `space` makes them by name."""

from __future__ import annotations

from typing import Any

import pytest

from automl_cells.errors import SpaceError
from automl_cells.spaces import SPACES, BlockQNN, Space, space
from tests.spaces.contract import SpaceContract

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "blockqnn": [
        {},
        {"input_anywhere": True},
        {"max_index": 2},
        {"max_index": 5},
        {"max_index": 5, "input_anywhere": True},
    ],
    "blockqnn_fast": [
        {},
        {"max_index": 2},
        {"max_index": 6, "input_anywhere": True, "dilated": True},
        {"squeeze_excitation": True},
        {"max_index": 8, "dilated": True, "squeeze_excitation": True, "self_attention": True},
    ],
    "metaqnn": [{}, {"max_depth": 1}, {"max_depth": 18, "filter_multiplier": 0.125}, {"filter_multiplier": 0.001}],
    "nasbench201": [{}],
    "nasnet": [
        {},
        {"blocks": 1},
        {"blocks": 10},
        {"blocks": 2, "operations": ["sep_conv_3x3", "identity"], "combinations": ["add"]},
    ],
}


def test_every_space_is_under_contract() -> None:
    assert set(OPTIONS) == set(SPACES)


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, sets in OPTIONS.items() for options in sets], ids=str
)
class TestContract(SpaceContract):
    @pytest.fixture
    def space(self, name: str, options: dict[str, Any]) -> Space:
        return space(name, input_shape=(8, 8, 1), classes=10, **options)


def test_space_by_name() -> None:
    made = space("blockqnn", (8, 8, 1), 10, max_index=7, input_anywhere=True)
    assert isinstance(made, BlockQNN)
    assert (made.max_index, made.input_anywhere) == (7, True)
    assert space("blockqnn").max_index == 23  # the paper's
    assert space("blockqnn_fast").max_index == 12


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("block_qnn", {}, r"a search space among \['blockqnn'.*\]\. Received: block_qnn"),
        (
            "blockqnn",
            {"depth": 3, "width": 2},
            r"options of .* among \['input_anywhere', 'max_index'\].*: depth, width",
        ),
        ("nasbench201", {"edges": 7}, r"options of the space nasbench201 among \[\]\. Received: edges"),
        ("blockqnn", {"max_index": 1}, r"max_index from 2 to 128\. Received: 1"),
        ("blockqnn", {"max_index": 129}, r"max_index from 2 to 128\. Received: 129"),
        ("blockqnn", {"max_index": 7.0}, r"max_index from 2 to 128\. Received: 7\.0"),
        ("blockqnn", {"max_index": "7"}, r"max_index from 2 to 128\. Received: '7'"),
        ("blockqnn", {"max_index": True}, r"max_index from 2 to 128\. Received: True"),
        ("blockqnn", {"input_anywhere": "no"}, r"input_anywhere true or false\. Received: 'no'"),
        (
            "blockqnn_fast",
            {"depthwise": True},
            r"options of .* among \['dilated', 'input_anywhere', 'max_index', 'operations', 'self_att.*: depth",
        ),
        ("blockqnn_fast", {"max_index": 0}, r"max_index from 2 to 128\. Received: 0"),
        ("blockqnn_fast", {"input_anywhere": 1}, r"input_anywhere true or false\. Received: 1"),
        ("blockqnn_fast", {"dilated": 1}, r"dilated true or false\. Received: 1"),
        ("blockqnn_fast", {"squeeze_excitation": "yes"}, r"squeeze_excitation true or false\. Received: 'yes'"),
        ("blockqnn_fast", {"self_attention": None}, r"self_attention true or false\. Received: None"),
    ],
)
def test_what_no_space_is_made_of(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        space(name, **options)
