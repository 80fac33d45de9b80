"""The progress display of a search: trials done, best so far, last reward, time left."""

from __future__ import annotations

import math
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from automl_cells.search.trials import Trial, best_trials

_LOOK_EVERY = 0.1  # seconds between two looks at the trials, of which there may be thousands
_LINE_EVERY = 5.0  # seconds between two lines where the output is not a terminal


class SearchProgress:
    """An `Observer` that shows a live bar on a terminal, and a line now and then elsewhere.

    Args:
        trials: how many the search will have.
        console: where to print.
        budget: seconds after which nothing new is started; ``None`` for no limit.
    """

    def __init__(self, trials: int, console: Console, budget: float | None = None) -> None:
        self._total = trials
        self._budget = math.inf if budget is None else budget
        self._console = console
        self._start: float | None = None
        self._at_start = 0
        self._shown = 0
        self._last_line = 0.0
        self._last_look = 0.0
        self._seen: tuple[list[Trial], int] = ([], 0)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]search"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting workers …", total=trials)

    def __enter__(self) -> SearchProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show(final=True)
        self._progress.stop()

    def update(self, trials: list[Trial], running: int) -> None:
        """See `Observer.update`."""
        self._seen = (trials, running)
        if time.monotonic() - self._last_look >= _LOOK_EVERY:
            self._show()

    def _show(self, final: bool = False) -> None:
        trials, running = self._seen
        finished = [trial for trial in trials if trial.finished]
        now = self._last_look = time.monotonic()
        if self._start is None:
            self._start, self._at_start = now, len(finished)
            self._shown = len(finished)
            if trials and not self._console.is_terminal:
                self._console.print(f"{len(finished)}/{self._total}  {running} running", highlight=False)
        text = self._text(finished, running)
        self._progress.update(self._task, completed=len(finished), description=text)
        due = final or now - self._last_line >= _LINE_EVERY
        if not self._console.is_terminal and len(finished) > self._shown and due:
            self._console.print(f"{len(finished)}/{self._total}  {text}", highlight=False, soft_wrap=True)
            self._last_line = now
            self._shown = len(finished)

    def _text(self, finished: list[Trial], running: int) -> str:
        parts = []
        best = best_trials(finished)
        if best:
            parts.append(f"best reward {best[0].reward:.2f} (accuracy {best[0].metrics['accuracy']:.1f} %)")
        if finished:
            newest = max(finished, key=lambda trial: trial.ended or 0.0)
            parts.append(f"last {newest.reward:.2f}" if newest.status == "done" else "last failed")
        if failed := sum(trial.status == "failed" for trial in finished):
            parts.append(f"{failed} failed")
        parts.append(f"{running} running")
        parts.append(self._time_left(len(finished)))
        return " · ".join(part for part in parts if part)

    def _time_left(self, finished: int) -> str:
        done = finished - self._at_start
        if self._start is None or not done or finished >= self._total:
            return ""
        passed = time.monotonic() - self._start
        left = min(passed / done * (self._total - finished), max(0.0, self._budget - passed))
        minutes, seconds = divmod(round(left), 60)
        return f"{minutes}:{seconds:02d} left"
