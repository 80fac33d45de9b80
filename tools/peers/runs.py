"""The systems' runs: one after the other on all cores, or side by side with a core each; what is finished is kept."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cores import hand_out
from rich.console import Console

from automl_cells.errors import SearchError
from automl_cells.files import write_atomically
from peers.log import read_log, summary
from peers.process import watch
from peers.systems import ROOT, SYSTEMS


class Run(NamedTuple):
    """One system with one seed.

    Attributes:
        name: of the system.
        seed: of everything random.
        data: the ``.npz`` with the images.
        folder: for its log and result, and whatever it writes.
        limit: wall-clock in seconds.
        target: per cent of the test images.
        until_target: whether it ends as soon as a model that it would hand over has so many right.
    """

    name: str
    seed: int
    data: Path
    folder: Path
    limit: float
    target: float
    until_target: bool

    @property
    def result(self) -> Path:
        """Where what was measured from outside is kept once the run is over."""
        return self.folder / "result.json"

    def command(self, start: float) -> list[str]:
        """What to start; `start` is the monotonic clock, which is the machine's, the same in every process."""
        system = SYSTEMS[self.name]
        until = self.target if self.until_target else "never"
        words = (self.name, self.data, self.folder, start, self.limit, self.seed, until)
        return [str(word) for word in (system.python, "-m", f"peers.{system.module}", *words)]

    def row(self) -> dict[str, Any]:
        """What the system reached.

        Raises:
            SearchError: a result that this benchmark has not written.
        """
        try:
            ended = json.loads(self.result.read_bytes())
            held: dict[str, Any] = {
                "peak_mb": float(ended["peak_mb"]),
                "date": str(ended["date"]),
                "cores": int(ended["cores"]),
            }
            held["failure"] = ended["failure"]
        except (OSError, ValueError, TypeError, LookupError):
            raise SearchError(
                f"Expected a result of this benchmark in {self.result}. Received: something else"
            ) from None
        return {**summary(read_log(self.folder / "log.jsonl"), self.target), **held}


def perform(runs: Sequence[Run], cores: Sequence[int] | None, console: Console) -> None:
    """Run what has not been run to its end.

    Args:
        runs: what to run, in this order.
        cores: the cores for a run each, as many at once; ``None``: one run after the other on all cores.
        console: for a line about each.

    Raises:
        SearchError: a system ended without a model; nothing more is begun then.
    """
    left = [run for run in runs if not run.result.is_file()]
    at_once: Sequence[int | None] = cores or (None,)
    stop = threading.Event()

    def one(run: Run, core: int | None) -> None:
        title = f"{run.name}, seed {run.seed}"
        console.print(f"{title}: at most {run.limit:g} s, log in {run.folder}", highlight=False, soft_wrap=True)
        _run(run, core, stop)

    def say(run: Run, ended: int) -> None:
        test = run.row()["test_accuracy"]
        reached = "no model" if test is None else f"{test:.2f} %"
        minutes = (len(left) - ended) * run.limit / 60 / len(at_once)
        line = f"{ended}/{len(left)} {run.name}, seed {run.seed}: {reached}, at most {minutes:.0f} minutes left"
        console.print(line, highlight=False)

    hand_out(left, at_once, one, say, stop)


def _run(run: Run, core: int | None, stop: threading.Event) -> None:
    """Run one to its end; without a result if `stop` was set meanwhile."""
    shutil.rmtree(run.folder, ignore_errors=True)  # of a system that was interrupted
    run.folder.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT)]),  # the package of this checkout
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    # What the recorder takes for the test images does not count for the system, hence more than the limit.
    command, output, at_most = run.command(time.monotonic()), run.folder / "output.txt", 2 * run.limit + 120
    ended = watch(command, output, environment, at_most, core, stop)
    if stop.is_set():
        return
    failure = None if ended.status == 0 else "too late" if ended.status is None else f"status {ended.status}"
    log = run.folder / "log.jsonl"
    if failure and not (log.is_file() and any(event["event"] == "model" for event in read_log(log))):
        raise SearchError(
            f"Expected {run.name} to run until its time is over. Received: {failure}, see {run.folder}/output.txt"
        )
    all_cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    result = {
        "peak_mb": round(ended.peak_mb),
        "date": time.strftime("%Y-%m-%d"),
        "cores": all_cores if core is None else 1,
        "failure": failure,  # after its first model: what it had until then counts
    }
    write_atomically(run.result, json.dumps(result) + "\n")
