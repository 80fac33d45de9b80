"""Where candidates are evaluated. `executor` makes an executor by its name."""

from __future__ import annotations

from pathlib import Path

from automl_cells.errors import SearchError
from automl_cells.evaluation.base import Evaluator
from automl_cells.search.executors.base import Answer, Executor, Job
from automl_cells.search.executors.processes import ProcessesExecutor
from automl_cells.search.executors.serial import SerialExecutor

EXECUTORS = ("processes", "serial")

__all__ = ["EXECUTORS", "Answer", "Executor", "Job", "ProcessesExecutor", "SerialExecutor", "check", "executor"]


def check(name: str, workers: int) -> None:
    """Refuse what `executor` would refuse, before anything is started or written.

    Raises:
        SearchError: an unknown executor, fewer than one worker, or several for ``serial``.
    """
    if name not in EXECUTORS:
        raise SearchError(f"Expected an executor among {list(EXECUTORS)}. Received: {name}")
    if not isinstance(workers, int) or workers < 1:
        raise SearchError(f"Expected at least one worker. Received: {workers!r}")
    if name == "serial" and workers != 1:
        raise SearchError(f"Expected one worker for the executor 'serial'. Received: {workers}")


def executor(
    name: str,
    evaluator: Evaluator,
    workers: int,
    *,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    logs: Path | None = None,
) -> Executor:
    """The executor of that name; only ``processes`` can keep limits and logs.

    Raises:
        SearchError: as `check`, or an evaluator that cannot leave its process.
    """
    check(name, workers)
    if name == "serial":
        return SerialExecutor(evaluator)
    return ProcessesExecutor(evaluator, workers, time_limit=time_limit, memory_limit=memory_limit, logs=logs)
