"""What the scripts ask of their options before they measure anything."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from automl_cells.errors import SearchError


@pytest.fixture(scope="module")
def checks(tool):
    return tool("option_checks")


def test_numbers_have_their_least(checks):
    options = argparse.Namespace(rounds=1, max_params=9)
    checks.at_least(options, rounds=1, max_params=9)
    with pytest.raises(SearchError, match=r"^Expected --max-params from 10\. Received: 9$"):
        checks.at_least(options, rounds=1, max_params=10)


def test_a_file_can_be_written_into_a_folder_that_is_there_or_can_be_made(checks, tmp_path):
    (tmp_path / "file").touch()
    for path in (None, tmp_path / "new.json", tmp_path / "new" / "new.json", tmp_path / "file"):
        checks.check_file(path)
    for path in (Path("/"), tmp_path, tmp_path / "file" / "new.json"):
        with pytest.raises(SearchError, match=r"^Expected a file for --json that can be written\. Received: "):
            checks.check_file(path)


def test_a_folder_in_which_nobody_may_write_is_refused(checks, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SearchError, match=r"^Expected a file for --json that can be written\. Received: "):
        checks.check_file(tmp_path / "new.json")
