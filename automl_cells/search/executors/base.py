"""An executor evaluates jobs somewhere and returns the answers as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from automl_cells.evaluation.base import Evaluation
from automl_cells.genotypes.base import Genotype


class Job(NamedTuple):
    """One candidate to evaluate: the number of its trial, the genotype and the seed of its training."""

    trial: int
    genotype: Genotype
    seed: int


class Answer(NamedTuple):
    """The evaluation of the job of trial `trial`."""

    trial: int
    evaluation: Evaluation


class Executor(ABC):
    """Evaluates up to `slots` jobs at once; answers come in any order, and every job gets one.

    A job whose worker dies or whose evaluator raises is answered with a failed `Evaluation` that says why.

    Attributes:
        slots: how many jobs should be under way for all workers to be busy.
    """

    slots: int

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
