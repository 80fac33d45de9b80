"""What executors of several workers have in common: jobs that wait, jobs that are tried again, cancelling."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, deque
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from automl_cells.evaluation.base import Evaluation
from automl_cells.search.executors.base import Answer, Executor, Job


class Worker(Protocol):
    """What is known of every worker: its number, its process id once it has one, and the job that it has."""

    number: int
    job: Job | None

    @property
    def pid(self) -> int | None:
        """The number of its process."""


W = TypeVar("W", bound=Worker)


class SeveralWorkers(Executor, Generic[W]):
    """Hands jobs to workers, and to another one where a worker was lost.

    Args:
        retries: how often a job is given to another worker after its own was lost.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._jobs: deque[Job] = deque()
        self._retried: Counter[int] = Counter()  # of each trial under way
        self._workers: list[W] = []

    @abstractmethod
    def _dispatch(self) -> None:
        """Give waiting jobs to workers that are free."""

    @abstractmethod
    def _replace(self, worker: W) -> None:
        """End a worker, whatever it does, and start another in its place."""

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)
        self._dispatch()

    def _given(self, job: Job, worker: W) -> None:
        """Say that a worker has the job now."""
        if job.trial in self._retried:
            self._tell(job.trial, "running", retry=self._retried[job.trial], worker=worker.number, pid=worker.pid)
        self._renewed(job, worker)

    def _renewed(self, job: Job, worker: W) -> None:
        """Say that the worker that has the job is alive."""
        self._tell(job.trial, "lease", worker=worker.number, pid=worker.pid)

    def _answer(self, trial: int, evaluation: Evaluation) -> Answer:
        if retried := self._retried.pop(trial, 0):
            evaluation = replace(evaluation, details={**evaluation.details, "retries": retried})
        return Answer(trial, evaluation)

    def _lost(self, job: Job, worker: W, why: str, seconds: float) -> Answer | None:
        """The worker was lost, and not for what the job asked of it: the job is tried again, or given up."""
        if self._retried[job.trial] >= self._retries:
            return self._answer(job.trial, Evaluation({}, seconds, why))
        self._retried[job.trial] += 1
        self._jobs.appendleft(job)
        self._tell(job.trial, "stale", why=why, worker=worker.number, pid=worker.pid)
        return None

    def cancel(self, trial: int) -> bool:
        """See `Executor.cancel`; a job that has begun takes its worker with it."""
        waiting = [job for job in self._jobs if job.trial == trial]
        at_work = [worker for worker in self._workers if worker.job is not None and worker.job.trial == trial]
        for job in waiting:
            self._jobs.remove(job)
        for worker in at_work:
            self._replace(worker)
        self._retried.pop(trial, None)
        return bool(waiting or at_work)

    def _busy(self) -> bool:
        """Whether any answer is to come."""
        return bool(self._jobs) or any(worker.job is not None for worker in self._workers)
