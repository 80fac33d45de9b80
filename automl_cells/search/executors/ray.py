"""Jobs on a Ray cluster (extra ``automl-cells[ray]``, Ray Core only).

Each worker is a Ray actor with cores and GPUs of its own, that is a process somewhere in the cluster which makes its
evaluator once. Actors rather than tasks, so that an evaluator and the framework it imports are there for many jobs, and
so that a job's time is counted from when it really begins: a job is given to an actor that has said it is ready, never
to one that waits for a machine. Where a node is lost its workers wait for room and the others go on.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from operator import attrgetter
from pathlib import Path
from typing import Any

from automl_cells.errors import SearchError
from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.extensions import for_workers
from automl_cells.search.executors.base import Answer, Job
from automl_cells.search.executors.ray_cluster import RayCluster
from automl_cells.search.executors.ray_worker import RayWorker, variables
from automl_cells.search.executors.several import SeveralWorkers

_TICK = 0.5  # seconds between two looks at the time limits
_RENEW_EVERY = 5.0  # seconds between two leases of a job
_START_PATIENCE = 900.0  # seconds without a single worker that is ready: a new machine may have to be started first
_FETCH_PATIENCE = 60.0  # seconds for an answer that is there to come over


class RayExecutor(SeveralWorkers["_Worker"]):
    """Evaluates as many jobs at once as there are workers.

    A job whose worker or node was lost is given to another worker, at most `retries` times, and then answered as failed
    with the reason. A job that exceeds a limit is failed at once, and an exception in the evaluator is an answer like
    any other. ``Evaluation.details["retries"]`` says how often a job was given again, if it was. Jobs, settings and
    answers travel as JSON texts. A lease says that Ray takes the worker for alive: Ray watches processes and nodes.

    Args:
        evaluator: one whose `spec` other processes can use; the package and the data it names must be found on every
            machine of the cluster.
        workers: number of workers; ``None`` for as many as the cluster has room for now. More than that are allowed on
            a cluster that machines may join later: the rest waits for them.
        address: ``HOST:PORT`` of a running cluster, which is left running; ``None`` starts a Ray on this machine only,
            at 127.0.0.1, with as many cores as the workers need, which ends with `close`.
        cpus_per_trial: cores of a worker; its framework gets as many threads, at least one.
        gpus_per_trial: GPUs of a worker; of a part of one it may take that part of the memory, with 0 it sees none.
        retries: how often a job is given to another worker after its own was lost; times the workers, how many starts
            in a row may fail once any worker was ready.
        recycle_after: jobs after which a worker is replaced.
        time_limit: seconds after which a job is given up as failed; ``None`` for no limit.
        memory_limit: bytes of resident memory above which a job is given up as failed; ``None`` for no limit. Looked at
            every half second, on Linux only; the evaluation then runs in a thread of its worker.
        logs: folder for what the workers print, one file a worker, on machines that see it; otherwise, and by default,
            it is in Ray's own logs.

    Raises:
        SearchError: Ray is missing or cannot be reached, no worker fits into the cluster, an option or evaluator that
            cannot be used; from `next_result`: workers that do not start.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int | None = None,
        *,
        address: str | None = None,
        cpus_per_trial: float = 1.0,
        gpus_per_trial: float = 0.0,
        retries: int = 2,
        recycle_after: int = 32,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        logs: str | Path | None = None,
    ) -> None:
        if (workers is not None and workers < 1) or retries < 0 or recycle_after < 1:
            raise SearchError(
                "Expected at least one worker, no retries or some, and one job a worker or more. "
                f"Received: {workers=}, {retries=}, {recycle_after=}"
            )
        finite = 0.001 <= cpus_per_trial < math.inf and 0 <= gpus_per_trial < math.inf  # not of NaN either
        # Ray counts in ten-thousandths.
        if not finite or 0 < gpus_per_trial < 0.0001 or (gpus_per_trial > 1 and gpus_per_trial % 1):
            raise SearchError(
                "Expected cores for each trial, and no GPU, a part of one or whole ones. "
                f"Received: {cpus_per_trial=}, {gpus_per_trial=}"
            )
        super().__init__(retries)
        self._spec = evaluator.spec()
        self._extensions = for_workers()
        self._environment = variables(cpus_per_trial, gpus_per_trial)
        self._shares = int(1 / gpus_per_trial + 1e-6) if 0 < gpus_per_trial < 1 else None
        self._logs = None if logs is None else Path(logs).resolve()
        if self._logs is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
        self._recycle_after = recycle_after
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._ready_at = time.monotonic()  # when a worker was last ready
        self._ever_ready = False
        self._failed_starts = 0  # of all workers, since the last that became ready
        self._cluster = RayCluster(address, None if workers is None else math.ceil(workers * cpus_per_trial))
        self._ray = self._cluster.ray
        try:
            room = self._cluster.room(cpus_per_trial, gpus_per_trial)
            if room == 0 and (workers is None or address is None):
                raise SearchError(
                    f"Expected room for a trial of {cpus_per_trial:g} CPUs and {gpus_per_trial:g} GPUs. "
                    f"Received: {self._cluster.words()}"
                )
            self.slots = workers or room
            self._actor = self._ray.remote(RayWorker).options(
                num_cpus=cpus_per_trial, num_gpus=gpus_per_trial, max_restarts=0, max_task_retries=0
            )
            for number in range(self.slots):
                self._workers.append(self._start(number))
        except BaseException:
            self.close()
            raise

    def _start(self, number: int) -> _Worker:
        settings = {
            "environment": self._environment,
            "workers_per_gpu": self._shares,
            "sys_path": [os.path.abspath(folder) for folder in sys.path],
            "log": None if self._logs is None else str(self._logs / f"worker-{number}.log"),
            "extensions": self._extensions,
            "spec": self._spec,
        }
        actor = self._actor.remote()
        return _Worker(number, actor, actor.start.remote(json.dumps(settings)))

    def _dispatch(self) -> None:
        for worker in self._workers:
            if self._jobs and worker.task is None:
                job = self._jobs.popleft()
                worker.give(job, self._memory_limit)
                self._given(job, worker)

    def next_result(self, timeout: float | None = None) -> Answer | None:
        """See `Executor.next_result`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._busy():
            answer = self._look()
            self._dispatch()
            if answer is not None:
                return answer
            # Ray looks from the first to the last: who has waited longest comes first, so that none is passed over.
            by_age = sorted(self._workers, key=attrgetter("since"))
            tasks = {worker.task: worker for worker in by_age if worker.task is not None}
            left = _TICK if end is None else min(_TICK, end - time.monotonic())
            done, _ = self._ray.wait(list(tasks), num_returns=1, timeout=max(0.0, left))
            if done:
                answer = self._heard(tasks[done[0]])
                self._dispatch()
                if answer is not None:
                    return answer
            elif end is not None and time.monotonic() >= end:
                return None
        return None

    def _heard(self, worker: _Worker) -> Answer | None:
        """What the end of a worker's task means."""
        try:
            message = json.loads(self._ray.get(worker.task, timeout=_FETCH_PATIENCE))
        except self._ray.exceptions.RayError as error:
            return self._died(worker, _reason(error))
        job, worker.task, worker.job = worker.job, None, None
        if job is None:
            if message["error"] is not None:
                self._not_started(worker, message["error"], again=self._ever_ready)
                return None
            worker.pid = message["pid"]
            self._ever_ready, self._failed_starts = True, 0
            return None
        worker.answered += 1
        if worker.answered >= self._recycle_after or "over" in message:
            self._replace(worker)
        if "over" in message:
            return self._failed(job, worker, message["over"])
        return self._answer(job.trial, Evaluation.from_document(message["evaluation"]))

    def _failed(self, job: Job, worker: _Worker, why: str) -> Answer:
        return self._answer(job.trial, Evaluation({}, time.monotonic() - worker.since, why))

    def _died(self, worker: _Worker, why: str) -> Answer | None:
        """The worker, or its whole node, was lost: its job is tried again, or given up."""
        if worker.pid is None:
            self._not_started(worker, why, again=True)
            return None
        self._replace(worker)
        job = worker.job
        if job is None:
            return None
        return self._lost(job, worker, f"the worker died: {why}", time.monotonic() - worker.since)

    def _not_started(self, worker: _Worker, why: str, again: bool) -> None:
        """Try again, where that may help: what one machine lacks another may have."""
        self._failed_starts += 1
        if not again or self._failed_starts > self._retries * self.slots:
            raise SearchError(f"Expected worker {worker.number} to start. Received: {why}")
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        self._ray.kill(worker.actor)  # nothing happens if it is dead already
        self._workers[self._workers.index(worker)] = self._start(worker.number)

    def _look(self) -> Answer | None:
        """Renew leases and keep limits; the answer of a job that has taken too long."""
        now = time.monotonic()
        if any(worker.pid is not None for worker in self._workers):
            self._ready_at = now
        elif now - self._ready_at > _START_PATIENCE:
            raise SearchError(
                f"Expected a worker to start within {_START_PATIENCE:g} s. Received: {self._cluster.words()}"
            )
        for worker in self._workers:
            if worker.job is None:
                continue
            if self._time_limit is not None and now - worker.since > self._time_limit:
                if self._ray.wait([worker.task], timeout=0)[0]:
                    continue  # it has answered meanwhile
                self._replace(worker)
                return self._failed(worker.job, worker, f"took longer than the time limit of {self._time_limit:g} s")
            if now - worker.renewed > _RENEW_EVERY:
                worker.renewed = now
                self._renewed(worker.job, worker)
        return None

    def close(self) -> None:
        """See `Executor.close`; a cluster that was joined goes on without our workers."""
        self._jobs.clear()
        if self._ray.is_initialized():  # or somebody has ended it meanwhile, and our workers with it
            for worker in self._workers:
                self._ray.kill(worker.actor)
        self._workers = []
        self._cluster.close()


class _Worker:
    """One actor and what it does: it starts (`task`, no `job`), is idle (neither), or has a job (both)."""

    def __init__(self, number: int, actor: Any, starting: Any) -> None:
        self.number = number
        self.actor = actor
        self.task = starting
        self.job: Job | None = None
        self.pid: int | None = None  # on its machine, from when it is ready
        self.answered = 0
        self.since = self.renewed = time.monotonic()  # at which its task was given, and its lease renewed

    def give(self, job: Job, memory_limit: int | None) -> None:
        """Hand over one job."""
        document = job.to_document() | {"memory_limit": memory_limit}
        self.task = self.actor.evaluate.remote(json.dumps(document))
        self.job = job
        self.since = self.renewed = time.monotonic()


def _reason(error: Exception) -> str:
    """The sentence of a Ray error that says what happened, without ids before it and advice after it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1] if lines else type(error).__name__
    for beginning in ("Worker exit detail: ", "because "):
        last = last.rpartition(beginning)[2]
    return last.partition(" Some common causes")[0][:300].rstrip(".")
