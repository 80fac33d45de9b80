"""The worker process of `ProcessesExecutor`: ``python -m automl_cells.search.executors.worker``.

Reads JSON lines from standard input: first ``{"sys_path": […], "extensions": […], "spec": {…}, "sign_every": seconds}``
(extensions: the modules whose operations it must know), then one job a line; writes one JSON line when it is ready, one
for each answer, and ``{"alive": true}`` as a sign of life from a thread of its own. It ends, in the middle of a job if
need be, when its input ends: a driver that was killed leaves no orphans behind.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any


def main() -> None:
    """Serve jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides what happens
    answers = _Answers(os.dup(1))
    os.dup2(2, 1)  # whatever an evaluator or a library prints goes to the log, never between the answers
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()

    settings = json.loads(lines.get())
    threading.Thread(target=_sign, args=(answers, settings["sign_every"]), daemon=True).start()
    sys.path[:] = settings["sys_path"]
    from automl_cells import extensions
    from automl_cells.evaluation.base import from_spec
    from automl_cells.search.executors.base import Job
    from automl_cells.search.executors.devices import limit_gpu_memory
    from automl_cells.search.executors.serial import guarded_evaluation

    limit_gpu_memory()
    extensions.load(settings["extensions"])
    evaluator = from_spec(settings["spec"])
    evaluator.prepare()
    answers.send({"ready": True})
    while True:
        job = Job.from_document(json.loads(lines.get()))
        evaluation = guarded_evaluation(evaluator, job)
        answers.send({"trial": job.trial, "evaluation": evaluation.to_document()})


class _Answers:
    """The stream to the driver, which two threads write to."""

    def __init__(self, descriptor: int) -> None:
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8")
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line."""
        with self._lock:
            self._stream.write(json.dumps(message) + "\n")
            self._stream.flush()


def _read(lines: queue.Queue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _sign(answers: _Answers, every: float) -> None:
    """Renew the lease, for as long as the driver is there to hear it."""
    while True:
        time.sleep(every)
        try:
            answers.send({"alive": True})
        except OSError:
            return


if __name__ == "__main__":
    main()
