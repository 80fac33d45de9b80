"""What `automl-cells search` makes of its options."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from automl_cells.cli.main import main
from automl_cells.errors import SearchError


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """A function that runs the command with some options and gives what the search itself is asked for."""

    def run(*options: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def search(dataset: str, **arguments: Any) -> None:
            found.update(arguments)
            raise SearchError("enough")

        monkeypatch.setattr("automl_cells.search.search", search)
        monkeypatch.setattr(
            sys, "argv", ["automl-cells", "search", "--dataset", "digits", "--out", str(tmp_path), *options]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return found

    return run


def test_workers_are_replaced_as_the_user_says(asked) -> None:
    options = asked("--recycle-after", "8", "--recycle-above", "1500", "--retries", "0")["executor_options"]
    assert options == {"recycle_after": 8, "recycle_above": 1500 * 2**20, "retries": 0}
    assert asked()["executor_options"] == {}


def test_latency_is_asked_for(asked) -> None:
    assert asked("--measure-latency")["measure_latency"] is True
    assert asked()["measure_latency"] is False
