"""The trials of a search, as its journal tells them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from automl_cells.errors import GenotypeError, JournalError
from automl_cells.genotypes import Genotype, from_document
from automl_cells.search.journal import Event

_MOST_EPOCHS = 10**9
_COLUMNS = frozenset(("trial", "status", "reward", "seconds", "repeats", "stopped_after", "failure", "hash"))


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
        metrics: see the evaluator; the numbers among what a journal has under this name.
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
        return self.stopped_after is not None

    @property
    def stopped_after(self) -> int | None:
        """After how many epochs its training was stopped early, ``None`` if it was not.

        An evaluator of somebody else's may call by this name what is no count of epochs: it says nothing here.
        """
        epochs = self.details.get("stopped_after")
        return epochs if type(epochs) is int and 0 < epochs <= _MOST_EPOCHS else None

    @property
    def guesses(self) -> Mapping[str, float]:
        """By epochs, the accuracies in per cent that its learning curve promised; none where anything else is there."""
        guesses = self.details.get("guesses")
        if not isinstance(guesses, Mapping) or not all(map(_is_finite, guesses.values())):
            return {}
        return {epochs: float(guess) for epochs, guess in guesses.items()}

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
                reward=_finite(data, "reward"),
                metrics=_numbers(_of_type(data, "metrics", dict)),
                seconds=_finite(data, "seconds"),
                failure=_of_type(data, "failure", str, type(None)),
                details=_of_type(data, "details", dict),
                ended=event.time,
            )

    def to_row(self) -> dict[str, Any]:
        """A flat, JSON-able row for tables; metrics and notes take the place of nothing else in it."""
        return {
            "trial": self.number,
            "status": self.status,
            "reward": self.reward,
            **{name: value for name, value in self.metrics.items() if name not in _COLUMNS},
            "seconds": self.seconds,
            "repeats": self.repeats,
            **({"stopped_after": self.stopped_after} if self.stopped else {}),
            **{
                name: value
                for name, value in self.info.items()
                if isinstance(value, int | float | str) and name not in _COLUMNS
            },
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
            decisions_from_json(_of_type(data, "decisions", list, tuple)),
            _of_type(data, "info", dict),
            _of_type(data, "proposal", int),
            started=event.time,
        )


def _is_finite(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    if type(value) is not float and type(value) is not int:
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _finite(data: Mapping[str, Any], name: str) -> float:
    value = data[name]
    if not _is_finite(value):
        raise TypeError(f"{name} {value!r:.80}")
    return value


def _of_type(data: Mapping[str, Any], name: str, *types: type) -> Any:
    value = data[name]
    if type(value) not in types:  # True is no number here
        raise TypeError(f"{name} {value!r:.80}")
    return value


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics that are finite numbers: an evaluator of somebody else's may have written any JSON."""
    if all(map(_is_finite, metrics.values())):
        return metrics
    return {name: value for name, value in metrics.items() if _is_finite(value)}


@contextlib.contextmanager
def _whole(event: Event) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, RecursionError, GenotypeError) as error:
        raise _damaged(event, error) from None


def _damaged(event: Event, error: Exception) -> JournalError:
    return JournalError(f"Expected event {event.number} of the journal to be whole. Received: {error!r}")


def trials_of(events: Iterable[Event]) -> list[Trial]:
    """All trials in the order of their numbers.

    Raises:
        JournalError: an event is damaged.
    """
    trials: dict[int, Trial] = {}
    for event in events:
        if event.event == "proposed":
            trials[event.trial] = proposed(event)
        elif event.trial in trials:
            trials[event.trial] = trials[event.trial].after(event)
        else:
            raise _damaged(event, KeyError(event.trial))
    return [trials[number] for number in sorted(trials)]


def best_trials(trials: Iterable[Trial], count: int = 1) -> list[Trial]:
    """The finished trials of the largest reward, the earlier one first where they tie.

    Those that were stopped early, whose reward is a guess, come after all others.
    """
    done = [trial for trial in trials if trial.status == "done"]
    return sorted(done, key=lambda trial: (trial.stopped, -(trial.reward or 0.0), trial.number))[:count]
