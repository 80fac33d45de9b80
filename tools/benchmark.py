"""``python tools/benchmark.py NAME [--json FILE]``: measurements that the documentation quotes.

loop    milliseconds a trial of the search loop itself: an evaluator that returns at once, journal included
train   images a second and peak memory of a training, ours against plain Keras compile + fit (about 10 minutes)
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from automl_cells.builder import Template, template
from automl_cells.evaluation import Evaluation, Limits, reward
from automl_cells.evaluation.proxy_training import ProxyTraining
from automl_cells.files import write_atomically
from automl_cells.genotypes import Genotype
from automl_cells.search.executors import SerialExecutor
from automl_cells.search.journal import Journal
from automl_cells.search.loop import SearchLoop
from automl_cells.search.progress import SearchProgress
from automl_cells.spaces import space
from automl_cells.strategies import strategy


class _Instant(ProxyTraining):
    """Knows the cost of every candidate, and makes its accuracy up from its hash instead of training it."""

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        metrics = self.known(genotype) | {"accuracy": 50 + int(genotype.hash[-4:], 16) % 500 / 10}
        return Evaluation(metrics, 0.0)


def loop(trials: int = 2000, runs: int = 3) -> dict[str, Any]:
    """The search loop's own time: proposals, canonical hashes, limits, journal, Q-learning's replay, progress display.

    With the template's limits, and with 100,000 parameters, which two of three proposals exceed.
    """
    frame = template("cifar", repeats=1, filters=(16, 32, 64), input_shape=(8, 8, 1))
    result: dict[str, Any] = {"trials": trials, "runs": runs}
    for name, limit in itertools.product(("random", "q_learning"), (frame.max_params, 100_000)):
        times = [_one_loop(name, trials, seed, frame, Limits(limit, frame.max_flops)) for seed in range(runs)]
        result[f"{name}, at most {limit:,} parameters"] = {
            "ms_per_trial": statistics.median(times),
            "min": min(times),
            "max": max(times),
        }
    return result


def _one_loop(name: str, trials: int, seed: int, frame: Template, limits: Limits) -> float:
    """Milliseconds a trial of one search."""
    where = space("blockqnn")
    evaluator = _Instant("digits", frame)
    console = Console(file=io.StringIO(), force_terminal=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "journal.sqlite", {}) as journal,
        SearchProgress(trials, console) as progress,
    ):
        how = strategy(name, where, trials, seed)
        value = reward("blockqnn_early_stop")
        start = time.perf_counter()
        SearchLoop(where, how, evaluator, value, limits, journal, trials, seed, None, progress).run(
            SerialExecutor(evaluator)
        )
        return 1000 * (time.perf_counter() - start) / trials


def train() -> dict[str, Any]:
    """Ours against plain Keras: see ``tools/benchmark_train.py``."""
    script = Path(__file__).with_name("benchmark_train.py")
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


BENCHMARKS = {"loop": loop, "train": train}


def main() -> None:
    """Run one benchmark and print what it measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    arguments = parser.parse_args()
    result = {
        "benchmark": arguments.name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        **BENCHMARKS[arguments.name](),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        write_atomically(arguments.json, text + "\n")


if __name__ == "__main__":
    main()
