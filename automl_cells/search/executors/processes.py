"""Jobs in worker processes on this machine.

Each worker is a fresh Python process that makes its own evaluator from `Evaluator.spec`; jobs and answers travel as
JSON lines. Nothing is pickled and nothing of the caller's ``__main__`` is imported, so it works from scripts and
notebooks alike. A worker is replaced after `recycle_after` jobs, since TensorFlow does not give memory back, and when
it dies or gives no sign of life.
"""

from __future__ import annotations

import json
import queue
import sys
import tempfile
import time
from pathlib import Path

from automl_cells.errors import SearchError
from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.extensions import for_workers
from automl_cells.search.executors.base import Answer
from automl_cells.search.executors.devices import gpu_memory, resident_bytes, visible_gpus, worker_environment
from automl_cells.search.executors.several import SeveralWorkers
from automl_cells.search.executors.worker_process import Messages, WorkerProcess

LEASE = 120.0  # seconds; a machine that swaps, or that was put to sleep, is not to be punished for it
START_LIMIT = 600.0  # seconds in which a worker must be ready for its first job
START_PATIENCE = 120.0  # seconds in which one must become ready where all are killed while they start
_TICK = 0.5  # seconds between two looks at limits and leases
_SIGN_EVERY = 5.0  # seconds between two signs of life, at most


class ProcessesExecutor(SeveralWorkers[WorkerProcess]):
    """Evaluates `workers` jobs at once.

    A job whose worker crashed, was killed from outside, wrote what is no answer or gave no sign of life is given to a
    new worker, at most `retries` times, and then answered as failed with the reason. A job that exceeds a limit is
    failed at once, and an exception in the evaluator is an answer like any other. ``Evaluation.details["retries"]``
    says how often a job was given again, if it was.

    Args:
        evaluator: one whose `spec` other processes can use.
        workers: number of processes.
        retries: how often a job is given to another worker after its own was lost.
        recycle_after: jobs after which a worker is replaced.
        recycle_above: bytes of resident memory above which a worker is replaced once it has answered; ``None`` for no
            such mark. On Linux only, as the next but one.
        time_limit: seconds after which a job is given up as failed; ``None`` for no limit.
        memory_limit: bytes of resident memory above which a worker is ended and its job failed; ``None`` for no limit.
            Looked at every half second.
        lease: seconds without a sign of life after which a worker that has a job is lost. Only the time counts in which
            this process itself was running and waiting for answers.
        workers_per_gpu: how many workers share a GPU and its memory, see `worker_environment`. Without it, workers go
            round the GPUs and take memory as they need it. Has no effect on a machine without GPUs.
        logs: folder for what the workers print, one file a worker; by default a temporary one.

    Raises:
        SearchError: an argument out of its range, more workers than the GPUs take, an evaluator that cannot leave its
            process; from `next_result`: workers that do not start.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int = 2,
        *,
        retries: int = 2,
        recycle_after: int = 32,
        recycle_above: int | None = None,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        lease: float = LEASE,
        workers_per_gpu: int | None = None,
        logs: str | Path | None = None,
    ) -> None:
        if workers < 1 or recycle_after < 1:
            raise SearchError(f"Expected at least one worker and one job each. Received: {workers=}, {recycle_after=}")
        if retries < 0:
            raise SearchError(f"Expected retries from 0. Received: {retries}")
        for name, value in (("lease", lease), ("recycle_above", recycle_above)):
            if value is not None and not value > 0:
                raise SearchError(f"Expected {name} above 0. Received: {value}")
        super().__init__(retries)
        self.slots = workers
        self._workers_per_gpu = workers_per_gpu
        self._gpu_memory = _shared_memory(workers, workers_per_gpu)
        settings = {
            "sys_path": sys.path,
            "extensions": for_workers(),
            "spec": evaluator.spec(),
            "sign_every": min(_SIGN_EVERY, lease / 4),
        }
        self._settings = json.dumps(settings) + "\n"
        self._recycle_after = recycle_after
        self._recycle_above = recycle_above
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._lease = lease
        self._temporary = tempfile.TemporaryDirectory(prefix="automl-cells-") if logs is None else None
        self._logs = Path(logs if logs is not None else self._temporary.name)  # type: ignore[union-attr]
        self._logs.mkdir(parents=True, exist_ok=True)
        self._failed_starts = 0  # of all workers, since the last that became ready
        self._ever_ready = False
        self._last_ready = time.monotonic()
        self._looked = time.monotonic()
        self._messages: Messages = queue.Queue()
        try:
            for number in range(workers):
                self._workers.append(self._start(number))
        except BaseException:
            self.close()
            raise

    def _start(self, number: int) -> WorkerProcess:
        environment = worker_environment(number, self.slots, self._workers_per_gpu, self._gpu_memory)
        return WorkerProcess(number, environment, self._settings, self._logs / f"worker-{number}.log", self._messages)

    def _dispatch(self) -> None:
        for worker in self._workers:
            if self._jobs and worker.ready and worker.job is None and worker.give(self._jobs[0]):
                self._given(self._jobs.popleft(), worker)

    def next_result(self, timeout: float | None = None) -> Answer | None:
        """See `Executor.next_result`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._busy():
            self._look()
            left = _TICK if end is None else min(_TICK, end - time.monotonic())
            try:
                worker, line = self._messages.get(timeout=max(0.0, left))
            except queue.Empty:
                if end is not None and time.monotonic() >= end:
                    return None
                continue
            if worker not in self._workers:
                continue  # one that has been replaced
            answer = self._ended(worker) if line is None else self._heard(worker, line)
            self._dispatch()
            if answer is not None:
                return answer
        return None

    def _heard(self, worker: WorkerProcess, line: bytes) -> Answer | None:
        """What one line means."""
        try:
            match json.loads(line):
                case {"alive": True}:
                    if worker.job is not None:
                        self._renewed(worker.job, worker)
                    return None
                case {"ready": True}:
                    worker.ready = self._ever_ready = True
                    self._failed_starts, self._last_ready = 0, time.monotonic()
                    return None
                case {"trial": int(trial), "evaluation": dict(document)} if worker.job and worker.job.trial == trial:
                    evaluation = Evaluation.from_document(document)
                case _:
                    raise ValueError("nothing that a worker says")
        except ValueError:  # no JSON, no evaluation
            worker.give_up(f"the worker wrote what is not an answer: {line[:80]!r}")
            return None
        worker.job = None
        worker.answered += 1
        full = self._recycle_above is not None and resident_bytes(worker.pid) > self._recycle_above
        if full or worker.answered >= self._recycle_after or worker.exceeded or worker.fault:
            self._replace(worker)  # it may have answered while it was being killed
        return self._answer(trial, evaluation)

    def _ended(self, worker: WorkerProcess) -> Answer | None:
        """A worker has died, or was killed for a reason; its job is tried again unless the job itself was too much."""
        worker.collect()
        if not worker.ready:
            self._not_started(worker)
            return None
        job, seconds = worker.job, time.monotonic() - worker.since
        self._replace(worker)
        if job is None:
            return None
        why = worker.exceeded or worker.fault or f"the worker died ({worker.status()}): {worker.last_line()}"
        if worker.exceeded:
            return self._answer(job.trial, Evaluation({}, seconds, why))
        return self._lost(job, worker, why, seconds)

    def _not_started(self, worker: WorkerProcess) -> None:
        """Try again where the worker may not be at fault; the first error of its own is the caller's affair."""
        self._failed_starts += 1
        hopeless = self._failed_starts > self._retries * self.slots
        if worker.killed_from_outside:  # perhaps for lack of memory; or somebody is busy killing
            hopeless = hopeless and time.monotonic() - self._last_ready > START_PATIENCE
        elif not self._ever_ready:
            hopeless = True
        if hopeless:
            why = worker.fault or f"{worker.status()}: {worker.last_line()}"
            raise SearchError(f"Expected worker {worker.number} to start. Received: {why}")
        self._replace(worker)

    def _replace(self, worker: WorkerProcess) -> None:
        worker.stop()
        self._workers[self._workers.index(worker)] = self._start(worker.number)

    def _look(self) -> None:
        """Keep limits and leases, every now and then."""
        passed = time.monotonic() - self._looked
        if passed < _TICK:
            return
        self._looked += passed
        for worker in self._workers:
            # What passed beyond a tick or two, this process was stopped, starved or busy with something else.
            worker.wait(min(passed, 2 * _TICK))
            if worker.process.poll() is not None:
                if worker.ended:  # at the last look too: its own children keep the pipe open, or the end would be told
                    self._messages.put((worker, None))
                worker.ended = True
            elif worker.exceeded or worker.fault:
                continue  # it is being killed
            elif not worker.ready:
                if worker.waited > START_LIMIT:
                    worker.give_up(f"not ready after {START_LIMIT:g} s")
            elif worker.job is not None:
                self._keep_limits(worker)

    def _keep_limits(self, worker: WorkerProcess) -> None:
        if self._time_limit is not None and time.monotonic() - worker.since > self._time_limit:
            worker.exceed(f"took longer than the time limit of {self._time_limit:g} s")
        elif self._memory_limit is not None and resident_bytes(worker.pid) > self._memory_limit:
            worker.exceed(f"took more than the memory limit of {self._memory_limit / 2**20:.0f} MiB")
        elif worker.waited > self._lease:
            worker.give_up(f"the worker gave no sign of life for {self._lease:g} s")

    def close(self) -> None:
        """See `Executor.close`."""
        self._jobs.clear()
        for worker in self._workers:
            worker.process.kill()  # all at once, then each is waited for
        for worker in self._workers:
            worker.stop()
        self._workers = []
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def _shared_memory(workers: int, workers_per_gpu: int | None) -> int | None:
    """MiB of the GPUs that are shared; ``None`` where none are.

    Raises:
        SearchError: workers for which the GPUs have no room.
    """
    if workers_per_gpu is None:
        return None
    if workers_per_gpu < 1:
        raise SearchError(f"Expected at least one worker a GPU. Received: {workers_per_gpu}")
    gpus = len(visible_gpus())
    if gpus and workers > gpus * workers_per_gpu:
        raise SearchError(
            f"Expected at most {gpus * workers_per_gpu} workers, {workers_per_gpu} a GPU. Received: {workers}"
        )
    return gpu_memory() if gpus else None
