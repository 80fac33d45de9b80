"""What a report says of a search: its settings and trials, how far it is, and what can be counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from automl_cells.datasets import without_folder
from automl_cells.report.bounded import bounded
from automl_cells.search import read_run
from automl_cells.search.run_folder import searching
from automl_cells.search.trials import Trial, best_trials

_MOST_TRIALS = 10**9
_STARTS = 120.0  # seconds within which a worker begins with a candidate, its own start included


@dataclass(frozen=True)
class RunFacts:
    """A search as its journal tells it at one moment.

    Attributes:
        run: the run folder, as the user wrote it.
        settings: what the search was started with; a journal of other makers may lack any of them.
        trials: in the order of their numbers; their numbers are `bounded`.
        running: whether a search is at work in the folder.
        written: Unix time in seconds of that moment.
    """

    run: Path
    settings: Mapping[str, Any]
    trials: Sequence[Trial]
    running: bool
    written: float

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.run.resolve().name

    @property
    def space(self) -> str:
        """The name of the search space, or ``""``."""
        return _name(self.settings.get("space"))

    @property
    def strategy(self) -> str:
        """The name of the search strategy, or ``""``."""
        return _name(self.settings.get("strategy"))

    @property
    def dataset(self) -> str:
        """The words of the data set without the folder that it lies in, or ``""``."""
        data = self.settings.get("dataset")
        return without_folder(str(data["words"])) if isinstance(data, Mapping) and "words" in data else ""

    @property
    def public_settings(self) -> dict[str, Any]:
        """The settings for readers elsewhere, who need not know in which folder the data lie here."""
        data = self.settings.get("dataset")
        known = {"dataset": {**data, "words": self.dataset}} if isinstance(data, Mapping) and "words" in data else {}
        return {**self.settings, **known}

    @property
    def reward(self) -> str:
        """The name of the reward, or ``""``."""
        return str(self.settings.get("reward", ""))

    @property
    def total(self) -> int:
        """How many trials the search is to have."""
        trials = self.settings.get("trials")
        return max(min(trials, _MOST_TRIALS) if type(trials) is int else 0, len(self.trials))

    @cached_property
    def done(self) -> list[Trial]:
        """The trials that succeeded."""
        return [trial for trial in self.trials if trial.status == "done"]

    @cached_property
    def measured(self) -> list[Trial]:
        """The trials that succeeded and were trained to their end: accuracies of the others are guesses."""
        return [trial for trial in self.done if not trial.stopped]

    @cached_property
    def stopped(self) -> list[Trial]:
        """The trials whose training was stopped early."""
        return [trial for trial in self.done if trial.stopped]

    @cached_property
    def failed(self) -> list[Trial]:
        """The trials that failed."""
        return [trial for trial in self.trials if trial.status == "failed"]

    @cached_property
    def finished(self) -> list[Trial]:
        """The trials that have their answer."""
        return [trial for trial in self.trials if trial.finished]

    @cached_property
    def best(self) -> Trial | None:
        """The trial of the largest reward; a guess comes after every measurement."""
        return next(iter(best_trials(self.trials)), None)

    @property
    def state(self) -> str:
        """``running``, ``done``, or ``stopped``: before it had all its trials."""
        if len(self.finished) >= self.total > 0:
            return "done"
        return "running" if self.running else "stopped"

    @property
    def progress(self) -> str:
        """``running, 34 of 60``."""
        return f"{self.state}, {len(self.finished)} of {self.total}"

    @cached_property
    def busy_seconds(self) -> float:
        """Wall-clock time in which at least one candidate was under way, from its proposal to its answer.

        The pause between a stop and ``--resume`` is no part of it: of a candidate that was proposed long before its
        evaluation began, only the evaluation counts.
        """
        busy, until = 0.0, float("-inf")
        for begin, end in sorted(_span(trial, trial.ended) for trial in self.finished if trial.ended is not None):
            busy += max(0.0, end - max(begin, until))
            until = max(until, end)
        return busy

    @property
    def per_hour(self) -> float | None:
        """Candidates finished an hour of `busy_seconds`, all workers together."""
        return len(self.finished) / self.busy_seconds * 3600 if self.busy_seconds > 0 else None


def read_facts(run: str | Path) -> RunFacts:
    """The facts of a run folder, whose journal is only read; also while its search runs.

    Raises:
        JournalError: no search in that folder, or its journal is damaged.
    """
    settings, trials = read_run(run)
    running = searching(run)  # after it is known that this is a run folder: looking leaves a lock file
    if running:
        settings, trials = read_run(run)
    return RunFacts(Path(run), settings, [_within_bounds(trial) for trial in trials], running, time.time())


def _within_bounds(trial: Trial) -> Trial:
    """The trial with numbers that can be added and drawn."""
    return replace(
        trial,
        reward=bounded(trial.reward),
        seconds=bounded(trial.seconds),
        started=bounded(trial.started),
        ended=bounded(trial.ended),
        metrics={name: bounded(value) for name, value in trial.metrics.items()},
        info={name: bounded(value) for name, value in trial.info.items()},
    )


def _span(trial: Trial, ended: float) -> tuple[float, float]:
    """Unix times between which a trial was under way."""
    evaluated = ended - (trial.seconds or 0.0)
    waited = evaluated - trial.started
    return (trial.started if 0 < waited <= _STARTS else evaluated), ended


def _name(setting: Any) -> str:
    return str(setting.get("name", "")) if isinstance(setting, Mapping) else ""
