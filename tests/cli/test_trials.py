"""`automl-cells trials` on journals written for it: the front, the picture, and a search that is watched."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from filelock import FileLock
from rich.console import Console

from automl_cells.cli import trials as cli_trials
from automl_cells.cli import watch
from automl_cells.cli.main import main
from automl_cells.errors import AutoMLCellsError, JournalError
from automl_cells.genotypes import to_document
from automl_cells.search import read_run
from automl_cells.search.journal import Journal
from tests.search.synthetic import block

# (parameters, accuracy, memory) of the trials; of the last two one failed, and one was stopped with a guess
DONE = [(300, 80.0, 64), (100, 60.0, 16), (200, 55.0, 32), (400, 90.0, 128), (100, 60.0, 8)]
FAILED, STOPPED = 5, 6


def answer(journal: Journal, number: int, metrics: Mapping[str, float], failure: str | None = None, **details: Any):
    journal.append(
        number,
        "failed" if failure else "done",
        {
            "reward": metrics.get("accuracy", 10.0),
            "metrics": dict(metrics),
            "seconds": 1.5,
            "failure": failure,
            "details": details,
        },
    )


def propose(journal: Journal, number: int) -> None:
    data = {"proposal": number, "genotype": to_document(block(number)), "decisions": [number], "info": {}}
    journal.append(number, "proposed", data)
    journal.append(number, "running", {})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "a_run"
    with Journal(folder / "journal.sqlite", {"trials": 7}) as journal:
        for number, (parameters, accuracy, memory) in enumerate(DONE):
            propose(journal, number)
            answer(journal, number, {"parameters": parameters, "accuracy": accuracy, "memory": memory})
        propose(journal, FAILED)
        answer(journal, FAILED, {"parameters": 1}, "out of memory\n\x1b[31m")
        propose(journal, STOPPED)
        answer(journal, STOPPED, {"parameters": 2, "accuracy": 99.0, "memory": 1}, stopped_after=3)
    return folder


def status(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["automl-cells", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def rows(monkeypatch, capsys, *arguments: object) -> list[dict[str, Any]]:
    assert status(monkeypatch, "trials", *arguments, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_without_options_all_trials_are_listed(run, monkeypatch, capsys):
    found = rows(monkeypatch, capsys, run)
    assert [row["trial"] for row in found] == list(range(7))
    assert [row["status"] for row in found] == ["done"] * 5 + ["failed", "done"]
    ranked = rows(monkeypatch, capsys, run, "--sort", "parameters")
    assert [row["trial"] for row in ranked] == [3, 0, 2, 1, 4, STOPPED, FAILED]


def test_only_the_front_is_printed_in_its_order_in_every_format(run, monkeypatch, capsys):
    assert [row["trial"] for row in rows(monkeypatch, capsys, run, "--pareto", "params,accuracy")] == [1, 4, 0, 3]
    assert [row["trial"] for row in rows(monkeypatch, capsys, run, "--pareto", "accuracy, params")] == [3, 0, 1, 4]
    assert [row["trial"] for row in rows(monkeypatch, capsys, run, "--pareto", "memory,accuracy")] == [4, 0, 3]
    assert status(monkeypatch, "trials", run, "--pareto", "params,accuracy", "--format", "csv") == 0
    assert [row["parameters"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == [
        "100", "100", "300", "400",
    ]  # fmt: skip
    assert status(monkeypatch, "trials", run, "--pareto", "params,accuracy") == 0
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines()[3:7]] == ["1", "4", "0", "3"]


def test_the_front_is_drawn(run, monkeypatch, capsys, tmp_path):
    path = tmp_path / "front.svg"
    assert [r["trial"] for r in rows(monkeypatch, capsys, run, "--pareto", "params,accuracy", "--svg", path)]
    assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pareto", "speed"], "Expected metrics among ['reward', 'parameters', 'accuracy', 'memory', 'seconds']. "
         "Received: speed"),
        (["--pareto", ","], "Received: none"),
        (["--pareto", "params,parameters"], "Received: parameters twice"),
        (["--pareto", "params", "--sort", "reward"], "Expected --pareto without --sort, since its first metric sorts. "
         "Received: reward"),
        (["--svg", "x.svg"], "Expected --svg with --pareto METRIC,METRIC. Received: x.svg without"),
        (["--pareto", "params", "--svg", "x.svg"], "Expected two metrics"),
        (["--format", "xml"], "Received: xml"),
        (["--sort", "speed"], "Received: speed"),
        (["--watch", "--format", "csv"], "Expected --watch alone or with --sort. Received: --format csv"),
        (["--watch", "--pareto", "params"], "Received: --pareto"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_in_one_line(run, monkeypatch, capsys, arguments, message):
    assert status(monkeypatch, "trials", run, *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


def test_a_search_of_failures_has_no_front(tmp_path, monkeypatch, capsys):
    with Journal(tmp_path / "journal.sqlite", {"trials": 1}) as journal:
        propose(journal, 0)
        answer(journal, 0, {}, "no luck")
    assert status(monkeypatch, "trials", tmp_path, "--pareto", "params,accuracy") == 2
    assert "at least one candidate done" in capsys.readouterr().err


def test_a_watched_search_that_is_done_prints_a_line_a_trial_and_ends(run, monkeypatch, capsys):
    assert status(monkeypatch, "trials", run, "--watch") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1/7  trial 0 done · reward 80.00 · accuracy 80.00 % · 300 parameters · 1.5 s"
    assert lines[FAILED].startswith("6/7  trial 5 failed: out of memory")
    assert "\x1b" not in lines[FAILED]
    assert lines[7:] == ["7 of 7 finished"]


def test_a_search_is_watched_while_it_runs(tmp_path):
    """Another process writes; the one that watches prints each trial once, and ends with the search."""
    with Journal(tmp_path / "journal.sqlite", {"trials": 3}) as journal, FileLock(tmp_path / ".lock"):
        propose(journal, 0)
        command = [sys.executable, "-m", "automl_cells.cli.main", "trials", str(tmp_path), "--watch"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            for number in range(3):
                answer(journal, number, {"accuracy": 50.0 + number})
                assert f"trial {number} done" in watching.stdout.readline()
                assert watching.poll() is None or number == 2
                if number < 2:
                    propose(journal, number + 1)
            assert watching.stdout.read() == "3 of 3 finished\n"
            assert watching.wait(timeout=60) == 0


def test_a_search_without_trials_is_no_error_and_an_interrupt_ends_watching(tmp_path, monkeypatch, capsys):
    Journal(tmp_path / "journal.sqlite", {"trials": 3}).close()
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)
    with FileLock(tmp_path / ".lock"):
        assert status(monkeypatch, "trials", tmp_path, "--watch") == 0
    assert naps == [watch.POLL_SECONDS] * 3
    assert capsys.readouterr().out == ""


def test_a_search_that_has_stopped_is_not_waited_for(tmp_path, monkeypatch, capsys):
    with Journal(tmp_path / "journal.sqlite", {"trials": 3}) as journal:
        propose(journal, 0)
        answer(journal, 0, {"accuracy": 50.0})
    assert status(monkeypatch, "trials", tmp_path, "--watch") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1/3  trial 0 done")
    assert lines[1:] == [f"1 of 3 finished; no search is running in {tmp_path}, --resume goes on"]


def test_nothing_to_watch_is_refused(tmp_path):
    with pytest.raises(JournalError, match="a folder with a search in it"):
        watch.watch(tmp_path, lambda trials, fit: "", Console(file=io.StringIO()))


def test_on_a_terminal_the_table_is_drawn_until_the_end(tmp_path):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=20)
    drawn: list[tuple[int, int]] = []

    def draw(trials, fit):
        drawn.append((len(trials), fit))
        return f"<{len(trials)} trials>"

    with Journal(tmp_path / "journal.sqlite", {"trials": 2}) as journal, FileLock(tmp_path / ".lock"):
        propose(journal, 0)
        watching = threading.Thread(target=watch.watch, args=(tmp_path, draw, console, 0.05), daemon=True)
        watching.start()
        deadline = time.monotonic() + 30
        while not drawn and time.monotonic() < deadline:
            time.sleep(0.01)
        answer(journal, 0, {"accuracy": 50.0})
        propose(journal, 1)
        answer(journal, 1, {"accuracy": 60.0})
        watching.join(timeout=30)
        assert not watching.is_alive()
    assert drawn[0] == (1, 14)
    assert drawn[-1] == (2, 14)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())  # without colours and movements
    assert "<1 trials>\n0 of 2 finished · Ctrl-C stops watching, not the search" in shown
    assert shown.endswith("<2 trials>\n2 of 2 finished\n")


def test_a_terminal_shows_what_workers_do_and_whether_they_are_heard_of(tmp_path):
    with Journal(tmp_path / "journal.sqlite", {"trials": 40}) as journal:
        assert watch._workers(tmp_path) == []
        for number in range(2):
            propose(journal, number)
            journal.renew(number, 1 - number, 4711)
        assert watch._workers(tmp_path) == ["Workers: 0 → trial 1 · 1 → trial 0"]
        with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
            connection.execute("UPDATE leases SET renewed = renewed - 100 WHERE trial = 1")
        connection.close()
        assert re.fullmatch(
            r"Workers: 0 → trial 1 \(no sign of life for 10\d s\) · 1 → trial 0", *watch._workers(tmp_path)
        )
        for number in range(2, 20):
            propose(journal, number)
            journal.renew(number, number, 4711)
        assert watch._workers(tmp_path)[0].endswith("15 → trial 15 · and 4 more")


def test_a_terminal_shows_the_newest_or_the_first_of_a_column(run, monkeypatch):
    tables = []

    def look(folder, draw, console):
        tables.append(draw(read_run(folder)[1], 3))

    monkeypatch.setattr(watch, "watch", look)
    cli_trials.trials(run, watch=True)
    cli_trials.trials(run, sort="parameters", watch=True)
    newest, largest = (list(table.columns[0].cells) for table in tables)
    assert newest == ["4", "5", "6"]
    assert largest == ["3", "0", "2"]
    with pytest.raises(AutoMLCellsError, match=r"Expected --sort by one of .* Received: speed$"):
        cli_trials.trials(run, sort="speed", watch=True)


@pytest.mark.parametrize(
    ("width", "asked", "expected"),
    [
        (
            200,
            [],
            [
                "trial",
                "status",
                "reward",
                "parameters",
                "accuracy",
                "memory",
                "seconds",
                "repeats",
                "hash",
                "stopped_after",
            ],
        ),
        (80, [], ["trial", "status", "reward", "parameters", "accuracy", "memory", "hash"]),
        (80, ["seconds"], ["trial", "status", "reward", "parameters", "accuracy", "seconds", "hash"]),
        (20, [], ["trial", "status", "reward", "parameters", "accuracy", "hash"]),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns_not_shorter_numbers(run, width, asked, expected):
    found = [trial.to_row() for trial in read_run(run)[1] if trial.status == "done"]
    table = cli_trials._table(found, Console(file=io.StringIO(), width=width), asked)
    assert [column.header for column in table.columns] == expected


def test_a_search_without_trials_says_so_in_a_table(tmp_path, monkeypatch, capsys):
    Journal(tmp_path / "journal.sqlite", {"trials": 3}).close()
    assert status(monkeypatch, "trials", tmp_path) == 0
    assert capsys.readouterr().out == "No candidate yet.\n"
    assert rows(monkeypatch, capsys, tmp_path) == []


def test_notes_of_an_evaluator_of_ones_own_do_no_harm(tmp_path, monkeypatch, capsys):
    with Journal(tmp_path / "journal.sqlite", {"trials": 1}) as journal:
        propose(journal, 0)
        answer(journal, 0, {"accuracy": 50.0, "parameters": "many"}, stopped_after="x", guesses=[1])
    assert status(monkeypatch, "trials", tmp_path, "--pareto", "accuracy") == 0
    assert "50.00" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["trials", "best", "report"])
@pytest.mark.parametrize(
    ("known", "expected"),
    [({"trials": "abc"}, "the setting trials 'abc'"), ({"dataset": "digits"}, "the setting dataset")],
)
def test_a_damaged_journal_is_refused_in_one_line(tmp_path, monkeypatch, capsys, command, known, expected):
    with Journal(tmp_path / "journal.sqlite", {}) as journal:
        propose(journal, 0)
        answer(journal, 0, {"accuracy": 50.0})
        journal.change(**known)
    assert status(monkeypatch, command, tmp_path) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), expected in err) == (1, True)


def test_the_best_of_a_journal_that_lacks_settings_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    with Journal(tmp_path / "journal.sqlite", {"of": "a test"}) as journal:
        propose(journal, 0)
        answer(journal, 0, {"accuracy": 50.0})
    assert status(monkeypatch, "best", tmp_path) == 2
    assert "Received: none named 'space'" in capsys.readouterr().err
    assert status(monkeypatch, "trials", tmp_path, "--watch") == 0


@pytest.mark.parametrize("command", ["trials", "show", "report"])
def test_a_run_whose_operations_are_an_extensions_says_how_to_load_it(tmp_path, monkeypatch, capsys, command):
    with Journal(tmp_path / "journal.sqlite", {"trials": 1}) as journal:
        propose(journal, 0)
        layers = "'$.genotype.layers', json('[[1, 163, 3, 0, 0], [2, 7, 0, 0, 0]]')"
        journal._connection.execute(f"UPDATE events SET data = json_set(data, {layers}) WHERE event = 'proposed'")
    assert status(monkeypatch, command, tmp_path) == 2
    assert "163 (operations of extensions: set AUTOML_CELLS_EXTENSIONS)" in capsys.readouterr().err
