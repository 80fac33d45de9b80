"""Stopping and going on: after every single event, and after the driver was killed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_cells.evaluation import Limits
from automl_cells.search import read_run
from automl_cells.search.executors import SerialExecutor
from automl_cells.search.journal import Journal
from automl_cells.search.run_folder import JOURNAL, read_leases
from automl_cells.search.trials import trials_of
from automl_cells.spaces import BlockQNN
from automl_cells.strategies import QLearning, Random
from tests.search.synthetic import Instant, Line, Script, drive, gone, search_loop

ROOT = Path(__file__).parents[2]


def learning(trials):
    """Q-learning that repeats itself a good deal and learns from every answer."""
    return QLearning(BlockQNN(max_index=3), trials, alpha=0.5, batch=2, replay=3, epsilon=[(1.0, 1), (0.1, 3)])


def stubborn(trials):
    """Repeats itself until a proposal is drawn at random."""
    return Script(Line(30), [7])


def run(journal, make, trials, **changes):
    evaluator, strategy = Instant(fails_below=30.0), make(trials)
    found = search_loop(journal, evaluator, strategy, trials, **changes).run(SerialExecutor(evaluator))
    rows = [(t.genotype.hash, t.decisions, t.proposal, t.status, t.reward, t.metrics, t.failure) for t in found]
    return rows, evaluator.called, strategy


def lasting(events):
    """Events without the comings and goings of an interruption."""
    return [(trial, event) for trial, event in events if event not in ("running", "stale")]


@pytest.mark.parametrize(
    ("make", "trials", "limits"),
    [(learning, 12, Limits()), (learning, 3, Limits(max_params=250)), (stubborn, 3, Limits())],
    ids=["q_learning", "q_learning with limits", "stubborn"],
)
def test_a_search_stopped_after_any_event_ends_as_if_it_had_not_been(tmp_path, make, trials, limits):
    with Journal(tmp_path / "whole.sqlite", {}) as journal:
        whole, called, strategy = run(journal, make, trials, limits=limits)
        events = list(journal.events())
        assert {event.event for event in events} >= {"proposed", "running", "done", "repeat"}
        for count in range(len(events) + 1):
            journal._connection.execute("DELETE FROM events")
            for event in events[:count]:
                journal.append(event.trial, event.event, event.data)
            finished = {trial.number for trial in trials_of(journal.events()) if trial.finished}
            resumed, called_again, learnt = run(journal, make, trials, limits=limits)
            assert resumed == whole, count
            assert called_again == [call for trial, call in enumerate(called) if trial not in finished]  # seeds too
            if make is learning:
                assert learnt.state() == strategy.state()
            again, before = ([(e.trial, e.event) for e in these] for these in (journal.events(), events))
            assert lasting(again) == lasting(before)


def test_what_was_running_is_marked_as_stale_before_it_runs_again(tmp_path):
    with Journal(tmp_path / "journal.sqlite", {}) as journal:
        run(journal, stubborn, 1)
        first = next(journal.events())
    with Journal(tmp_path / "cut.sqlite", {}) as journal:
        journal.append(0, "proposed", first.data)
        journal.append(0, "running")
        run(journal, stubborn, 1)
        assert [event.event for event in journal.events()] == ["proposed", "running", "stale", "running", "done"]


def test_more_trials_extend_a_search_and_fewer_change_nothing(tmp_path):
    with Journal(tmp_path / "journal.sqlite", {}) as journal:
        first, _, _ = run(journal, lambda trials: Random(BlockQNN(), trials), 4)
        more, called, _ = run(journal, lambda trials: Random(BlockQNN(), trials), 7)
        assert (more[:4], len(more), len(called)) == (first, 7, 3)
        assert run(journal, lambda trials: Random(BlockQNN(), trials), 2)[:2] == (more, [])


def calls(folder):
    """(process, hash) of every evaluation that has begun."""
    file = folder.with_suffix(".calls")
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def test_a_killed_driver_leaves_no_workers_and_its_search_goes_on(tmp_path):
    folder = tmp_path / "run"
    code = f"from tests.search.synthetic import drive; drive({str(folder)!r}, trials=9, seconds=0.3)"
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        end = time.monotonic() + 60
        while len(calls(folder)) < 5 and time.monotonic() < end:
            assert driver.poll() is None
            time.sleep(0.02)
    finally:
        driver.kill()
        driver.wait()
    begun = calls(folder)
    assert len(begun) >= 5
    assert gone([pid for pid, _ in begun])

    settings, trials = read_run(folder)
    finished = {trial.genotype.hash for trial in trials if trial.finished}
    assert settings == {"of": "a test", "trials": 9}
    assert 3 <= len(finished) < 9
    left = read_leases(folder)  # the driver could take none back
    assert {trial.number for trial in trials if trial.status == "running"} >= set(left)
    assert {lease.pid for lease in left.values()} <= {pid for pid, _ in begun}

    drive(str(folder), trials=9, seconds=0.0, resume=True)
    _, trials = read_run(folder)
    assert [trial.status for trial in trials] == ["done"] * 9
    assert len({trial.genotype.hash for trial in trials}) == 9
    with Journal(folder / JOURNAL, read_only=True) as journal:
        assert sorted(event.trial for event in journal.events() if event.event == "done") == list(range(9))
        journal.check()
        assert journal.leases() == {}
    again = [hash for _, hash in calls(folder)[len(begun) :]]
    assert len(again) == len(set(again)) == 9 - len(finished)
    assert not finished & set(again)
