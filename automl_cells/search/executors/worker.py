"""The worker process of `ProcessesExecutor`: ``python -m automl_cells.search.executors.worker``.

Reads JSON lines from standard input: first ``{"sys_path": […], "spec": {…}}``, then one job a line; writes one JSON
line when it is ready and one for each answer. It ends, in the middle of a job if need be, when its input ends: a driver
that was killed leaves no orphans behind.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any, TextIO


def main() -> None:
    """Serve jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides what happens
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever an evaluator or a library prints goes to the log, never between the answers
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()

    settings = json.loads(lines.get())
    sys.path[:] = settings["sys_path"]
    from automl_cells.evaluation.base import from_spec
    from automl_cells.genotypes import from_document
    from automl_cells.search.executors.base import Job
    from automl_cells.search.executors.serial import guarded_evaluation

    evaluator = from_spec(settings["spec"])
    evaluator.prepare()
    _send(answers, {"ready": True})
    while True:
        job = json.loads(lines.get())
        evaluation = guarded_evaluation(evaluator, Job(job["trial"], from_document(job["genotype"]), job["seed"]))
        _send(answers, {"trial": job["trial"], "evaluation": evaluation.to_document()})


def _read(lines: queue.Queue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _send(stream: TextIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
