"""Jobs in worker processes on this machine.

Each worker is a fresh Python process that makes its own evaluator from `Evaluator.spec`; jobs and answers travel as
JSON lines. Nothing is pickled and nothing of the caller's ``__main__`` is imported, so it works from scripts and
notebooks alike. A worker is replaced after `recycle_after` jobs, since TensorFlow does not give memory
back, and when it dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any

from automl_cells.errors import SearchError
from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.genotypes import to_document
from automl_cells.search.executors.base import Answer, Executor, Job
from automl_cells.search.executors.devices import resident_bytes, worker_environment

_TICK = 0.5  # seconds between two looks at the time limits


class ProcessesExecutor(Executor):
    """Evaluates `workers` jobs at once.

    Args:
        evaluator: one whose `spec` other processes can use.
        workers: number of processes.
        recycle_after: jobs after which a worker is replaced.
        time_limit: seconds after which a job is given up as failed; ``None`` for no limit.
        memory_limit: bytes of resident memory above which a worker is ended and its job failed; ``None`` for no limit.
            Looked at every half second, on Linux only.
        logs: folder for what the workers print, one file a worker; by default a temporary one.

    Raises:
        SearchError: fewer than one worker, an evaluator that cannot leave its process; from `next_result`: workers that
            do not start.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int = 2,
        *,
        recycle_after: int = 32,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        logs: str | Path | None = None,
    ) -> None:
        if workers < 1 or recycle_after < 1:
            raise SearchError(f"Expected at least one worker and one job each. Received: {workers=}, {recycle_after=}")
        self.slots = workers
        self._settings = json.dumps({"sys_path": sys.path, "spec": evaluator.spec()}) + "\n"
        self._recycle_after = recycle_after
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._temporary = tempfile.TemporaryDirectory(prefix="automl-cells-") if logs is None else None
        self._logs = Path(logs if logs is not None else self._temporary.name)  # type: ignore[union-attr]
        self._logs.mkdir(parents=True, exist_ok=True)
        self._jobs: deque[Job] = deque()
        self._messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self._workers = [self._start(number) for number in range(workers)]

    def _start(self, number: int) -> _Worker:
        log = self._logs / f"worker-{number}.log"
        return _Worker(number, worker_environment(number, self.slots), self._settings, log, self._messages)

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)
        self._dispatch()

    def _dispatch(self) -> None:
        for worker in self._workers:
            if self._jobs and worker.ready and worker.job is None and worker.give(self._jobs[0]):
                self._jobs.popleft()

    def next_result(self, timeout: float | None = None) -> Answer | None:
        """See `Executor.next_result`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._jobs or any(worker.job for worker in self._workers):
            self._enforce_limits()
            left = _TICK if end is None else min(_TICK, end - time.monotonic())
            try:
                worker, message = self._messages.get(timeout=max(0.0, left))
            except queue.Empty:
                if end is not None and time.monotonic() >= end:
                    return None
                continue
            if worker not in self._workers:
                continue  # one that has been replaced
            answer = self._heard(worker, message)
            self._dispatch()
            if answer is not None:
                return answer
        return None

    def _heard(self, worker: _Worker, message: dict[str, Any] | None) -> Answer | None:
        """What one message (``None``: the worker has ended) means."""
        if message is None:
            return self._ended(worker)
        if message.get("ready"):
            worker.ready = True
            return None
        job, worker.job = worker.job, None
        assert job is not None
        assert message["trial"] == job.trial
        worker.done += 1
        if worker.done >= self._recycle_after or worker.why is not None:  # it answered while it was being killed
            self._replace(worker)
        return Answer(job.trial, Evaluation.from_document(message["evaluation"]))

    def _ended(self, worker: _Worker) -> Answer | None:
        status = worker.process.wait()
        if not worker.ready:
            raise SearchError(
                f"Expected worker {worker.number} to start. Received: exit status {status}: {worker.last_line()}"
            )
        job, why = worker.job, worker.why
        if why is None:
            killed = f"signal {-status}" if status < 0 else f"exit status {status}"
            why = f"the worker died ({killed}): {worker.last_line()}"
        seconds = time.monotonic() - worker.since
        self._replace(worker)
        return None if job is None else Answer(job.trial, Evaluation({}, seconds, why))

    def _replace(self, worker: _Worker) -> None:
        worker.stop()
        self._workers[self._workers.index(worker)] = self._start(worker.number)

    def _enforce_limits(self) -> None:
        for worker in self._workers:
            if worker.job is None or worker.why is not None:
                continue
            if self._time_limit is not None and time.monotonic() - worker.since > self._time_limit:
                worker.why = f"took longer than the time limit of {self._time_limit:g} s"
            elif self._memory_limit is not None and resident_bytes(worker.process.pid) > self._memory_limit:
                worker.why = f"took more than the memory limit of {self._memory_limit / 2**20:.0f} MiB"
            if worker.why is not None:
                worker.process.kill()

    def cancel(self, trial: int) -> bool:
        """See `Executor.cancel`; a job that has begun takes its worker with it."""
        for job in self._jobs:
            if job.trial == trial:
                self._jobs.remove(job)
                return True
        for worker in self._workers:
            if worker.job is not None and worker.job.trial == trial:
                self._replace(worker)
                return True
        return False

    def close(self) -> None:
        """See `Executor.close`."""
        self._jobs.clear()
        for worker in self._workers:
            worker.stop()
        self._workers = []
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


class _Worker:
    """One process, and the thread that hears it."""

    def __init__(
        self,
        number: int,
        environment: dict[str, str],
        settings: str,
        log: Path,
        messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]],
    ) -> None:
        self.number = number
        self.ready = False
        self.job: Job | None = None
        self.done = 0
        self.since = 0.0  # time.monotonic() at which the job was given
        self.why: str | None = None  # why it was killed, if by us
        self._log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "automl_cells.search.executors.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**environment, "PYTHONPATH": _package_root(environment)},
            )
        assert self.process.stdout is not None
        self._listener = threading.Thread(target=self._listen, args=(self.process.stdout, messages), daemon=True)
        self._listener.start()
        self._write(settings)

    def _listen(self, stream: IO[bytes], messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]]) -> None:
        with stream:
            for line in stream:
                try:
                    messages.put((self, json.loads(line)))
                except ValueError:
                    self.why = f"the worker wrote what is not an answer: {line[:80]!r}"
                    self.process.kill()
        messages.put((self, None))

    def _write(self, line: str) -> bool:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            return False  # it has died; its listener says so
        return True

    def give(self, job: Job) -> bool:
        """Hand over one job; ``False`` if the worker died while it had nothing to do."""
        document = {"trial": job.trial, "genotype": to_document(job.genotype), "seed": job.seed}
        if not self._write(json.dumps(document) + "\n"):
            return False
        self.job = job
        self.since = time.monotonic()
        return True

    def last_line(self) -> str:
        """The last line that the worker printed: mostly the error that ended it."""
        text = self._log.read_bytes()[-4000:].decode(errors="replace").strip()
        return text.splitlines()[-1][:300] if text else "it printed nothing"

    def stop(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()


def _package_root(environment: dict[str, str]) -> str:
    """PYTHONPATH under which the worker finds the package that this process uses, however that was found."""
    root = str(Path(__file__).parents[3])
    return root + (f"{os.pathsep}{environment['PYTHONPATH']}" if environment.get("PYTHONPATH") else "")
