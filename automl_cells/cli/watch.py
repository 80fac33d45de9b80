"""`automl-cells trials RUN --watch`: the trials of a search while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automl_cells.cli.console import printable, say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from automl_cells.search.trials import Trial

POLL_SECONDS = 2.0  # between two looks at the journal, which is read anew each time
_BESIDE_ROWS = 5  # lines of a terminal that neither are rows of the table nor stand below it: its head, the prompt
_WORKERS = 16  # of so many it is said what they do

Draw = Callable[["Sequence[Trial]", int], "RenderableType"]
"""The trials, and how many rows fit → the table."""


def watch(run: Path, draw: Draw, console: Console, poll: float = POLL_SECONDS) -> None:
    """Follow a search until all its trials have their answers, it has stopped, or Ctrl-C.

    The journal is only read, so the search does not notice. On a terminal the table is drawn again and again; elsewhere
    one line is printed for every trial that has got its answer since the last look.

    Args:
        run: the folder of a search.
        draw: makes the table.
        console: of standard output.
        poll: seconds between two looks.

    Raises:
        JournalError: no search in that folder, or its journal is damaged.
    """
    try:
        if console.is_terminal:
            _follow_on_terminal(run, draw, console, poll)
        else:
            _follow_on_pipe(run, poll)
    except KeyboardInterrupt:  # this is how one stops to watch
        return


def _read(run: Path) -> tuple[list[Trial], int, bool]:
    """All trials, how many there will be, and whether no more will come: all have answers, or nobody asks."""
    from automl_cells.search import read_run
    from automl_cells.search.run_folder import searching

    under_way = searching(run)  # first: what it wrote before it ended is read then
    settings, trials = read_run(run)
    total = max(int(settings.get("trials", 0)), len(trials))
    return trials, total, not under_way or sum(trial.finished for trial in trials) >= total


def _last_word(run: Path, trials: Sequence[Trial], total: int) -> str:
    finished = sum(trial.finished for trial in trials)
    rest = "" if finished >= total else f"; no search is running in {run}, --resume goes on"
    return f"{finished} of {total} finished{rest}"


def _follow_on_terminal(run: Path, draw: Draw, console: Console, poll: float) -> None:
    from rich.console import Group
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        while True:
            trials, total, ended = _read(run)
            state = f"{sum(trial.finished for trial in trials)} of {total} finished"
            lines = [f"{state} · Ctrl-C stops watching, not the search", *_workers(run)]
            if ended:
                lines = [_last_word(run, trials, total)]
            fit = max(1, console.height - _BESIDE_ROWS - len(lines))
            live.update(Group(draw(trials, fit), *lines), refresh=True)
            if ended:
                return
            time.sleep(poll)


def _workers(run: Path) -> list[str]:
    """A line about those who have a trial, as their leases tell."""
    from automl_cells.search.run_folder import read_leases

    leases = sorted(read_leases(run).values(), key=lambda lease: lease.worker)
    told = [
        f"{lease.worker} → trial {lease.trial}"
        + ("" if lease.live() else f" (no sign of life for {max(0.0, time.time() - lease.renewed):.0f} s)")
        for lease in leases
    ]
    if not told:
        return []
    more = f" · and {len(told) - _WORKERS} more" if len(told) > _WORKERS else ""
    return ["Workers: " + " · ".join(told[:_WORKERS]) + more]


def _follow_on_pipe(run: Path, poll: float) -> None:
    told: set[int] = set()
    while True:
        trials, total, ended = _read(run)
        news = [trial for trial in trials if trial.finished and trial.number not in told]
        for trial in sorted(news, key=lambda trial: (trial.ended or 0.0, trial.number)):
            told.add(trial.number)
            say(f"{len(told)}/{total}  {_line(trial)}")
        if ended:
            say(_last_word(run, trials, total))
            return
        time.sleep(poll)


def _line(trial: Trial) -> str:
    """What came of one trial."""
    if trial.status == "failed":
        return printable(f"trial {trial.number} failed: {trial.failure}").replace("\n", " ")
    parts = [f"trial {trial.number} done", f"reward {trial.reward or 0.0:.2f}"]
    if "accuracy" in trial.metrics:
        parts.append(f"accuracy {trial.metrics['accuracy']:.2f} %")
    if "parameters" in trial.metrics:
        parts.append(f"{trial.metrics['parameters']:,.0f} parameters")
    parts.append(f"{trial.seconds or 0.0:.1f} s")
    return " · ".join(parts)
