"""What is counted of a search, its commands, and numbers and places on the page."""

from __future__ import annotations

import doctest
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from automl_cells.cli.main import app, main
from automl_cells.report.page import numbers
from automl_cells.report.page.commands import commands
from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.scale import Scale, without_outliers
from automl_cells.search import api
from automl_cells.search.trials import Trial
from tests.report.runs import genotypes, settings


def trial(number: int, **changes: Any) -> Trial:
    return Trial(number, genotypes(1)[0], (), {}, number, **changes)


def facts_of(found: dict[str, Any], trials: list[Trial], run: str = "runs/mine", running: bool = False) -> RunFacts:
    return RunFacts(Path(run), found, trials, running, 0.0)


def done(number: int, began: float, ended: float, **changes: Any) -> Trial:
    return trial(number, status="done", reward=50.0, seconds=ended - began, ended=ended, **changes)


def test_pauses_are_no_part_of_the_time_that_a_search_took():
    trials = [
        done(0, 1000, 1010, started=990.0),  # a worker had to start
        done(1, 1005, 1020, started=1001.0),
        done(2, 3600, 3620, started=1015.0),  # stale meanwhile
    ]
    facts = facts_of(settings(3), trials)
    assert facts.busy_seconds == 50
    assert facts.per_hour == 216


@pytest.mark.parametrize(
    ("statuses", "total", "running", "state"),
    [
        (["done", "failed"], 2, False, "done"),
        (["done", "failed"], 2, True, "done"),
        (["done", "running"], 2, True, "running"),
        (["done", "stale"], 2, False, "stopped"),
        ([], 5, False, "stopped"),
    ],
)
def test_how_far_a_search_is(statuses, total, running, state):
    trials = [trial(number, status=status) for number, status in enumerate(statuses)]
    assert facts_of(settings(total), trials, running=running).state == state


def test_a_guess_is_not_the_best_as_long_as_there_is_a_measurement():
    guess = trial(0, status="done", reward=99.0, details={"stopped_after": 3})
    assert facts_of(settings(2), [guess, done(1, 0, 1)]).best.number == 1
    assert facts_of(settings(2), [guess]).best.number == 0


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """The command and the parameters that a line means; what the command line does not know raises."""
    program, name, *words = shlex.split(line)
    assert program == "automl-cells"
    command = typer.main.get_command(app).commands[name]
    context = command.make_context(name, words, resilient_parsing=False)
    return name, context.params


@pytest.mark.parametrize("run", ["runs/mine", "runs/it's mine; rm $HOME", ".", "/abs/run"])
def test_every_command_is_one_that_the_command_line_knows(run):
    facts = facts_of(settings(2), [done(0, 0, 1), done(1, 1, 2)], run)
    found = [parsed(command.line) for command in commands(facts)]
    assert [name for name, _ in found] == ["trials", "show", "best", "finetune-top", "train", "export", "search"]
    by_name = dict(found)
    assert by_name["trials"]["run"] == Path(run)
    assert by_name["train"]["genotype"] == str(Path(run))
    assert by_name["export"]["entry"] == str(by_name["train"]["out"])
    assert by_name["search"] | {"resume": True, "trials": 4, "out": Path(run)} == by_name["search"]


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("digits", None),
        ("digits?train=500&seed=1", "digits?train=500&seed=1"),
        ("folder:my photos?size=32", "folder:my photos?size=32"),
    ],
)
def test_an_export_is_told_where_images_lie_that_are_not_the_packages_own(words, given):
    facts = facts_of(settings(1, dataset={"words": words, "fingerprint": "sha256:0"}), [done(0, 0, 1)], "runs/mine")
    found = dict(parsed(command.line) for command in commands(facts))
    assert found["export"]["dataset"] == given
    assert found["train"]["dataset"] == words


def test_what_a_search_has_not_got_to_offers_no_command():
    names = [command.words[0] for command in commands(facts_of(settings(5), [trial(0)], running=True))]
    assert names == ["trials", "trials"]
    names = [command.words[0] for command in commands(facts_of(settings(5), []))]
    assert names == ["trials", "search"]


def test_arrays_of_a_search_from_python_are_taken_from_its_folder(tmp_path):
    (tmp_path / "dataset.npz").touch()
    facts = facts_of(settings(1), [done(0, 0, 1)], str(tmp_path))
    found = dict(parsed(command.line) for command in commands(facts))
    assert found["train"]["dataset"] == found["search"]["dataset"] == f"npz:{tmp_path}/dataset.npz"


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": {"name": "mine", "epochs": 3}},
        {"protocol": {}},
        {"template": {**settings(1)["template"], "stem": []}},
        {"space": {"name": "mine", "options": {}}},
        {"limits": {"max_colours": 3}},
    ],
)
def test_a_search_that_no_options_describe_is_not_to_be_resumed_by_a_command(changes):
    facts = facts_of({**settings(1), **changes}, [done(0, 0, 1)])
    assert "search" not in [command.words[0] for command in commands(facts)]


class Captured(Exception):
    """Thrown in the place of a search, once its settings are known."""


def settings_of(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> dict[str, Any]:
    """The settings with which ``automl-cells search`` would begin."""
    found: list[dict[str, Any]] = []

    def opened(folder, known, resume):
        found.append(json.loads(json.dumps(known)))  # as the journal would give them back
        raise Captured

    monkeypatch.setattr(api, "opened", opened)
    monkeypatch.setattr(sys, "argv", ["automl-cells", *words])
    with pytest.raises(Captured):
        main()
    return found[0]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--space blockqnn_fast --strategy evolution --strategy-option population=8 --max-latency-ms 0.5 --seed 7",
        "--space blockqnn_fast --no-early-stopping --predictor-filter 1 --reward params_constrained "
        "--reward-option target_params=9000 --repeats 2 --filters 8,16,32 --max-memory 100000",
        "--space nasnet --strategy ppo",
        "--space nasnet --max-latency-ms 12.3456789 --max-params 123456789 --max-memory 1234567",
        "--space metaqnn --space-option filter_multiplier=0.125 --max-flops 20000000",
    ],
)
def test_the_command_that_resumes_has_the_settings_of_the_search(monkeypatch, tmp_path, options):
    begun = ["search", "--dataset", "digits", "--trials", "6", "--out", str(tmp_path / "run"), *options.split()]
    first = settings_of(monkeypatch, begun)
    (command,) = [c for c in commands(facts_of(first, [trial(0)], str(tmp_path / "run"))) if c.words[0] == "search"]
    assert settings_of(monkeypatch, list(command.words)) == first


def test_axes():
    scale = Scale(0.0, 100.0)
    assert [scale.place(value) for value in (-5, 0, 25, 100, 900)] == [0, 0, 0.25, 1, 1]
    assert scale.ticks(5) == [0, 20, 40, 60, 80, 100]
    assert Scale(1, 12).ticks(7, whole=True) == [2, 4, 6, 8, 10, 12]
    assert Scale(-0.5, 2.5).ticks(7, whole=True) == [0, 1, 2]
    assert Scale.around([7.0]).place(7.0) == 0.5


def test_a_few_values_far_below_do_not_set_the_axis():
    assert without_outliers([10.0, *[90.0 + index / 10 for index in range(40)]]) == 90.0
    assert without_outliers([10.0, 50.0, 90.0]) == 10.0
    assert without_outliers([3.0]) == 3.0


def test_numbers_as_people_read_them():
    assert doctest.testmod(numbers).failed == 0
    assert numbers.text("a\n<b> \x1b[31m") == "a &lt;b&gt;  [31m"
    assert [numbers.number(value) for value in (True, float("inf"), "x", -3.0)] == ["True", "inf", "x", "-3.00"]
