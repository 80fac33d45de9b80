"""The trials of a search, as its journal tells them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from automl_cells.errors import GenotypeError, JournalError
from automl_cells.genotypes import Genotype, from_document
from automl_cells.search.journal import Event


@dataclass(frozen=True)
class Trial:
    """One distinct genotype that a search tried.

    Attributes:
        number: 0-based.
        genotype: the candidate.
        decisions: the actions that made it.
        info: the strategy's notes, e.g. ``{"epsilon": 0.5}``.
        proposal: number of the proposal, repeats and rejected proposals counted.
        status: ``proposed``, ``running``, ``done``, ``failed`` or ``stale``.
        reward: what the strategy was told, or ``None`` so far.
        metrics: see the evaluator.
        seconds: wall-clock time of the evaluation.
        failure: why it failed.
        details: the evaluator's notes, e.g. the learning curve.
        repeats: how often the same genotype was proposed again.
        started: Unix time in seconds at which it was proposed.
        ended: Unix time in seconds of the answer.
    """

    number: int
    genotype: Genotype
    decisions: tuple[Any, ...]
    info: Mapping[str, Any]
    proposal: int
    status: str = "proposed"
    reward: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    failure: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    repeats: int = 0
    started: float = 0.0
    ended: float | None = None

    @property
    def finished(self) -> bool:
        """Whether the trial has its answer."""
        return self.status in ("done", "failed")

    @property
    def stopped(self) -> bool:
        """Whether its training was stopped early, so that its accuracy is a guess."""
        return "stopped_after" in self.details

    def after(self, event: Event) -> Trial:
        """The trial after one more event of its own.

        Raises:
            JournalError: the event is damaged.
        """
        if event.event == "repeat":
            return replace(self, repeats=self.repeats + 1)
        if event.event not in ("done", "failed"):
            # An interrupt can come right after an answer was written: what is answered stays answered.
            return self if self.finished else replace(self, status=event.event)
        with _whole(event):
            data = event.data
            return replace(
                self,
                status=event.event,
                reward=data["reward"],
                metrics=data["metrics"],
                seconds=data["seconds"],
                failure=data["failure"],
                details=data["details"],
                ended=event.time,
            )

    def to_row(self) -> dict[str, Any]:
        """A flat, JSON-able row for tables."""
        return {
            "trial": self.number,
            "status": self.status,
            "reward": self.reward,
            **self.metrics,
            "seconds": self.seconds,
            "repeats": self.repeats,
            **({"stopped_after": self.details["stopped_after"]} if self.stopped else {}),
            **{name: value for name, value in self.info.items() if isinstance(value, int | float | str)},
            "failure": self.failure,
            "hash": self.genotype.hash,
        }


def decisions_from_json(value: Any) -> Any:
    """JSON lists back to the tuples that they were."""
    return tuple(decisions_from_json(item) for item in value) if isinstance(value, list) else value


def proposed(event: Event) -> Trial:
    """The trial that a ``proposed`` event begins.

    Raises:
        JournalError: the event is damaged.
    """
    with _whole(event):
        data = event.data
        return Trial(
            event.trial,
            from_document(data["genotype"]),
            decisions_from_json(data["decisions"]),
            data["info"],
            data["proposal"],
            started=event.time,
        )


@contextlib.contextmanager
def _whole(event: Event) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, GenotypeError) as error:
        raise JournalError(f"Expected event {event.number} of the journal to be whole. Received: {error!r}") from None


def trials_of(events: Iterable[Event]) -> list[Trial]:
    """All trials in the order of their numbers.

    Raises:
        JournalError: an event is damaged.
    """
    trials: dict[int, Trial] = {}
    for event in events:
        if event.event == "proposed":
            trials[event.trial] = proposed(event)
        else:
            with _whole(event):
                trials[event.trial] = trials[event.trial].after(event)
    return [trials[number] for number in sorted(trials)]


def best_trials(trials: Iterable[Trial], count: int = 1) -> list[Trial]:
    """The finished trials of the largest reward, the earlier one first where they tie.

    Those that were stopped early, whose reward is a guess, come after all others.
    """
    done = [trial for trial in trials if trial.status == "done"]
    return sorted(done, key=lambda trial: (trial.stopped, -(trial.reward or 0.0), trial.number))[:count]
