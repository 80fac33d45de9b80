"""Where candidates are evaluated. `executor` makes an executor by its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from automl_cells.errors import SearchError
from automl_cells.evaluation.base import Evaluator
from automl_cells.search.executors.base import Answer, Executor, Job
from automl_cells.search.executors.processes import ProcessesExecutor
from automl_cells.search.executors.serial import SerialExecutor

EXECUTORS = ("processes", "ray", "serial")

__all__ = ["EXECUTORS", "Answer", "Executor", "Job", "ProcessesExecutor", "SerialExecutor", "check", "executor"]


def check(name: str, workers: int | None, options: Iterable[str] = ()) -> None:
    """Refuse what `executor` would refuse, before anything is started or written.

    Raises:
        SearchError: an unknown executor, an option that it does not know, fewer than one worker, or several for
            ``serial``; no number of workers, save for ``ray``, which then has as many as its cluster holds.
    """
    if name not in EXECUTORS:
        raise SearchError(f"Expected an executor among {list(EXECUTORS)}. Received: {name}")
    if unknown := sorted(set(options) - set(_OPTIONS[name])):
        raise SearchError(f"Expected options of the executor {name!r} among {_OPTIONS[name]}. Received: {unknown[0]}")
    if workers is None and name == "ray":
        return
    if not isinstance(workers, int) or workers < 1:
        raise SearchError(f"Expected at least one worker. Received: {workers!r}")
    if name == "serial" and workers != 1:
        raise SearchError(f"Expected one worker for the executor 'serial'. Received: {workers}")


def executor(
    name: str,
    evaluator: Evaluator,
    workers: int | None,
    *,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    logs: Path | None = None,
    retries: int | None = None,
    **options: Any,
) -> Executor:
    """The executor of that name.

    Args:
        name: ``processes``, ``ray`` or ``serial``.
        evaluator: evaluates.
        workers: how many jobs at once; ``None``, for ``ray`` only, for as many as the cluster holds.
        time_limit: seconds a job may take; not for ``serial``, as all that follows: it has no workers to end.
        memory_limit: bytes of resident memory that a job may take.
        logs: folder for what the workers print.
        retries: how often a job is given to another worker after its own was lost; by default 2.
        options: more of that executor's own, see `ProcessesExecutor` and `RayExecutor`; ``None`` leaves the default.

    Raises:
        SearchError: as `check`; an option that the executor does not know, an evaluator that cannot leave its process.
    """
    options |= {"time_limit": time_limit, "memory_limit": memory_limit, "retries": retries}
    own = {option: value for option, value in options.items() if value is not None}
    check(name, workers, own)
    if name == "serial":
        return SerialExecutor(evaluator)
    if name == "ray":
        from automl_cells.search.executors.ray import RayExecutor  # the extra may not be installed

        return RayExecutor(evaluator, workers, logs=logs, **own)
    assert workers is not None
    return ProcessesExecutor(evaluator, workers, logs=logs, **own)


_LIMITS = ("memory_limit", "retries", "time_limit")
_OPTIONS: dict[str, list[str]] = {
    "processes": [*_LIMITS, "lease", "recycle_above", "recycle_after", "workers_per_gpu"],
    "ray": [*_LIMITS, "address", "cpus_per_trial", "gpus_per_trial", "recycle_after"],
    "serial": [],
}
