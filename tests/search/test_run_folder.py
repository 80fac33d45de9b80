import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from automl_cells.errors import JournalError, SearchError
from automl_cells.search import read_run
from automl_cells.search.executors import ProcessesExecutor, SerialExecutor
from automl_cells.search.run_folder import opened, read_leases, searching
from tests.search.synthetic import Instant, Line, Told, search_loop

ROOT = Path(__file__).parents[2]
SETTINGS = {"space": {"name": "line", "options": {"size": 9}}, "seed": 0, "trials": 2, "filters": [4, 8]}


@pytest.fixture
def run(tmp_path):
    """The folder of a search of two trials."""
    folder = tmp_path / "new" / "run"
    with opened(folder, SETTINGS, resume=False) as journal:
        search_loop(journal, Instant(), Told(Line(9)), 2).run(SerialExecutor(Instant()))
    return folder


def test_the_folder_is_made_and_can_be_read(run):
    assert sorted(file.name for file in run.iterdir() if file.name != ".lock") == ["journal.sqlite"]
    settings, trials = read_run(run)
    assert settings == SETTINGS
    assert [trial.status for trial in trials] == ["done", "done"]


def test_a_folder_with_a_search_needs_to_be_resumed(run):
    before = (run / "journal.sqlite").read_bytes()
    with (
        pytest.raises(SearchError, match=r"--resume to continue the one in it\. Received: .*run$"),
        opened(run, SETTINGS, False),
    ):
        pass
    assert (run / "journal.sqlite").read_bytes() == before
    with opened(run, SETTINGS, True) as journal:
        assert len(list(journal.events())) == 6


def test_resume_without_a_search_begins_one(tmp_path):
    with opened(tmp_path, SETTINGS, True) as journal:
        assert list(journal.events()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, r"seed 0\. Received: 1$"),
        ({"space": {"name": "line", "options": {}}}, r"space \{'name': 'line', .*\. Received: \{'name': 'line'"),
        ({"filters": [4]}, r"filters \[4, 8\]\. Received: \[4\]$"),
        ({"reward": "accuracy"}, r"reward None\. Received: 'accuracy'$"),
    ],
)
def test_other_settings_are_refused_by_name(run, changes, message):
    refused = opened(run, {**SETTINGS, **changes}, True)
    with pytest.raises(SearchError, match=rf"Expected the settings of the search in .*run: {message}"), refused:
        pass
    with opened(run, SETTINGS, True):
        pass  # the lock has been given back


def test_more_trials_and_tuples_for_lists_are_the_same_search(run):
    with opened(run, {**SETTINGS, "trials": 50, "filters": (4, 8)}, True) as journal:
        assert journal.settings["trials"] == 50


def test_settings_that_json_cannot_hold_are_refused_before_anything_is_made(tmp_path):
    with (
        pytest.raises(SearchError, match=r"Expected settings and options that JSON can hold\. Received: .*set"),
        opened(tmp_path / "run", {"odd": {1, 2}}, False),
    ):
        pass
    assert not (tmp_path / "run").exists()


def test_a_second_driver_is_refused_also_in_another_process(run):
    message = "Expected no other search to be running in"
    code = f"""
from automl_cells.search.run_folder import opened, read_leases
try:
    with opened({str(run)!r}, {SETTINGS!r}, True):
        print("let in")
except ValueError as error:
    print(error)
"""
    with opened(run, SETTINGS, True):
        with pytest.raises(SearchError, match=message), opened(run, SETTINGS, True):
            pass
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
        assert second.stdout.startswith(message)
    with opened(run, SETTINGS, True):
        pass


def test_an_error_inside_gives_the_lock_back(run):
    with pytest.raises(KeyboardInterrupt), opened(run, SETTINGS, True):
        raise KeyboardInterrupt
    with opened(run, SETTINGS, True):
        pass


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    refused = opened(tmp_path / place, SETTINGS, False)
    with pytest.raises(JournalError, match=r"Expected a folder that can be written to\. Received: .*\(.*\)$"), refused:
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_a_damaged_journal_is_reported_and_the_lock_given_back(run):
    content = (run / "journal.sqlite").read_bytes()
    (run / "journal.sqlite").write_bytes(content[:100])
    with pytest.raises(JournalError), opened(run, SETTINGS, True):
        pass
    with pytest.raises(JournalError):
        read_run(run)
    (run / "journal.sqlite").write_bytes(content)
    with opened(run, SETTINGS, True):
        pass


def test_a_search_can_be_read_while_it_runs(run):
    with opened(run, SETTINGS, True) as journal:
        journal.append(0, "repeat", {})
        assert [trial.repeats for trial in read_run(run)[1]] == [1, 0]


def test_no_search_there(tmp_path):
    with pytest.raises(JournalError, match=r"with a search in it \(journal\.sqlite\)\. Received: .*$"):
        read_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_has_which_trial_can_be_read_while_it_runs(run):
    with opened(run, SETTINGS, True) as journal:
        journal.renew(1, 0, 4711)
        assert {trial: lease.pid for trial, lease in read_leases(run).items()} == {1: 4711}
    with pytest.raises(JournalError, match=r"with a search in it \(journal\.sqlite\)\. Received: .*$"):
        read_leases(run.parent)


def test_the_workers_of_a_running_search_are_live(tmp_path):
    class Watcher:
        def __init__(self):
            self.seen = []

        def update(self, trials, running):
            self.seen += [(lease, trials[lease.trial].status, lease.live()) for lease in read_leases(tmp_path).values()]

    watcher, evaluator = Watcher(), Instant(seconds=0.1)
    with opened(tmp_path, SETTINGS, False) as journal, ProcessesExecutor(evaluator, 2) as executor:
        pids = {worker.pid for worker in executor._workers}
        search_loop(journal, evaluator, Told(Line(9)), 8, observer=watcher).run(executor)
    assert len(watcher.seen) > 0
    for lease, status, live in watcher.seen:
        assert lease.pid in pids
        assert lease.worker in (0, 1)
        assert (status, live) == ("running", True)
    assert read_leases(tmp_path) == {}


def test_who_may_not_go_on_with_a_search_does_not_change_its_journal(run):
    connection = sqlite3.connect(run / "journal.sqlite")
    with connection:
        connection.execute("DROP TRIGGER released")
        connection.execute("DROP TABLE leases")
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'version'")
    connection.close()
    before = (run / "journal.sqlite").read_bytes()
    for settings, resume in ((SETTINGS, False), ({**SETTINGS, "seed": 1}, True)):
        with pytest.raises(SearchError), opened(run, settings, resume):
            pass
        assert (run / "journal.sqlite").read_bytes() == before
    assert len(read_run(run)[1]) == 2
    with opened(run, SETTINGS, True) as journal:
        assert journal.version == 2


def test_a_search_that_never_began_leaves_its_folder_to_another(tmp_path):
    for seed in (0, 1):
        with opened(tmp_path, {**SETTINGS, "seed": seed}, False) as journal:
            assert journal.settings["seed"] == seed


def test_the_lock_tells_whether_a_search_is_running(tmp_path):
    with opened(tmp_path / "run", {"trials": 3}, False) as journal:
        assert searching(tmp_path / "run")
        journal.append(0, "stale")
    assert not searching(tmp_path / "run")


@pytest.fixture
def others(monkeypatch):
    """From when it is called, run folders belong to somebody else and can only be read."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    return lambda: monkeypatch.setattr("automl_cells.search.run_folder.FileLock.acquire", refuse)


def test_the_lock_of_somebody_else_tells_it_too(tmp_path, others):
    with opened(tmp_path / "run", {"trials": 3}, False) as journal:
        journal.append(0, "stale")
        others()
        assert searching(tmp_path / "run")
    assert not searching(tmp_path / "run")


def test_where_no_lock_can_be_tried_leases_tell_it(tmp_path, others, monkeypatch):
    with opened(tmp_path / "run", {"trials": 3}, False) as journal:
        journal.append(0, "running")
        journal.renew(0, 0, 1)
    (tmp_path / "run" / ".lock").unlink(missing_ok=True)
    others()
    assert searching(tmp_path / "run")
    monkeypatch.setattr("automl_cells.search.journal.LIVE_SECONDS", -1.0)
    assert not searching(tmp_path / "run")


def test_more_trials_are_written_down_when_a_search_is_resumed(tmp_path):
    with opened(tmp_path / "run", {"trials": 3}, False) as journal:
        evaluator = Instant()
        search_loop(journal, evaluator, Told(Line(3)), 1).run(SerialExecutor(evaluator))
    with opened(tmp_path / "run", {"trials": 5}, True):
        pass
    assert read_run(tmp_path / "run")[0] == {"trials": 5}
