"""How the log of a system is read, and what is made of it."""

from __future__ import annotations

import pytest

from automl_cells.errors import SearchError
from tests.tools.peers.logs import LOG, written


class TestLog:
    def test_what_was_written_is_read(self, tool, tmp_path):
        assert tool("peers.log").read_log(written(tmp_path / "log", LOG)) == LOG

    def test_a_line_cut_off_at_the_end_is_left_out(self, tool, tmp_path):
        assert tool("peers.log").read_log(written(tmp_path / "log", LOG, '{"event": "mod')) == LOG

    @pytest.mark.parametrize("line", ["nonsense", "[]", '{"event": "model"}', '{"event": "model", "seconds": null}'])
    def test_a_damaged_line_is_refused(self, tool, tmp_path, line):
        with pytest.raises(SearchError, match=r"^Expected an event a line in .*Received: "):
            tool("peers.log").read_log(written(tmp_path / "log", LOG, line + "\n"))

    def test_a_missing_log_is_refused(self, tool, tmp_path):
        with pytest.raises(SearchError, match=r"^Expected the log of a system\. Received: .*nothing$"):
            tool("peers.log").read_log(tmp_path / "nothing")

    @pytest.mark.parametrize(
        ("target", "handed_over", "any_checkpoint"), [(99, 35.0, 10.0), (98, 21.0, 10.0), (99.3, None, None)]
    )
    def test_seconds_until_an_accuracy(self, tool, target, handed_over, any_checkpoint):
        until = tool("peers.log").seconds_until
        assert until(LOG, target, finished=True) == handed_over
        assert until(LOG, target, finished=False) == any_checkpoint

    def test_the_row_is_that_of_the_model_chosen_by_validation(self, tool):
        row = tool("peers.log").summary(LOG, 99)
        assert (row["test_accuracy"], row["parameters"], row["candidates"], row["seconds"]) == (99.0, 2000, 2, 60.0)
        assert row["checkpoint"] is False
        assert (row["versions"], row["settings"]) == ({"keras": "3"}, {"epochs": 5})

    def test_a_checkpoint_stands_where_nothing_is_finished(self, tool):
        row = tool("peers.log").summary(LOG[:4], 99)
        assert (row["test_accuracy"], row["checkpoint"], row["seconds_to_target"]) == (98.0, True, None)

    def test_an_empty_log_has_a_row_too(self, tool):
        row = tool("peers.log").summary([], 99)
        assert (row["test_accuracy"], row["candidates"], row["checkpoint"]) == (None, 0, False)
