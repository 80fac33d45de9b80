"""``python tools/benchmark.py NAME [--json FILE]``: measurements that the documentation quotes.

loop    milliseconds a trial of the search loop itself: an evaluator that returns at once, journal included
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from automl_cells.builder import template
from automl_cells.evaluation import Evaluation, Limits, reward
from automl_cells.evaluation.proxy_training import ProxyTraining
from automl_cells.files import write_atomically
from automl_cells.genotypes import Genotype
from automl_cells.search.executors import SerialExecutor
from automl_cells.search.journal import Journal
from automl_cells.search.loop import SearchLoop
from automl_cells.spaces import space
from automl_cells.strategies import strategy


class _Instant(ProxyTraining):
    """Knows the cost of every candidate, and makes its accuracy up from its hash instead of training it."""

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        metrics = self.known(genotype) | {"accuracy": 50 + int(genotype.hash[-4:], 16) % 500 / 10}
        return Evaluation(metrics, 0.0)


def loop(trials: int = 2000, runs: int = 3) -> dict[str, Any]:
    """The search loop's own time: proposal, canonical hash, limits, journal, Q-learning with its replay."""
    frame = template("cifar", repeats=1, filters=(16, 32, 64), input_shape=(8, 8, 1))
    where = space("blockqnn")
    evaluator = _Instant("digits", frame)
    result: dict[str, Any] = {"trials": trials, "runs": runs}
    for name in ("random", "q_learning"):
        times = []
        for seed in range(runs):
            with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.sqlite", {}) as journal:
                how = strategy(name, where, trials, seed)
                limits = Limits(frame.max_params, frame.max_flops)
                start = time.perf_counter()
                search = SearchLoop(where, how, evaluator, reward("blockqnn_early_stop"), limits, journal, trials, seed)
                search.run(SerialExecutor(evaluator))
                times.append(1000 * (time.perf_counter() - start) / trials)
        result[name] = {"ms_per_trial": statistics.median(times), "min": min(times), "max": max(times)}
    return result


BENCHMARKS = {"loop": loop}


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
