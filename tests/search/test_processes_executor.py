import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_cells.errors import SearchError
from automl_cells.search.executors import Job, ProcessesExecutor
from tests.search.executor_contract import ExecutorContract, answers, jobs
from tests.search.synthetic import Behaving, Behaviour, Evaluator, alive, block, gone


@pytest.fixture
def make():
    made = []

    def start(evaluator, workers=1, **options):
        made.append(ProcessesExecutor(evaluator, workers, **options))
        return made[-1]

    yield start
    for executor in made:
        executor.close()


class TestProcesses(ExecutorContract):
    pass


class TestTwoProcesses(ExecutorContract):
    @pytest.fixture
    def executor(self, make):
        return make(Behaving(), 2)


def pid_of(executor):
    """The process of the one worker, from a job of its own."""
    executor.submit(Job(1000, block(1), Behaviour.ANSWER))
    return executor.next_result(timeout=60).evaluation.details["pid"]


def test_a_worker_that_dies_fails_its_job_only(make, tmp_path):
    executor = make(Behaving(), logs=tmp_path)
    found = answers(
        executor, jobs(Behaviour.ANSWER, Behaviour.KILL, Behaviour.ANSWER, Behaviour.EXIT, Behaviour.ANSWER)
    )
    assert found[1].failure == "the worker died (signal 9): the last words"
    assert found[3].failure.startswith("the worker died (exit status 3): ")
    pids = [found[trial].details["pid"] for trial in (0, 2, 4)]
    assert len(set(pids)) == 3
    assert gone(pids[:2])


def test_what_workers_print_is_in_their_logs(make, tmp_path):
    answers(make(Behaving(), logs=tmp_path / "logs"), jobs(Behaviour.PRINT))
    (log,) = (tmp_path / "logs").iterdir()
    assert log.name == "worker-0.log"
    for words in ('{"trial": 0}', "{garbage", "to the error stream"):
        assert words in log.read_text()


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("tests.search.synthetic:refuse", r"exit status 1: RuntimeError: no accelerator today$"),
        ("tests.search.synthetic:NoSuchThing", "AttributeError"),
        ("tests.search.no_such_module:Behaving", "ModuleNotFoundError"),
    ],
)
def test_a_worker_that_cannot_start_says_why(make, factory, message):
    executor = make(Behaving(factory=factory))
    executor.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(SearchError, match=rf"^Expected worker 0 to start\. Received: .*{message}"):
        executor.next_result(timeout=60)


def test_an_evaluator_that_cannot_leave_its_process_is_refused():
    class Homebound(Behaving):
        spec = Evaluator.spec

    with pytest.raises(SearchError, match=r"Received: Homebound$"):
        ProcessesExecutor(Homebound())


@pytest.mark.parametrize("options", [{"workers": 0}, {"recycle_after": 0}])
def test_no_workers_or_no_jobs_are_refused(options):
    with pytest.raises(SearchError, match=r"at least one worker and one job each\. Received: "):
        ProcessesExecutor(Behaving(), **options)


def test_workers_run_at_once(make, tmp_path):
    executor = make(Behaving(str(tmp_path)), 2)
    found = answers(executor, jobs(Behaviour.MEET, Behaviour.MEET))  # each waits until the other one is there
    assert [found[trial].failure for trial in (0, 1)] == [None, None]
    details = [found[trial].details for trial in (0, 1)]
    assert details[0]["pid"] != details[1]["pid"]
    assert max(each["start"] for each in details) <= min(each["end"] for each in details)


def test_a_worker_is_replaced_after_some_jobs(make):
    found = answers(make(Behaving(), recycle_after=2), jobs(*[Behaviour.ANSWER] * 5))
    pids = [found[trial].details["pid"] for trial in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert gone(pids[:4])


def test_a_job_that_takes_too_long_is_given_up(make):
    executor = make(Behaving(), time_limit=0.3)
    pid = pid_of(executor)
    start = time.monotonic()
    found = answers(executor, jobs(Behaviour.HANG, Behaviour.ANSWER))
    assert found[0].failure == "took longer than the time limit of 0.3 s"
    assert 0.3 <= found[0].seconds < 10
    assert found[1].failure is None
    assert time.monotonic() - start < 20
    assert gone([pid])


def test_a_job_that_takes_too_long_is_given_up_while_others_answer_all_the_time(make):
    executor = make(Behaving(), 2, time_limit=0.5, recycle_after=10**9)
    executor.submit(Job(0, block(1), Behaviour.HANG))
    executor.submit(Job(1, block(2), Behaviour.ANSWER))
    end = time.monotonic() + 15
    for trial in itertools.count(2):
        answer = executor.next_result(timeout=60)
        if answer.trial == 0:
            break
        assert time.monotonic() < end
        executor.submit(Job(trial, block(2), Behaviour.ANSWER))
    assert answer.evaluation.failure == "took longer than the time limit of 0.5 s"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says how much memory a process has")
def test_a_job_that_takes_too_much_memory_is_given_up(make):
    executor = make(Behaving(), memory_limit=250 * 2**20)
    pid = pid_of(executor)
    found = answers(executor, jobs(Behaviour.GROW, Behaviour.ANSWER))
    assert found[0].failure == "took more than the memory limit of 250 MiB"
    assert found[1].failure is None
    assert gone([pid])


def test_a_worker_that_dies_while_idle_costs_no_job(make):
    executor = make(Behaving())
    os.kill(pid_of(executor), signal.SIGKILL)
    time.sleep(0.3)
    executor.submit(Job(7, block(1), Behaviour.ANSWER))
    answer = executor.next_result(timeout=60)
    assert (answer.trial, answer.evaluation.failure) == (7, None)


def test_waiting_ends_with_the_timeout(make):
    executor = make(Behaving())
    pid_of(executor)
    executor.submit(Job(0, block(1), Behaviour.HANG))
    start = time.monotonic()
    assert executor.next_result(timeout=0) is None
    assert executor.next_result(timeout=0.2) is None
    assert 0.2 <= time.monotonic() - start < 10


def test_cancelling_what_runs_ends_its_process_and_the_next_job_has_its_turn(make):
    executor = make(Behaving())
    pid = pid_of(executor)
    for job in jobs(Behaviour.HANG, Behaviour.ANSWER):
        executor.submit(job)
    assert executor.cancel(0)
    assert gone([pid])
    assert not executor.cancel(0)
    answer = executor.next_result(timeout=60)
    assert (answer.trial, answer.evaluation.failure) == (1, None)
    assert executor.next_result() is None


def test_closing_while_something_runs_leaves_no_process(make):
    executor = make(Behaving())
    pid = pid_of(executor)
    executor.submit(Job(0, block(1), Behaviour.HANG))
    assert alive(pid)
    executor.close()
    assert not alive(pid)


def test_workers_end_in_the_middle_of_a_job_when_their_driver_is_killed(tmp_path):
    code = f"from tests.search.synthetic import hang; hang({str(tmp_path)!r})"
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        end = time.monotonic() + 60
        while len(pids := [int(file.name[4:]) for file in tmp_path.glob("pid-*")]) < 2 and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        driver.kill()
        driver.wait()
    assert len(pids) == 2
    assert gone(pids)


def test_a_worker_that_died_idle_is_replaced(make):
    executor = make(Behaving())
    pid = pid_of(executor)
    os.kill(pid, signal.SIGKILL)
    assert gone([pid])
    found = answers(executor, jobs(Behaviour.ANSWER, Behaviour.ANSWER))
    assert found[1].details["pid"] != pid
