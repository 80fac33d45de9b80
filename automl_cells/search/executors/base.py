"""An executor evaluates jobs somewhere and returns the answers as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from automl_cells.evaluation.base import Evaluation
from automl_cells.evaluation.early_stopping import StopRule
from automl_cells.genotypes import Genotype, from_document, to_document


class Job(NamedTuple):
    """One candidate to evaluate: the number of its trial, the genotype, the seed of its training, when to stop it."""

    trial: int
    genotype: Genotype
    seed: int
    rule: StopRule | None = None

    def to_document(self) -> dict[str, Any]:
        """As JSON-able data, which goes to a worker."""
        return {
            "trial": self.trial,
            "genotype": to_document(self.genotype),
            "seed": self.seed,
            "rule": None if self.rule is None else self.rule.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Job:
        """The inverse of `to_document`."""
        rule = document["rule"]
        return cls(
            document["trial"],
            from_document(document["genotype"]),
            document["seed"],
            None if rule is None else StopRule.from_document(rule),
        )


class Answer(NamedTuple):
    """The evaluation of the job of trial `trial`."""

    trial: int
    evaluation: Evaluation


class Executor(ABC):
    """Evaluates up to `slots` jobs at once; answers come in any order, and every job gets one.

    A job whose worker dies or whose evaluator raises is answered with a failed `Evaluation` that says why.

    Attributes:
        slots: how many jobs should be under way for all workers to be busy.
        on_event: who is told what happens to jobs between `submit` and their answers: the trial, what happened, and
            JSON-able data. Called from within `submit` and `next_result` only, in the caller's thread. What happens:

            ``lease``    a worker has the job and is alive: ``worker`` and ``pid``, integers; again every few seconds
            ``stale``    the worker was lost, and the job waits for another one: ``why``, ``worker`` and ``pid``
            ``running``  another worker has the job after that: ``retry`` from 1, ``worker`` and ``pid``
    """

    slots: int
    on_event: Callable[[int, str, dict[str, Any]], None] | None = None

    def _tell(self, trial: int, event: str, **data: Any) -> None:
        """Say what happened to a job, if anyone listens."""
        if self.on_event is not None:
            self.on_event(trial, event, data)

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Hand over one job."""

    @abstractmethod
    def next_result(self, timeout: float | None = None) -> Answer | None:
        """The next answer.

        Args:
            timeout: seconds to wait; ``None`` waits as long as it takes.

        Returns:
            ``None`` if the time is over, or nothing is under way.
        """

    @abstractmethod
    def cancel(self, trial: int) -> bool:
        """Give up a job: no answer of it will come. ``False`` if it is not under way any more."""

    @abstractmethod
    def close(self) -> None:
        """Stop at once whatever is under way and give back all processes. A second call does nothing."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
