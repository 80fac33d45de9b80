"""One system's process, watched: how much memory it and its children hold, and that nothing of it is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cores import on_core

EVERY = 0.5  # seconds between two looks at the memory


class Ended(NamedTuple):
    """Exit status (``None``: it had to be ended), and the peak of resident memory in MB, pages shared counted twice."""

    status: int | None
    peak_mb: float


def watch(
    command: Sequence[str],
    output: Path,
    environment: Mapping[str, str],
    at_most: float,
    core: int | None = None,
    stop: threading.Event | None = None,
) -> Ended:
    """Run a command in a session of its own until it ends or `at_most` seconds have passed; then end what is left.

    Args:
        command: what to run.
        output: where what it prints goes.
        environment: its variables.
        at_most: seconds; a system ends itself before.
        core: the only one that it may use; ``None``: all.
        stop: ends it at once when it is set.
    """
    deadline, peak = time.monotonic() + at_most, 0
    with output.open("wb") as file:
        with on_core(core):
            running = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=dict(environment), start_new_session=True
            )
        try:
            while running.poll() is None and time.monotonic() < deadline and not (stop and stop.is_set()):
                peak = max(peak, resident(running.pid))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(EVERY)
            return Ended(running.poll(), peak / 1e6)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)  # the group that it began, workers included
            running.wait()


def resident(root: int) -> int:
    """Bytes of resident memory of a process and all its descendants, from Linux' /proc; 0 where there is none."""
    children, sizes = defaultdict(list), {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
            fields = (entry / "stat").read_text().rpartition(")")[2].split()  # after the name: state, parent, …
            children[int(fields[1])].append(int(entry.name))
            sizes[int(entry.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        total += sizes.get(pid, 0)
        waiting += children[pid]
    return total
