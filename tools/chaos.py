"""``python tools/chaos.py --trials 500``: a search whose workers and driver are killed all the time loses nothing.

A driver process searches with worker processes; every now and then one of its workers, drawn at random, gets SIGKILL,
and after equal shares of the trials the driver itself, which is then started anew and resumes. At the end the journal
must hold every trial done, each exactly once, with the answer that belongs to its genotype; no genotype twice; SQLite
must find no fault in the file; and no process may be left. The evaluator reads the table of NAS-Bench-201, where there
is one, or makes its accuracies up, and sleeps a random time. Needs Linux, whose /proc says who is whose child. Prints
what happened, JSON; ends with status 1 if something was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import chaos_search
from benchmark_tabular import default_table
from option_checks import at_least, check_file
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from automl_cells.errors import AutoMLCellsError, JournalError, SearchError
from automl_cells.files import write_atomically
from automl_cells.search.journal import Journal
from automl_cells.search.run_folder import JOURNAL
from automl_cells.search.trials import trials_of

_LOOK_EVERY = 0.05  # seconds between two looks at who is to be killed
_COUNT_EVERY = 0.2  # seconds between two looks into the journal
_STALLED = 300.0  # seconds without an answer after which the search is given up
_PATIENCE = 15.0  # seconds for workers to notice that their driver is gone


class Killed(NamedTuple):
    """What was done to the search: processes killed, drivers started, seconds that it took."""

    workers: int
    drivers: int
    seconds: float


def torment(
    folder: Path, options: argparse.Namespace, table: str | None, progress: Progress
) -> tuple[Killed, list[str]]:
    """Run the search to its end, killing; what was done, and what should not have happened."""
    rng = random.Random(options.seed)
    task = progress.add_task("chaos", total=options.trials)
    command = [sys.executable, chaos_search.__file__, str(folder), str(table or "none")]
    command += [str(getattr(options, name)) for name in ("trials", "workers", "seed", "seconds")]
    start = time.monotonic()
    killed_workers = killed_drivers = 0
    next_kill = start + 1 / options.kills_per_second if options.kills_per_second else float("inf")
    next_count = start
    seen: set[tuple[int, str]] = set()  # every worker: process id, time of its start
    done, last_progress = 0, start
    driver = subprocess.Popen(command)
    try:
        while driver.poll() is None:
            time.sleep(_LOOK_EVERY)
            now = time.monotonic()
            workers = children(driver.pid)
            seen.update(workers.items())
            if now >= next_kill:
                next_kill = max(now, next_kill + 1 / options.kills_per_second)
                killed_workers += bool(workers) and kill_child(rng.choice(sorted(workers)), driver.pid)
            if now < next_count:
                continue
            next_count = now + _COUNT_EVERY
            if (found := finished(folder)) > done:
                done, last_progress = found, now
                progress.update(
                    task,
                    completed=done,
                    description=f"chaos, {killed_workers} workers, {killed_drivers} drivers killed",
                )
            elif now - last_progress > _STALLED:
                return (
                    Killed(killed_workers, killed_drivers, now - start),
                    [f"no answer in {_STALLED:g} s after {done} of {options.trials} trials"],
                )
            due = options.trials * (killed_drivers + 1) / (options.driver_kills + 1)
            if killed_drivers < options.driver_kills and due < done < options.trials:
                driver.kill()
                driver.wait()
                killed_drivers += 1
                driver = subprocess.Popen(command)
    finally:
        driver.kill()
        driver.wait()
    progress.update(task, completed=finished(folder))
    faults = [f"the driver ended with status {driver.returncode}"] if driver.returncode else []
    if killed_drivers < options.driver_kills:
        faults.append(f"only {killed_drivers} drivers could be killed; use more trials or longer sleeps")
    if left := survivors(seen):
        faults.append(f"workers that outlived their driver: {left}")
    return Killed(killed_workers, killed_drivers, time.monotonic() - start), faults


def children(parent: int) -> dict[int, str]:
    """The processes that `parent` has started and that have not ended, each with the time of its start."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _status(int(entry.name))) is not None:
            state, its_parent, started = status
            if its_parent == parent and state != "Z":
                found[int(entry.name)] = started
    return found


def _status(pid: int) -> tuple[str, int, str] | None:
    """State, parent and time of the start of a process; ``None`` if there is none of that number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), fields[19]


def kill_child(pid: int, parent: int) -> bool:
    """SIGKILL to a child of `parent`, and to nobody who has got its number meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            status = _status(pid)
            if status is not None and status[1] == parent:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        finally:
            os.close(handle)
    return False


def survivors(seen: set[tuple[int, str]]) -> list[int]:
    """Which of those processes are still there after some patience."""
    end = time.monotonic() + _PATIENCE
    while left := [pid for pid, started in seen if (now := _status(pid)) and now[2] == started and now[0] != "Z"]:
        if time.monotonic() > end:
            break
        time.sleep(_LOOK_EVERY)
    return left


def finished(folder: Path) -> int:
    """How many answers the journal holds so far."""
    if not (folder / JOURNAL).exists():
        return 0
    with Journal(folder / JOURNAL, read_only=True) as journal:
        return sum(event.event in ("done", "failed") for event in journal.events())


def faults_of(folder: Path, trials: int, table: str | None) -> tuple[dict[str, int], list[str]]:
    """Figures of the journal at the end, and what is wrong with it, each fault one line."""
    evaluator = chaos_search.SlowTable(table, 0.0)
    faults = []
    with Journal(folder / JOURNAL, read_only=True) as journal:
        try:
            journal.check()
        except JournalError as error:
            return {}, [str(error)]
        events = list(journal.events())
        leases = journal.leases()
    found = trials_of(events)
    kinds = Counter(event.event for event in events)
    answers = Counter(event.trial for event in events if event.event in ("done", "failed"))
    numbers = [trial.number for trial in found]
    if numbers != list(range(trials)):
        faults.append(f"expected {trials} trials, found {len(numbers)}")
    if lost := [number for number in numbers if not answers[number]]:
        faults.append(f"lost: trials {lost}")
    if twice := [number for number in numbers if answers[number] > 1]:
        faults.append(f"counted twice: trials {twice}")
    if failed := [trial for trial in found if trial.status == "failed"]:
        faults.append(f"failed: {len(failed)} trials, the first with {failed[0].failure!r}")
    hashes = Counter(trial.genotype.hash for trial in found)
    if same := [hash for hash, count in hashes.items() if count > 1]:
        faults.append(f"tried twice: {same}")
    if wrong := [
        trial.number
        for trial in found
        if trial.status == "done" and trial.metrics["accuracy"] != evaluator.accuracy(trial.genotype, 0)
    ]:
        faults.append(f"with the answers of others: trials {wrong}")
    if leases:
        faults.append(f"leases of trials that are done: {sorted(leases)}")
    figures = {
        "done": kinds["done"],
        "events": len(events),
        "stale": kinds["stale"],
        "retried": sum("retries" in trial.details for trial in found),
        "most_retries": max((trial.details.get("retries", 0) for trial in found), default=0),
        "journal_bytes": (folder / JOURNAL).stat().st_size,
    }
    return figures, faults


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """A bar on standard error with the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("trials, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def chaos(options: argparse.Namespace) -> dict[str, Any]:
    """The whole test: figures, and under ``faults`` what did not hold.

    Raises:
        SearchError: an option that makes no test, or not Linux.
    """
    at_least(options, trials=1, workers=1)
    for name in ("driver_kills", "kills_per_second", "seed", "seconds"):
        if not 0 <= getattr(options, name) < math.inf:  # nor what is not a number
            raise SearchError(f"Expected --{name.replace('_', '-')} from 0. Received: {getattr(options, name)}")
    if not Path("/proc/self/stat").exists():
        raise SearchError("Expected Linux, where /proc says who is whose child. Received: another system")
    path = default_table() if options.table is None else Path(options.table)
    table = str(path) if path.is_file() else None
    with tempfile.TemporaryDirectory() as name, shown() as progress:
        folder = Path(name) / "run"
        killed, faults = torment(folder, options, table, progress)
        figures, more = faults_of(folder, options.trials, table)
    return {
        "table": "made up" if table is None else path.name,
        "trials": options.trials,
        "workers": options.workers,
        "killed_workers": killed.workers,
        "killed_drivers": killed.drivers,
        "seconds": round(killed.seconds, 1),
        **figures,
        "faults": faults + more,
    }


def main() -> None:
    """Run the test, print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills-per-second", type=float, default=1.0, help="workers killed")
    parser.add_argument("--driver-kills", type=int, default=10, help="how often the driver is killed")
    parser.add_argument("--seconds", type=float, default=0.5, help="mean sleep of an evaluation")
    parser.add_argument("--seed", type=int, default=0, help="of the search, and of who is killed")
    parser.add_argument("--table", help="the CSV file of NAS-Bench-201; 'none' for a table that is made up")
    parser.add_argument("--json", type=Path, help="also write what happened to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # which ends the driver too
    try:
        check_file(options.json)
        result = chaos(options)
    except AutoMLCellsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json is not None:
        write_atomically(options.json, text + "\n")
    for fault in result["faults"]:
        print(f"did not hold: {fault}", file=sys.stderr)
    sys.exit(bool(result["faults"]))


if __name__ == "__main__":
    main()
