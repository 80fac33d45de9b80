import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from automl_cells.search import progress as module
from automl_cells.search.progress import SearchProgress
from automl_cells.search.trials import Trial
from tests.search.synthetic import block


def trial(number, reward=None, status="done"):
    metrics = {"accuracy": reward + 1} if reward is not None and status == "done" else {}
    return Trial(number, block(number), (), {}, number, status, reward, metrics, ended=float(number))


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def shown(console):
    return console.file.getvalue().splitlines()


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200, force_terminal=False)


def test_a_file_gets_a_line_now_and_then_with_the_time_left(clock, console):
    with SearchProgress(10, console) as progress:
        progress.update([trial(0, status="running")], 2)
        clock.now += 30
        progress.update([trial(0, 60.0), trial(1, status="running")], 1)
        clock.now += 2  # too soon for another line
        progress.update([trial(0, 60.0), trial(1, 50.0)], 1)
        clock.now += 58
        progress.update([trial(0, 60.0), trial(1, 50.0), trial(2, 10.0, "failed")], 2)
        progress.update([trial(0, 60.0), trial(1, 50.0), trial(2, 10.0, "failed")], 3)  # nothing has finished
    assert shown(console) == [
        "0/10  2 running",
        "1/10  best reward 60.00 (accuracy 61.0 %) · last 60.00 · 1 running · 4:30 left",
        "3/10  best reward 60.00 (accuracy 61.0 %) · last failed · 1 failed · 2 running · 3:30 left",
    ]


def test_the_last_line_is_always_written_and_has_no_time_left(clock, console):
    with SearchProgress(2, console) as progress:
        progress.update([], 1)
        clock.now += 10
        progress.update([trial(0, 60.0)], 1)
        clock.now += 0.1
        progress.update([trial(0, 60.0), trial(1, 70.0)], 0)
    assert shown(console)[-1] == "2/2  best reward 70.00 (accuracy 71.0 %) · last 70.00 · 0 running"
    assert len(shown(console)) == 2


def test_what_an_earlier_session_did_does_not_count_into_the_time_left(clock, console):
    before = [trial(number, 50.0) for number in range(6)]
    with SearchProgress(10, console) as progress:
        progress.update(before, 1)
        clock.now += 20
        progress.update([*before, trial(6, 40.0)], 1)
    assert shown(console)[0] == "6/10  1 running"
    assert shown(console)[1:] == ["7/10  best reward 50.00 (accuracy 51.0 %) · last 40.00 · 1 running · 1:00 left"]


def test_a_budget_bounds_the_time_left(clock, console):
    with SearchProgress(1000, console, budget=100.0) as progress:
        progress.update([], 1)
        clock.now += 40
        progress.update([trial(0, 60.0)], 1)
        clock.now += 80  # what is under way goes on after it
        progress.update([trial(0, 60.0), trial(1, 60.0)], 0)
    assert [line.rpartition(" · ")[2] for line in shown(console)] == ["1:00 left", "0:00 left"]


def test_the_last_is_the_one_that_ended_last(clock, console):
    first = Trial(0, block(0), (), {}, 0, "done", 33.0, {"accuracy": 33.0}, ended=50.0)
    with SearchProgress(9, console) as progress:
        progress.update([], 1)
        clock.now += 9
        progress.update([first, trial(1, 44.0)], 1)
    assert "last 33.00" in shown(console)[0]


def test_a_terminal_gets_a_bar(clock):
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    with SearchProgress(4, console) as progress:
        progress.update([], 1)
        clock.now += 30
        progress.update([trial(0, 60.0)], 1)
    text = console.file.getvalue()
    assert "starting workers" in text
    assert "1/4" in text
    assert "best reward 60.00" in text
    assert "1:30 left" in text
