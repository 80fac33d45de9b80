"""Work for the machine's cores: each takes the next job from one queue; a process keeps to the core it was given."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Job = TypeVar("Job")


def available() -> list[int | None]:
    """The cores that this process may use; nobody in particular of as many where the system assigns none."""
    if sys.platform == "linux":
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * (os.cpu_count() or 1)


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What this thread starts in the body keeps to one core from the first moment; ``None``, or not Linux: all."""
    if core is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)  # of the thread, which a process that it starts inherits
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def hand_out(
    jobs: Sequence[Job],
    cores: Sequence[int | None],
    do: Callable[[Job, int | None], None],
    ended: Callable[[Job, int], None],
    stop: threading.Event,
) -> None:
    """Do all jobs, as many at once as there are cores.

    Args:
        jobs: what to do, in this order.
        cores: which to use; ``None`` in it is no core in particular.
        do: does a job; what it starts on the core is its own affair (:func:`on_core`).
        ended: called after a job that did not fail, with how many have ended, by one thread at a time.
        stop: set after Ctrl-C; whoever does a job may look at it. Nothing counts as ended once it is set.

    Raises:
        BaseException: the first that `do` or `ended` raised. Jobs under way are waited for, and no more are begun.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    failed: list[BaseException] = []
    done, lock = 0, threading.Lock()

    def take(core: int | None, over: threading.Event) -> None:
        nonlocal done
        try:
            while not failed and not stop.is_set():
                job = waiting.get_nowait()
                do(job, core)
                with lock:  # so that lines come in the order of their numbers
                    if stop.is_set():
                        return
                    done += 1
                    ended(job, done)
        except queue.Empty:
            pass
        except BaseException as error:
            failed.append(error)
        finally:
            over.set()

    # Waited for by events: a join that Ctrl-C has interrupted takes the thread for one that has ended (Python 3.11).
    overs = [threading.Event() for _ in cores[: len(jobs)]]
    threads = [threading.Thread(target=take, args=(core, over)) for core, over in zip(cores, overs, strict=False)]
    try:
        for thread in threads:
            thread.start()
        for over in overs:
            over.wait()
    finally:  # Ctrl-C, which reaches only this thread
        stop.set()
        for thread, over in zip(threads, overs, strict=True):
            if thread.ident is not None:
                over.wait()
    if failed:
        raise failed[0]
