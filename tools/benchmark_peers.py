"""Our searches against other systems: same data, cores and wall-clock; run by ``tools/benchmark.py search-peers``.

Each system is a process of its own (``tools/peers``), one after the other, that logs every model which it would hand
over and that model's test accuracy; the logs of all of them are read in the same way. The test images choose nothing:
each system selects by validation images that it holds out of the training images itself. A system that is finished is
not run again: its log and result stay in the work folder.

Target: 99 % of the digits, 88 % of Fashion-MNIST with 4,000 training images. ``seconds_to_target`` counts the models
that a system has to hand over (of a tuner: after a trial has ended), ``seconds_to_target_any_checkpoint`` those of
trials under way, too. ``ratio`` is the first, of AutoKeras over ours (blocks); where AutoKeras never got there it is
its time limit over ours, and ``ratio_is_lower_bound`` says so.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from peers.log import read_log, summary
from peers.process import watch
from peers.systems import ROOT, SYSTEMS, chosen
from rich.console import Console
from rich.table import Table

from automl_cells.datasets import load
from automl_cells.errors import SearchError
from automl_cells.files import replacing, write_atomically

TARGETS = {"digits": 99.0, "fashion": 88.0}
FASHION_TRAINING, FASHION_TEST = 4000, 2000  # images
OURS, AUTOKERAS = "ours_blockqnn", "autokeras"
KERAS_TUNER = tuple(name for name, system in SYSTEMS.items() if system.module == "keras_tuner_search")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--data", choices=TARGETS, default="digits", help="digits, or a part of Fashion-MNIST")
    parser.add_argument("--minutes", type=float, default=20, help="wall-clock of each system")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="names with commas between them")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="folder for logs and results")
    parser.add_argument(
        "--fashion",
        type=Path,
        default=Path(os.environ.get("AUTOML_CELLS_DATA", "")) / "fashion_mnist.npz",
        help="Fashion-MNIST in the layout of keras.datasets",
    )


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the systems that have not been run, one after the other, and read all logs.

    Raises:
        AutoMLCellsError: an option that makes no benchmark, data that cannot be read, or a damaged result.
    """
    if not (math.isfinite(arguments.minutes) and arguments.minutes > 0):
        raise SearchError(f"Expected --minutes above 0. Received: {arguments.minutes:g}")
    if arguments.seed < 0:
        raise SearchError(f"Expected --seed from 0. Received: {arguments.seed}")
    names = chosen(arguments.systems)
    limit = 60 * arguments.minutes
    work = arguments.work.resolve() / f"{arguments.data}-{arguments.minutes:g}min-seed{arguments.seed}"
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"Expected a folder for --work. Received: {arguments.work} ({error.strerror})") from None
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    try:
        with FileLock(work / ".lock", timeout=0):
            data = _prepared(arguments.data, arguments.fashion, work)
            rows = {name: _row(name, data, work / name, limit, arguments.seed, console) for name in names}
    except Timeout:
        raise SearchError(f"Expected a work folder that no other run is using. Received: {work}") from None
    console.print(table(rows, TARGETS[arguments.data]))
    return {
        "data": arguments.data,
        "minutes": arguments.minutes,
        "seed": arguments.seed,
        "target": TARGETS[arguments.data],
        **headline(rows, limit),
        "systems": rows,
    }


def headline(rows: Mapping[str, Mapping[str, Any]], limit: float) -> dict[str, Any]:
    """How many times sooner ours is than AutoKeras (``ratio``), and than the soonest of KerasTuner's.

    A system that never got to the target is taken to need its whole time `limit`, in seconds. ``None`` where ours never
    got there, or a side has not been run.
    """
    ours = rows.get(OURS, {}).get("seconds_to_target")
    found: dict[str, Any] = {}
    for key, others in (("ratio", (AUTOKERAS,)), ("ratio_keras_tuner", KERAS_TUNER)):
        run = [rows[name]["seconds_to_target"] for name in others if name in rows]
        reached = [seconds for seconds in run if seconds is not None]
        found[key] = None if ours is None or not run else (min(reached) if reached else limit) / ours
        found[f"{key}_is_lower_bound"] = bool(run) and not reached
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


def _row(name: str, data: Path, folder: Path, limit: float, seed: int, console: Console) -> dict[str, Any]:
    """What one system reached; runs it unless it has been run to its end."""
    kept = folder / "result.json"
    if not kept.is_file():
        console.print(f"{name}: {SYSTEMS[name].title}, {limit:g} s, log in {folder}", highlight=False, soft_wrap=True)
        _run(name, data, folder, limit, seed)
    try:
        ended = json.loads(kept.read_bytes())
        held: dict[str, Any] = {
            "peak_mb": float(ended["peak_mb"]),
            "date": str(ended["date"]),
            "cores": int(ended["cores"]),
        }
        held["failure"] = ended["failure"]
    except (ValueError, TypeError, LookupError):
        raise SearchError(f"Expected a result of this benchmark in {kept}. Received: something else") from None
    target = TARGETS[data.stem]
    return {**summary(read_log(folder / "log.jsonl"), target), **held}


def _run(name: str, data: Path, folder: Path, limit: float, seed: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a system that was interrupted
    folder.mkdir(parents=True)
    system = SYSTEMS[name]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tools"),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    start = time.monotonic()  # which is the machine's, the same in every process
    command = [system.python, "-m", f"peers.{system.module}", name, data, folder, start, limit, seed]
    # What the recorder takes for the test images does not count for the system, hence more than the limit.
    ended = watch([str(word) for word in command], folder / "output.txt", environment, 2 * limit + 120)
    failure = None if ended.status == 0 else "too late" if ended.status is None else f"status {ended.status}"
    log = folder / "log.jsonl"
    if failure and not (log.is_file() and any(event["event"] == "model" for event in read_log(log))):
        raise SearchError(
            f"Expected {name} to run until its time is over. Received: {failure}, see {folder}/output.txt"
        )
    result = {
        "peak_mb": round(ended.peak_mb),
        "date": time.strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "failure": failure,  # after its first model: what it had until then counts
    }
    write_atomically(folder / "result.json", json.dumps(result) + "\n")


def table(rows: Mapping[str, Mapping[str, Any]], target: float) -> Table:
    """The result as people read it; ``*`` marks a model that was a checkpoint of an unfinished training only."""
    drawn = Table()
    drawn.add_column("system", no_wrap=True)
    for head in ("test %", "parameters", f"s to {target:g} %", "… any checkpoint", "candidates", "peak MB"):
        drawn.add_column(head, justify="right")
    for name, row in rows.items():
        test = "–" if row["test_accuracy"] is None else f"{row['test_accuracy']:.2f}{'*' * row['checkpoint']}"
        times = (row["seconds_to_target"], row["seconds_to_target_any_checkpoint"])
        shown = ("–" if seconds is None else f"{seconds:.0f}" for seconds in times)
        parameters = "–" if row["parameters"] is None else f"{row['parameters']:,}"
        drawn.add_row(name, test, parameters, *shown, f"{row['candidates']:,}", f"{row['peak_mb']:,.0f}")
    return drawn
