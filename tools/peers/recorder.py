"""What every system's process shares: its job, its clock, and the log of the models that it would hand over.

The log is JSON lines, one event each, flushed at once, so that a process may be ended at any moment:

    {"event": "started", "seconds": 0.9, "system": "autokeras", "versions": {"keras": "3.10.0"}, "settings": {…}}
    {"event": "candidate", "seconds": 12.5, "candidate": 1}
    {"event": "model", "seconds": 31.2, "candidate": 1, "validation": 98.9, "test": 98.7, "parameters": 4300,
     "finished": true}
    {"event": "ended", "seconds": 600.0, "why": "limit"}

``seconds`` count from when the process was started, imports included, less the time that the recorder itself has taken
to look at the test images: no system pays for being watched. A ``model`` is logged when its validation score is the
best so far, so the last line is what the system would hand over at that moment. ``finished`` says whether it is the
system's own to hand over: a candidate that is still training has a checkpoint at best. The test images decide nothing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Job(NamedTuple):
    """What a system is to do, in the order of the words on its command line.

    Attributes:
        system: its name.
        data: an ``.npz`` with ``x_train`` (n, height, width, channels), raw pixels, in random order, ``y_train`` (n,)
            integers, ``x_test``, ``y_test``.
        folder: for whatever the system writes; the log is ``log.jsonl`` in it.
        start: the monotonic clock when the process was started, in seconds.
        limit: wall-clock in seconds.
        seed: of everything random.
        until: per cent of the test images; when a model that the system would hand over has so many right, its process
            is ended. ``None``: it goes on until the limit.
    """

    system: str
    data: Path
    folder: Path
    start: float
    limit: float
    seed: int
    until: float | None = None

    @classmethod
    def of_this_process(cls) -> Job:
        """The job on the command line."""
        system, data, folder, start, limit, seed, until = sys.argv[1:]
        end = None if until == "never" else float(until)
        return cls(system, Path(data), Path(folder), float(start), float(limit), int(seed), end)

    @property
    def log(self) -> Path:
        """The log file."""
        return self.folder / "log.jsonl"


class Images(NamedTuple):
    """Images as every peer gets them: float32 from 0 to 1, their labels; a fifth of the training images held out."""

    x_train: np.ndarray  # (n, height, width, channels)
    y_train: np.ndarray  # (n,) int64
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.y_train.max()) + 1


def images(path: Path, validation: float = 0.2) -> Images:
    """Read a job's data; the last `validation` of the training images are held out, as ``validation_split`` does."""
    with np.load(path, allow_pickle=False) as archive:
        x, y, x_test, y_test = (archive[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    scale = np.float32(x.max())
    x, x_test = x.astype(np.float32) / scale, x_test.astype(np.float32) / scale
    rest = len(x) - round(validation * len(x))
    return Images(x[:rest], y[:rest], x[rest:], y[rest:], x_test, y_test)


class Recorder:
    """Writes the log of one system, and ends its process when its time is over.

    Args:
        job: whose log.
        distributions: the packages whose versions matter.
        settings: how the system was set, in words; for the table's readers.
    """

    def __init__(self, job: Job, distributions: tuple[str, ...], settings: dict[str, Any]) -> None:
        self._job, self._paused = job, 0.0
        self._lock = threading.RLock()
        self._file = job.log.open("w", encoding="utf-8")
        self._best: tuple[float, ...] = ()  # scores: of all models, and of those that were finished
        self._finished: tuple[float, ...] = ()
        self._candidates = 0
        versions = {name: metadata.version(name) for name in distributions}
        self._write("started", system=job.system, versions=versions, settings=settings)
        threading.Thread(target=self._end_in_time, daemon=True).start()

    @property
    def seconds(self) -> float:
        """Since the process was started, less the recorder's own time."""
        return time.monotonic() - self._job.start - self._paused

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return self._job.limit - self.seconds

    def candidate(self) -> None:
        """Note that the system begins with one more candidate."""
        self._candidates += 1
        self._write("candidate", candidate=self._candidates)

    def candidates(self, count: int) -> None:
        """Note how many candidates the system has tried, where it tells only afterwards."""
        self._candidates = count
        self._write("candidate", candidate=count)

    def model(
        self,
        validation: float,
        parameters: int,
        test_accuracy: Callable[[], float],
        finished: bool,
        score: tuple[float, ...] | None = None,
    ) -> None:
        """Note a model if it is the best so far by `score`; looks at the test images in time that is not counted.

        Args:
            validation: its validation accuracy in per cent.
            parameters: how many it has.
            test_accuracy: measures its test accuracy in per cent.
            finished: whether the system would hand it over now.
            score: what the system selects by, the larger the better; by default the validation accuracy.
        """
        score = (validation,) if score is None else score
        if score <= self._best and not (finished and score > self._finished):
            return
        self._best = max(score, self._best)
        if finished:
            self._finished = score
        with self._lock:  # so that the process is not ended in the middle
            seconds, since = self.seconds, time.monotonic()
            test = test_accuracy()
            self._paused += time.monotonic() - since
        event = {"validation": round(validation, 4), "test": round(test, 4), "parameters": parameters}
        self._write("model", seconds, candidate=self._candidates, **event, finished=finished)
        if finished and self._job.until is not None and test >= self._job.until:
            with self._lock:
                self.end("target")
                os._exit(0)  # as at the limit; what it has started is ended by who watches

    def end(self, why: str) -> None:
        """Note why the system stopped before its time was over."""
        self._write("ended", why=why)

    def _write(self, event: str, seconds: float | None = None, **values: Any) -> None:
        line = {"event": event, "seconds": round(self.seconds if seconds is None else seconds, 3), **values}
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _end_in_time(self) -> None:
        parent = os.getppid()
        while True:
            time.sleep(min(max(self.left, 0.05), 1.0))
            with self._lock:
                if self.left <= 0:
                    self._write("ended", why="limit")
                    os._exit(0)
                if os.getppid() != parent:  # who watched it has died, and would not end it
                    self._write("ended", why="orphan")
                    os._exit(1)


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Per cent of the rows (n, classes) whose largest value is at their label (n,)."""
    return 100 * float(np.mean(np.argmax(probabilities, axis=-1) == labels))
