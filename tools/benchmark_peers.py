"""Our searches against other systems: same data, cores and wall-clock; run by ``tools/benchmark.py search-peers``.

Each system is a process of its own (``tools/peers``), one after the other or each on a core of its own, that logs every
model which it would hand over and that model's test accuracy; the logs of all of them are read in the same way. The
test images choose nothing: each system selects by validation images that it holds out of the training images itself. A
system that is finished is not run again: its log and result stay in the work folder.

Target: 99 % of the digits, 88 % of Fashion-MNIST with 4,000 training images. ``seconds_to_target`` counts the models
that a system has to hand over (of a tuner: after a trial has ended), ``seconds_to_target_any_checkpoint`` those of
trials under way, too. ``ratio`` is the first, of AutoKeras over ours (blocks), the median over the seeds; where
AutoKeras never got there it is the time that it ran over ours, and ``ratio_is_lower_bound`` says so.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from peers.runs import Run, perform
from peers.systems import SYSTEMS, chosen
from rich.console import Console
from rich.table import Table

from automl_cells.datasets import load
from automl_cells.errors import SearchError
from automl_cells.files import replacing

TARGETS = {"digits": 99.0, "fashion": 88.0}
FASHION_TRAINING, FASHION_TEST = 4000, 2000  # images
OURS, AUTOKERAS = "ours_blockqnn", "autokeras"
KERAS_TUNER = tuple(name for name, system in SYSTEMS.items() if system.module == "keras_tuner_search")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--data", choices=TARGETS, default="digits", help="digits, or a part of Fashion-MNIST")
    parser.add_argument("--minutes", type=float, default=20, help="wall-clock of each system")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="names with commas between them")
    parser.add_argument("--seeds", default="0", help="of everything random: numbers with commas, a run each")
    parser.add_argument("--until-target", action="store_true", help="end a system when it hands over a model so good")
    parser.add_argument("--side-by-side", action="store_true", help="as many systems at once as cores, a core each")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="folder for logs and results")
    parser.add_argument(
        "--fashion",
        type=Path,
        default=Path(os.environ.get("AUTOML_CELLS_DATA", "")) / "fashion_mnist.npz",
        help="Fashion-MNIST in the layout of keras.datasets",
    )


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the systems that have not been run and read all logs.

    Raises:
        AutoMLCellsError: an option that makes no benchmark, data that cannot be read, or a damaged result.
    """
    if not (math.isfinite(arguments.minutes) and arguments.minutes > 0):
        raise SearchError(f"Expected --minutes above 0. Received: {arguments.minutes:g}")
    words = [word.strip() for word in arguments.seeds.split(",")]
    if not all(word.isdecimal() for word in words):
        raise SearchError(f"Expected --seeds with whole numbers from 0. Received: {arguments.seeds!r}")
    seeds = list(dict.fromkeys(map(int, words)))
    if arguments.side_by_side and sys.platform != "linux":
        raise SearchError(f"Expected Linux for --side-by-side. Received: {sys.platform}")
    cores = sorted(os.sched_getaffinity(0)) if arguments.side_by_side else None
    names = chosen(arguments.systems)
    limit, target = 60 * arguments.minutes, TARGETS[arguments.data]
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    with contextlib.ExitStack() as stack:
        runs = []
        for seed in seeds:
            work = _folder(arguments, seed)
            try:
                stack.enter_context(FileLock(work / ".lock", timeout=0))
            except Timeout:
                raise SearchError(f"Expected a work folder that no other run is using. Received: {work}") from None
            data = _prepared(arguments.data, arguments.fashion, work)
            runs += [Run(name, seed, data, work / name, limit, target, arguments.until_target) for name in names]
        perform(runs, cores, console)
        rows = {seed: {run.name: run.row() for run in runs if run.seed == seed} for seed in seeds}
    console.print(table(rows, target))
    return {
        "data": arguments.data,
        "minutes": arguments.minutes,
        "target": target,
        "until_target": arguments.until_target,
        "side_by_side": arguments.side_by_side,
        **overall([headline(of_seed) for of_seed in rows.values()]),
        "seeds": {seed: {**headline(of_seed), "systems": of_seed} for seed, of_seed in rows.items()},
    }


def _folder(arguments: argparse.Namespace, seed: int) -> Path:
    """Where runs with these options are kept."""
    how = "-core-each" * arguments.side_by_side + "-until-target" * arguments.until_target
    work = arguments.work.resolve() / f"{arguments.data}-{arguments.minutes:g}min{how}-seed{seed}"
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"Expected a folder for --work. Received: {arguments.work} ({error.strerror})") from None
    return work


RATIOS = {"ratio": (AUTOKERAS,), "ratio_keras_tuner": KERAS_TUNER}


def headline(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """How many times sooner ours is than AutoKeras (``ratio``), and than the soonest of KerasTuner's.

    A system that never got to the target is taken to need the seconds that it ran: all its time, or until it failed or
    had nothing left to try. 0 where ours never got there, ``None`` where a side has not been run.
    """
    found: dict[str, Any] = {}
    for key, others in RATIOS.items():
        run = [rows[name] for name in others if name in rows]
        found[key], found[f"{key}_is_lower_bound"] = None, False
        if run and OURS in rows:
            ours = rows[OURS]["seconds_to_target"]
            took, bound = min(
                (row["seconds"], True) if row["seconds_to_target"] is None else (row["seconds_to_target"], False)
                for row in run
            )
            found[key] = 0.0 if ours is None else took / ours
            found[f"{key}_is_lower_bound"] = ours is not None and bound
    return found


def overall(headlines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The medians over the seeds; lower bounds where the ratio of a seed is one."""
    found: dict[str, Any] = {}
    for key in RATIOS:
        known = [each for each in headlines if each[key] is not None]
        found[key] = statistics.median(each[key] for each in known) if known else None
        found[f"{key}_is_lower_bound"] = any(each[f"{key}_is_lower_bound"] for each in known)
    return found


def _prepared(data: str, fashion: Path, work: Path) -> Path:
    """An ``.npz`` for all systems: raw pixels, training images in one random order that is always the same."""
    words = "digits" if data == "digits" else f"npz:{fashion}?train={FASHION_TRAINING}&seed=0"
    dataset = load(words)
    order = np.random.default_rng(0).permutation(len(dataset.y_train))
    tested = slice(None) if data == "digits" else slice(FASHION_TEST)
    path = work / f"{data}.npz"
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            x_train=np.asarray(dataset.x_train)[order],
            y_train=dataset.y_train[order],
            x_test=np.asarray(dataset.x_test)[tested],
            y_test=dataset.y_test[tested],
        )
    return path


def table(seeds: Mapping[int, Mapping[str, Mapping[str, Any]]], target: float) -> Table:
    """The result as people read it; ``*`` marks a model that was a checkpoint of an unfinished training only."""
    drawn = Table()
    drawn.add_column("system", no_wrap=True)
    for head in ("seed", "test %", "parameters", f"s to {target:g} %", "… any checkpoint", "candidates", "peak MB"):
        drawn.add_column(head, justify="right")
    names = dict.fromkeys(name for rows in seeds.values() for name in rows)
    for name, (seed, rows) in itertools.product(names, seeds.items()):
        row = rows[name]
        test = "–" if row["test_accuracy"] is None else f"{row['test_accuracy']:.2f}{'*' * row['checkpoint']}"
        times = (row["seconds_to_target"], row["seconds_to_target_any_checkpoint"])
        shown = ("–" if seconds is None else f"{seconds:.0f}" for seconds in times)
        parameters = "–" if row["parameters"] is None else f"{row['parameters']:,}"
        cells = (f"{seed}", test, parameters, *shown, f"{row['candidates']:,}", f"{row['peak_mb']:,.0f}")
        drawn.add_row(name if row["failure"] is None else f"{name} ({row['failure']})", *cells)
    return drawn
