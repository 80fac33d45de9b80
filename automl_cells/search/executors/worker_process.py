"""The driver's side of one worker: its process, what it was given, and the thread that hears it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from automl_cells.errors import SearchError
from automl_cells.search.executors.base import Job

_PATIENCE = 10.0  # seconds for a killed process to end; one that waits for a device may take longer, or for ever

Messages = queue.Queue[tuple["WorkerProcess", bytes | None]]
"""Lines as they come from all workers; ``None``: that worker's pipe has ended."""


class WorkerProcess:
    """One process, see `worker`.

    Args:
        number: of the worker, from 0; its replacement has the same.
        environment: see `devices.worker_environment`.
        settings: the first line that it reads.
        log: file to which all that it prints is added.
        messages: where its lines go, each with this object.

    Attributes:
        ready: whether it can be given jobs.
        job: what it works on.
        answered: how many jobs it has answered.
        since: `time.monotonic` at which the job was given.
        waited: seconds that the driver has waited for it to become ready or, with a job, for a sign of life.
        exceeded: which limit its job has exceeded, for which it was killed.
        fault: what it did wrong itself, for which it was killed.
        ended: whether it was found to have ended.

    Raises:
        SearchError: the system starts no process.
    """

    def __init__(self, number: int, environment: dict[str, str], settings: str, log: Path, messages: Messages) -> None:
        self.number = number
        self.ready = False
        self.job: Job | None = None
        self.answered = 0
        self.since = 0.0
        self.waited = 0.0
        self.exceeded: str | None = None
        self.fault: str | None = None
        self.ended = False
        self._signed = False
        self._log = log
        try:
            with log.open("ab") as errors:
                self._log_start = errors.tell()  # what is before that was printed by its predecessors
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "automl_cells.search.executors.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env={**environment, "PYTHONPATH": _package_root(environment)},
                )
        except OSError as error:
            raise SearchError(f"Expected worker {number} to start. Received: {error}") from None
        assert self.process.stdout is not None
        self._listener = threading.Thread(target=self._listen, args=(self.process.stdout, messages), daemon=True)
        self._listener.start()
        self._write(settings)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid

    def _listen(self, stream: IO[bytes], messages: Messages) -> None:
        with stream:
            for line in stream:
                self._signed = True
                if line.endswith(b"\n"):  # else it died in the middle
                    messages.put((self, line))
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
        if not self._write(json.dumps(job.to_document()) + "\n"):
            return False
        self.job = job
        self.since = time.monotonic()
        self.waited = 0.0
        return True

    def wait(self, seconds: float) -> None:
        """Note that the driver has listened for some more seconds."""
        if self._signed and self.ready:
            self._signed, self.waited = False, 0.0
        else:
            self.waited += seconds

    def give_up(self, fault: str) -> None:
        """Kill it for what it did or did not do; its pipe ends soon after."""
        self.fault = self.fault or fault
        self.process.kill()

    def exceed(self, limit: str) -> None:
        """Kill it because its job takes more than it may."""
        self.exceeded = limit
        self.process.kill()

    @property
    def killed_from_outside(self) -> bool:
        """Whether somebody else has ended it: a user, or the system for lack of memory."""
        outside = self.process.poll() in (-signal.SIGKILL, -signal.SIGTERM)
        return outside and self.exceeded is None and self.fault is None

    def collect(self) -> None:
        """Clear away a process whose pipe has ended; one that has only closed it is killed after a while."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE)
        self.stop()

    def status(self) -> str:
        """How it ended."""
        status = self.process.poll()
        return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"

    def last_line(self) -> str:
        """The last line that it printed: mostly the error that ended it."""
        text = self._log.read_bytes()[self._log_start :][-4000:].decode(errors="replace").strip()
        return text.splitlines()[-1][:300] if text else "it printed nothing"

    def stop(self) -> None:
        """End the process at once."""
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE)
        self._listener.join(_PATIENCE if not self.ended else 0.0)  # children of its own may keep the pipe open
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()


def _package_root(environment: dict[str, str]) -> str:
    """PYTHONPATH under which the worker finds the package that this process uses, however that was found."""
    root = str(Path(__file__).parents[3])
    return root + (f"{os.pathsep}{environment['PYTHONPATH']}" if environment.get("PYTHONPATH") else "")
