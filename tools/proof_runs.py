"""The searches and trainings of ``tools/proof.py``: commands of the package, two at a time, each on a core of its own.

What is done lies in the work folder and is not done again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cores import available, hand_out, on_core
from rich.console import Console

from automl_cells.errors import SearchError
from automl_cells.files import write_atomically

COMMAND = (sys.executable, "-m", "automl_cells.cli.main")


class Run(NamedTuple):
    """One command that leaves a folder behind.

    Attributes:
        out: the folder.
        arguments: of ``automl-cells``, without ``--out``.
        resumable: whether what an interrupted one has left can be continued. A search that was given so much time
            cannot: it begins anew.
    """

    out: Path
    arguments: tuple[str, ...]
    resumable: bool

    @property
    def ended(self) -> bool:
        """Whether such a run, perhaps with other arguments, was brought to its end."""
        return (self.out / "done.json").exists()

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.ended and self.record()["arguments"] == list(self.arguments)

    @property
    def arguments_file(self) -> Path:
        """What it was begun with, beside the folder."""
        return self.out.with_suffix(".arguments.json")

    @property
    def begun(self) -> bool:
        """Whether what lies in the folder was begun with these arguments."""
        file = self.arguments_file
        return file.exists() and json.loads(file.read_text()) == list(self.arguments)

    def record(self) -> dict[str, Any]:
        """What is written down of a run that has ended: its seconds and its arguments."""
        return json.loads((self.out / "done.json").read_text())


def search_run(work: Path, space: str, strategy: str, seed: int, minutes: float, options: Sequence[str]) -> Run:
    """A search for so many minutes with one worker."""
    arguments = ("search", "--space", space, "--strategy", strategy, "--seed", str(seed), "--trials", "5000")
    return Run(
        work / "searches" / f"{space}-{strategy}-{seed}",
        (*arguments, "--budget", f"{60 * minutes:g}s", *options),
        False,
    )


def train_run(work: Path, name: str, genotype: str, seed: int, options: Sequence[str]) -> Run:
    """A full training of a genotype file."""
    return Run(work / "trainings" / name, ("train", genotype, "--seed", str(seed), *options), True)


def perform(runs: Sequence[Run], console: Console, together: bool = False) -> None:
    """Do all that is not done.

    Args:
        runs: what to do.
        console: for a line about each.
        together: whether the runs are to be compared by their time: they begin at the same moment, and all of them
            begin anew if one was interrupted.

    Raises:
        SearchError: a command failed; those under way are waited for, and nothing more is begun.
    """
    left = [run for run in runs if not run.done]
    if together and left:
        left = list(runs)
    cores = available()
    if together and len(left) > len(cores):
        raise SearchError(f"Expected a core for each of {len(left)} searches. Received: {len(cores)}")
    begun = time.monotonic()

    def say(run: Run, ended: int) -> None:
        minutes = (time.monotonic() - begun) / 60
        rest = minutes / ended * (len(left) - ended)
        console.print(f"{ended}/{len(left)} {run.out.name}: done, {rest:.0f} minutes left")

    def one(run: Run, core: int | None) -> None:
        try:
            _one(run, core)
        except SearchError as error:
            console.print(f"{error} (others that are under way are waited for)", soft_wrap=True)
            raise

    hand_out(left, cores, one, say, threading.Event())


def _one(run: Run, core: int | None) -> None:
    """Bring one to its end."""
    resume = []
    if run.out.exists():
        if run.resumable and not run.ended and run.begun and any(run.out.iterdir()):
            resume = ["--resume"]
        else:
            shutil.rmtree(run.out)
    (run.out / "done.json").unlink(missing_ok=True)
    run.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(run.arguments_file, json.dumps(run.arguments) + "\n")
    log = run.out.with_suffix(".log")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.monotonic()
    with log.open("w") as stream:
        with on_core(core):  # frameworks and workers count the cores that are theirs
            process = subprocess.Popen(
                [*COMMAND, *run.arguments, "--out", str(run.out), *resume],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        status = process.wait()
    if status:
        raise SearchError(f"Expected all runs to succeed. Received: {run.out.name}: status {status}, see {log}")
    seconds = round(time.monotonic() - start, 1)
    write_atomically(run.out / "done.json", json.dumps({"seconds": seconds, "arguments": run.arguments}) + "\n")


def metrics(folder: Path) -> dict[str, Any]:
    """What the training in that folder measured."""
    return json.loads((folder / "entry" / "metrics.json").read_text())
