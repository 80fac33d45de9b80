"""Jobs handed to cores from one queue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.tools.conftest import TOOLS


@pytest.fixture(scope="module")
def cores(tool):
    return tool("cores")


def nothing(job, ended):
    pass


def test_every_job_is_done_once_and_counted_in_order(cores):
    done, said = [], []
    jobs = list(range(50))
    cores.hand_out(
        jobs,
        (3, 5),
        lambda job, core: done.append((job, core)),
        lambda job, ended: said.append((job, ended)),
        threading.Event(),
    )
    assert sorted(job for job, _ in done) == jobs
    assert {core for _, core in done} <= {3, 5}
    assert [ended for _, ended in said] == list(range(1, 51))
    assert sorted(job for job, _ in said) == jobs


def test_as_many_at_once_as_cores(cores):
    both = threading.Barrier(2, timeout=20)  # breaks where they are not there together
    cores.hand_out("ab", (0, 1), lambda job, core: both.wait() and None, nothing, threading.Event())


def test_after_a_failure_nothing_is_begun(cores):
    begun = []

    def fails(job, core):
        begun.append(job)
        raise ValueError(job)

    with pytest.raises(ValueError, match=r"^first$"):
        cores.hand_out(["first", "second"], (None,), fails, nothing, threading.Event())
    assert begun == ["first"]


def test_what_ended_after_the_stop_does_not_count(cores):
    stop, said = threading.Event(), []
    cores.hand_out(["first", "second"], (None,), lambda *_: stop.set(), lambda job, _: said.append(job), stop)
    assert said == []


def test_whatever_a_job_raises_is_raised(cores):
    def leaves(job, core):
        raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        cores.hand_out(["first", "second"], (None,), leaves, nothing, threading.Event())


INTERRUPTED = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts tests in the background may have it ignored
sys.path.insert(0, sys.argv[1])
import cores
stop = threading.Event()
def do(job, core):
    print("begun", flush=True)
    stop.wait()
    time.sleep(0.5)  # what it takes to clear up
    print("cleared up", flush=True)
try:
    cores.hand_out("ab", (None,), do, lambda *_: print("ended"), stop)
except KeyboardInterrupt:
    print("left", flush=True)
"""


def test_after_ctrl_c_jobs_under_way_are_waited_for():
    command = [sys.executable, "-c", INTERRUPTED, str(TOOLS)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()
    assert said == "cleared up\nleft\n"


def test_no_jobs_are_no_work(cores):
    cores.hand_out([], (0, 1), nothing, nothing, threading.Event())


def test_cores_are_named_on_linux_and_counted_elsewhere(cores, monkeypatch):
    if sys.platform == "linux":
        assert cores.available() == sorted(os.sched_getaffinity(0))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cores.available() == [None] * os.cpu_count()
    monkeypatch.setattr(os, "sched_setaffinity", None, raising=False)
    with cores.on_core(0):  # nothing is assigned
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="cores are assigned on Linux")
def test_a_process_begins_on_its_core_and_the_thread_is_free_again(cores):
    before = os.sched_getaffinity(0)
    with cores.on_core(max(before)):
        script = "import os; print(os.sched_getaffinity(0))"
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"{{{max(before)}}}\n"
    assert os.sched_getaffinity(0) == before
