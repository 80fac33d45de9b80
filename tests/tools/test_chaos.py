"""A search whose workers and driver are killed loses nothing; ``python tools/chaos.py`` does it at length."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from automl_cells.errors import SearchError
from automl_cells.search.executors import SerialExecutor
from automl_cells.search.journal import Journal

SCRIPT = Path(__file__).parents[2] / "tools" / "chaos.py"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec = importlib.util.spec_from_file_location("chaos", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return module


def options(**changes):
    chosen = {"trials": 60, "workers": 3, "kills_per_second": 0.3, "driver_kills": 3, "seconds": 0.15, "seed": 3}
    return Namespace(**{**chosen, "table": "none", **changes})


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_counted_twice(script):
    result = script.chaos(options())
    assert result["faults"] == []
    assert result["done"] == 60
    assert result["killed_drivers"] == 3
    assert result["killed_workers"] >= 1
    assert result["table"] == "made up"


@pytest.fixture
def finished(script, tmp_path):
    """A finished search of four trials, not killed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script.chaos_search, "ProcessesExecutor", lambda evaluator, *_, **__: SerialExecutor(evaluator))
        script.chaos_search.drive(tmp_path / "run", 4, 1, 0, None, 0.0)
    return tmp_path / "run"


def test_a_whole_search_has_no_faults(script, finished):
    figures, faults = script.faults_of(finished, 4, None)
    assert faults == []
    assert (figures["done"], figures["stale"], figures["retried"]) == (4, 0, 0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("DELETE FROM events WHERE event = 'done' AND number = (SELECT MAX(number) FROM events)", "lost: trials [3]"),
        (
            "INSERT INTO events (time, trial, event, data) SELECT time, trial, event, data FROM events "
            "WHERE event = 'done' AND trial = 1",
            "counted twice: trials [1]",
        ),
        (
            "UPDATE events SET data = (SELECT data FROM events WHERE event = 'done' AND trial = 0) "
            "WHERE event = 'done' AND trial = 2",
            "with the answers of others: trials [2]",
        ),
        (
            "UPDATE events SET data = (SELECT data FROM events WHERE event = 'proposed' AND trial = 0) "
            "WHERE event = 'proposed' AND trial = 2",
            "tried twice: ['sha256:",
        ),
        (
            "UPDATE events SET event = 'failed' WHERE event = 'done' AND trial = 1",
            "failed: 1 trials, the first with None",
        ),
        ("INSERT INTO leases VALUES (2, 0, 1, 0.0)", "leases of trials that are done: [2]"),
        ("DELETE FROM events WHERE number = 2", "event 3 where 2 should be"),
    ],
)
def test_what_must_not_be_is_found(script, finished, change, fault):
    with Journal(finished / script.JOURNAL) as journal:
        journal._connection.execute(change)
    _, faults = script.faults_of(finished, 4, None)
    assert any(fault in found for found in faults), faults


def test_trials_that_are_missing_are_found(script, finished):
    assert script.faults_of(finished, 5, None)[1] == ["expected 5 trials, found 4"]


def test_only_a_child_of_the_driver_is_killed(script):
    sleeping = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert sleeping.pid in script.children(script.os.getpid())
        assert not script.kill_child(sleeping.pid, parent=1)
        assert sleeping.poll() is None
        assert script.kill_child(sleeping.pid, script.os.getpid())
        assert sleeping.wait(timeout=30) == -9
        assert not script.kill_child(sleeping.pid, script.os.getpid())
    finally:
        sleeping.kill()
        sleeping.wait()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, r"--trials from 1\. Received: 0$"),
        ({"workers": 0}, r"--workers from 1\. Received: 0$"),
        ({"kills_per_second": -1.0}, r"--kills-per-second from 0\. Received: -1\.0$"),
        ({"seconds": math.nan}, r"--seconds from 0\. Received: nan$"),
        ({"seconds": math.inf}, r"--seconds from 0\. Received: inf$"),
        ({"seconds": -0.5}, r"--seconds from 0\. Received: -0\.5$"),
    ],
)
def test_what_makes_no_test_is_refused(script, changes, message):
    with pytest.raises(SearchError, match=message):
        script.chaos(options(**changes))


def test_the_command_refuses_in_one_line_with_status_2():
    command = [sys.executable, str(SCRIPT), "--seconds", "nan", "--table", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: Expected --seconds from 0. Received: nan\n"


def test_the_command_says_what_did_not_hold_and_ends_with_status_1(tmp_path):
    """One trial cannot be shared out among five drivers that are to be killed."""
    arguments = ["--trials", "1", "--workers", "1", "--driver-kills", "5", "--kills-per-second", "0", "--table", "none"]
    command = [sys.executable, str(SCRIPT), *arguments, "--seconds", "0", "--json", str(tmp_path / "result.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "did not hold: only 0 drivers could be killed" in done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["done"], result["killed_workers"]) == (1, 0)
    assert json.loads(done.stdout) == result
