"""``python tools/benchmark.py NAME [--json FILE]``: measurements that the documentation quotes.

deploy    our exports against plain Keras exports, int8 against float32 (about 2 minutes)
loop      milliseconds a trial of the search loop itself: an evaluator that returns at once, journal included
nasnet    NASNet-A mobile against keras.applications': build, training step, inference (about 2 minutes)
overhead  what an evaluation of a candidate costs, ours against plain Keras compile + fit (about 10 minutes)
scaling   trials a second of 1, 2, 4 and 8 workers; 32 to 1,024 workers simulated (about 4 minutes)
search-peers  our searches against KerasTuner, AutoKeras, NASNetMobile, each for --minutes (needs `make peers`)
tabular   search strategies compared on NAS-Bench-201 (about 5 minutes on two cores; --help for the options)
train     images a second and peak memory of a training, ours against plain Keras compile + fit (about 10 minutes)
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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import benchmark_overhead
import benchmark_peers
import benchmark_scaling
import benchmark_tabular
from option_checks import at_least, check_file
from rich.console import Console

from automl_cells.builder import Template, template
from automl_cells.errors import AutoMLCellsError, SearchError
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


def in_its_own_process(script: str, options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """What a script beside this one measures, given the options with these names, numbers from 1.

    Raises:
        SearchError: a number below 1, or the script failed.
    """
    words = []
    for name in names:
        at_least(options, **{name: 1})
        words += [f"--{name}", str(getattr(options, name))]
    command = [sys.executable, str(Path(__file__).parent / script), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SearchError(f"Expected {script} to end well. Received: exit status {done.returncode}, see above")
    return json.loads(done.stdout.splitlines()[-1])  # the last line that it prints


class Benchmark(NamedTuple):
    """What runs, given the options of the command line, and what declares those beside ``--json``."""

    run: Callable[[argparse.Namespace], dict[str, Any]]
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def nasnet_options(parser: argparse.ArgumentParser) -> None:
    """See ``tools/benchmark_nasnet.py``."""
    parser.add_argument("--rounds", type=int, default=15, help="timed repetitions of each")
    parser.add_argument("--batch", type=int, default=8, help="images a step")


def deploy_options(parser: argparse.ArgumentParser) -> None:
    """See ``tools/benchmark_deploy.py``."""
    parser.add_argument("--rounds", type=int, default=60, help="timed runs of each file")
    parser.add_argument("--exports", type=int, default=1, help="exports by each")


BENCHMARKS = {
    "deploy": Benchmark(
        lambda options: in_its_own_process("benchmark_deploy.py", options, "rounds", "exports"), deploy_options
    ),
    "loop": Benchmark(lambda options: loop()),
    "nasnet": Benchmark(
        lambda options: in_its_own_process("benchmark_nasnet.py", options, "rounds", "batch"), nasnet_options
    ),
    "overhead": Benchmark(benchmark_overhead.run, benchmark_overhead.add_options),
    "scaling": Benchmark(benchmark_scaling.measure, benchmark_scaling.add_options),
    "search-peers": Benchmark(benchmark_peers.compare, benchmark_peers.add_options),
    "tabular": Benchmark(benchmark_tabular.compare, benchmark_tabular.add_options),
    "train": Benchmark(lambda options: in_its_own_process("benchmark_train.py", options)),
}


def main() -> None:
    """Run one benchmark and print what it measured; bad input is one line on standard error and status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, benchmark in BENCHMARKS.items():
        options = names.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        benchmark.add_options(options)
        options.add_argument("--json", type=Path, help="write the result to this file too")
    arguments = parser.parse_args()
    try:
        check_file(arguments.json)
        measured = BENCHMARKS[arguments.name].run(arguments)
    except AutoMLCellsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    result = {
        "benchmark": arguments.name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        **measured,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        write_atomically(arguments.json, text + "\n")


if __name__ == "__main__":
    main()
