"""Whether more workers give more trials: real processes with an evaluator that sleeps, then many workers simulated.

Real: a whole search (Q-learning, journal, worker processes) whose evaluator sleeps for 0.2 to 2 seconds, drawn from a
log-normal distribution. The time counts from the first trial to the last answer, with all workers started.

Simulated: 32, 256 and 1,024 workers with the durations of real candidates, which ``durations.json`` holds (those of a
search for MNIST by MetaQNN, see docs/metaqnn.md) or a run folder of your own. The search loop is one process, so each
trial also takes its share of that: the processor time that a trial of the real searches took the driver. Asynchronous:
a worker gets its next candidate when it is free. Generation by generation: the next ones begin when all have ended.
Utilisation is the time that workers were busy over the time that they were there.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from automl_cells.errors import SearchError
from automl_cells.evaluation import Evaluation, Evaluator, Limits, reward
from automl_cells.genotypes import BlockGenotype, Genotype
from automl_cells.search import read_run
from automl_cells.search.executors import Executor, Job, ProcessesExecutor
from automl_cells.search.journal import Journal
from automl_cells.search.loop import SearchLoop
from automl_cells.search.trials import Trial
from automl_cells.spaces import space
from automl_cells.strategies import strategy

SHORTEST, LONGEST = 0.2, 2.0  # seconds
MEDIAN, SPREAD = 0.6, 0.6  # of the log-normal distribution: seconds, and deviation of the logarithm
SIMULATED_WORKERS = (32, 256, 1024)
SIMULATED_TRIALS = 100  # a worker
DURATIONS = Path(__file__).with_name("durations.json")


class Sleeping(Evaluator):
    """Sleeps as long as the seed says."""

    chance = 10.0

    def spec(self) -> dict[str, Any]:
        """See `Evaluator.spec`."""
        return {"factory": "benchmark_scaling:Sleeping", "arguments": {}}

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        """Sleep; the accuracy follows from the hash."""
        seconds = float(np.clip(MEDIAN * math.exp(SPREAD * np.random.default_rng(seed).normal()), SHORTEST, LONGEST))
        time.sleep(seconds)
        return Evaluation({"accuracy": 10 + int(genotype.hash[-4:], 16) % 8000 / 100}, seconds)


class _Watched:
    """Shows how far a search is."""

    def __init__(self, progress: Progress, workers: int, trials: int) -> None:
        self._progress = progress
        self._task = progress.add_task(f"{workers} workers", total=trials)

    def update(self, trials: list[Trial], running: int) -> None:
        """See `Observer.update`."""
        self._progress.update(self._task, completed=sum(trial.finished for trial in trials))


def real(workers: int, trials: int, progress: Progress) -> dict[str, float]:
    """One search: trials a second, the seconds slept, and the share of the workers' time that they slept."""
    where = space("blockqnn", max_index=8)
    evaluator = Sleeping()
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "journal.sqlite", {}) as journal,
        ProcessesExecutor(evaluator, workers) as executor,
    ):
        _warm(executor, workers)
        how = strategy("q_learning", where, trials)
        watched = _Watched(progress, workers, trials)
        search = SearchLoop(
            where, how, evaluator, reward("accuracy"), Limits(), journal, trials, workers, None, watched
        )
        start, busy = time.monotonic(), time.process_time()
        found = search.run(executor)
        seconds, busy = time.monotonic() - start, time.process_time() - busy
    slept = sum(trial.seconds or 0.0 for trial in found)
    return {
        "trials_per_second": trials / seconds,
        "seconds": seconds,
        "utilisation": slept / (workers * seconds),
        "driver_ms_per_trial": 1000 * busy / trials,
    }


def _warm(executor: Executor, workers: int) -> None:
    """Every worker is there when the clock starts: each has had a job, as all have one at once."""
    for number in range(workers):
        executor.submit(Job(-1 - number, BlockGenotype.from_codes([(1, 4, 0, 0, 0), (2, 7, 0, 0, 0)]), number))
    for _ in range(workers):
        executor.next_result()


def simulated(durations: Sequence[float], workers: int, driver: float) -> dict[str, float]:
    """Utilisation of so many workers, asynchronous and generation by generation.

    Args:
        durations: seconds of candidates, drawn from with replacement.
        workers: how many.
        driver: seconds that the one driver is busy with each trial.
    """
    drawn = np.random.default_rng(workers).choice(np.asarray(durations, float), workers * SIMULATED_TRIALS)
    free = [0.0] * workers  # when each worker is free
    driven = 0.0  # when the driver is
    end = 0.0
    for duration in drawn:
        driven = max(driven, heapq.heappop(free)) + driver
        end = max(end, driven + duration)
        heapq.heappush(free, driven + duration)
    generations = drawn.reshape(SIMULATED_TRIALS, workers).max(1).sum() + driver * len(drawn)
    return {
        "asynchronous": float(drawn.sum() / (workers * end)),
        "generations": float(drawn.sum() / (workers * generations)),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--workers", default="1,2,4,8", help="numbers of workers, the first is compared with")
    parser.add_argument("--trials-per-worker", type=int, default=60, help="of the real searches")
    parser.add_argument("--run", type=Path, help="a run folder whose durations are simulated with")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both parts.

    Raises:
        SearchError: numbers that are none, or a run without trials.
    """
    try:
        numbers = [int(text) for text in arguments.workers.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or arguments.trials_per_worker < 1:
        raise SearchError(
            "Expected --workers as numbers from 1 with commas between them, and --trials-per-worker from 1. "
            f"Received: {arguments.workers!r}, {arguments.trials_per_worker}"
        )
    durations = _durations(arguments.run)
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    result: dict[str, Any] = {"trials_per_worker": arguments.trials_per_worker, "real": {}, "simulated": {}}
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for workers in numbers:
            result["real"][str(workers)] = real(workers, workers * arguments.trials_per_worker, progress)
    first = result["real"][str(numbers[0])]["trials_per_second"] / numbers[0]
    for workers in numbers:
        own = result["real"][str(workers)]
        own["of_linear"] = own["trials_per_second"] / (workers * first)
    driver = max(own["driver_ms_per_trial"] for own in result["real"].values()) / 1000
    result["candidates"] = {"number": len(durations), "mean_s": float(np.mean(durations)), "max_s": max(durations)}
    for workers in SIMULATED_WORKERS:
        result["simulated"][str(workers)] = simulated(durations, workers, driver)
    result["ratio"] = min(own["of_linear"] for own in result["real"].values())
    return result


def _durations(run: Path | None) -> list[float]:
    if run is None:
        return json.loads(DURATIONS.read_text(encoding="utf-8"))["seconds"]
    found = [trial.seconds for trial in read_run(run)[1] if trial.status == "done" and trial.seconds]
    if not found:
        raise SearchError(f"Expected a run with candidates that are done. Received: {run}")
    return found
