"""Strategies compared on the table of NAS-Bench-201; run by ``tools/benchmark.py tabular``.

Each run is the real search loop with its journal; a query is a distinct architecture that is looked up, and a repeat
costs nothing, as in every search. A strategy sees the validation accuracy after 12 epochs; it is judged by the test
accuracy after 200 epochs of the architecture with the best validation accuracy so far. Seeds are shared out among
processes of this script (``--part``), which print one JSON line a run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from option_checks import at_least
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from automl_cells.errors import SearchError
from automl_cells.evaluation import Limits, reward
from automl_cells.evaluation.table import TableEvaluator
from automl_cells.search.executors import SerialExecutor
from automl_cells.search.journal import Journal
from automl_cells.search.loop import SearchLoop
from automl_cells.search.trials import best_trials
from automl_cells.spaces import space
from automl_cells.strategies import STRATEGIES, strategy

BASELINE = "random"
CHECKPOINTS = (50, 100, 200, 500, 1000, 2000, 5000)  # queries, besides the last, at which the best so far is looked at


class Run(NamedTuple):
    """One search: who, which seed, the test accuracy in per cent after some numbers of queries, repeats, seconds."""

    strategy: str
    seed: int
    accuracies: dict[str, float]
    repeats: int
    seconds: float


def default_table() -> Path:
    """The table in the folder of shared data (``AUTOML_CELLS_DATA``, by default beside the repository)."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("AUTOML_CELLS_DATA") or beside) / "nas_tables" / "nasbench201.csv.gz"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--strategies", default=",".join(sorted(STRATEGIES)), help="names with commas between them")
    parser.add_argument("--queries", type=int, default=500, help="distinct architectures looked up in a run")
    parser.add_argument("--seeds", type=int, default=50, help="runs of each strategy")
    parser.add_argument("--first-seed", type=int, default=0, help="their seeds begin with this one")
    parser.add_argument("--dataset", default="c10", help="c10, c100 or in16")
    parser.add_argument("--table", type=Path, default=default_table(), help="the CSV file")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="runs at once")


def checked(arguments: argparse.Namespace) -> list[str]:
    """The names of the strategies, everything else looked at too.

    Raises:
        AutoMLCellsError: an option that makes no benchmark.
    """
    at_least(arguments, queries=1, seeds=1, processes=1, first_seed=0)
    names = list(dict.fromkeys(name.strip() for name in arguments.strategies.split(",")))
    for name in names:
        strategy(name, space("nasbench201"), arguments.queries)
    TableEvaluator(arguments.table, arguments.dataset)
    return names


def one(name: str, seed: int, queries: int, evaluator: TableEvaluator) -> Run:
    """One search."""
    where = space("nasbench201")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.sqlite", {}) as journal:
        how = strategy(name, where, queries, seed)
        loop = SearchLoop(where, how, evaluator, reward("accuracy"), Limits(), journal, queries, seed)
        trials = loop.run(SerialExecutor(evaluator))
    accuracies = {str(count): best_trials(trials[:count])[0].metrics["test_accuracy"] for count in checkpoints(queries)}
    return Run(name, seed, accuracies, sum(trial.repeats for trial in trials), time.perf_counter() - start)


def checkpoints(queries: int) -> list[int]:
    """Numbers of queries after which the best so far is looked at, the last included."""
    return [*(count for count in CHECKPOINTS if count < queries), queries]


def part(arguments: argparse.Namespace) -> Iterator[Run]:
    """The runs of one process: its share of the seeds, all strategies of each."""
    names = checked(arguments)
    evaluator = TableEvaluator(arguments.table, arguments.dataset)
    for number in range(arguments.part, arguments.seeds, arguments.processes):
        for name in names:
            yield one(name, arguments.first_seed + number, arguments.queries, evaluator)


def in_processes(arguments: argparse.Namespace) -> Iterator[Run]:
    """All runs, as they come from processes of this script.

    Raises:
        SearchError: a process failed.
    """
    options = ["--strategies", arguments.strategies, "--dataset", arguments.dataset, "--table", str(arguments.table)]
    for name in ("queries", "seeds", "first_seed", "processes"):
        options += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a process a core
    lines: queue.Queue[str | None] = queue.Queue()
    with contextlib.ExitStack() as stack:
        processes = []
        for number in range(arguments.processes):
            command = [sys.executable, __file__, *options, "--part", str(number)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
            reader = threading.Thread(target=_read, args=(process, lines))
            reader.start()
            stack.callback(reader.join)
            stack.callback(process.kill)  # first of the three at the end
            processes.append(process)
        open_ends = len(processes)
        while open_ends:
            line = lines.get()
            if line is None:
                open_ends -= 1
            else:
                yield Run(*json.loads(line))
        for process in processes:
            if process.wait():
                raise SearchError(f"Expected every process to end well. Received: exit status {process.returncode}")


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    """Pass on what a process prints, then `None`."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """For each strategy the means over its runs, and how far it is from random search in standard errors."""
    by_name: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_name[run.strategy].append(run)
    result: dict[str, Any] = {}
    for name, own in sorted(by_name.items()):
        after = {
            count: dict(zip(("mean", "standard_error"), mean([run.accuracies[count] for run in own]), strict=True))
            for count in own[0].accuracies
        }
        last = list(after.values())[-1]
        result[name] = {
            **last,
            "runs": len(own),
            "seconds": statistics.mean(run.seconds for run in own),
            "repeats": statistics.mean(run.repeats for run in own),
            "after": after,
        }
    for figures in result.values():
        if BASELINE in result and figures is not result[BASELINE]:
            error = math.hypot(figures["standard_error"], result[BASELINE]["standard_error"])
            difference = figures["mean"] - result[BASELINE]["mean"]
            figures["above_random"] = difference
            figures["above_random_in_standard_errors"] = difference / error if error else None
    return result


def mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error, which is 0 for a single value."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return statistics.mean(values), error


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run everything, with a progress line on standard error.

    Raises:
        AutoMLCellsError: an option that makes no benchmark, or a process failed.
    """
    names = checked(arguments)
    columns = (
        TextColumn("tabular"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs, left"),
        TimeRemainingColumn(),
    )
    runs = []
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("tabular", total=len(names) * arguments.seeds)
        for run in in_processes(arguments):
            runs.append(run)
            progress.advance(task)
    figures = summary(runs)
    return {
        "table": arguments.table.name,
        "dataset": arguments.dataset,
        "queries": arguments.queries,
        "seeds": arguments.seeds,
        "first_seed": arguments.first_seed,
        "ratio": headline(figures),
        "strategies": figures,
    }


def headline(figures: Mapping[str, Any]) -> float | None:
    """Test error of the best strategy over that of random search; ``None`` unless that and another were compared."""
    others = [own["mean"] for name, own in figures.items() if name != BASELINE]
    if BASELINE not in figures or not others or figures[BASELINE]["mean"] == 100:
        return None
    return (100 - max(others)) / (100 - figures[BASELINE]["mean"])


def main() -> None:
    """Print the runs of one process as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--part", type=int, required=True, help="number of this process, from 0")
    for run in part(parser.parse_args()):
        print(json.dumps(run), flush=True)


if __name__ == "__main__":
    main()
