import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_cells.errors import SearchError
from automl_cells.search.executors import Job, ProcessesExecutor, processes
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


def listen(executor):
    """What the executor will say of its jobs."""
    heard = []
    executor.on_event = lambda trial, event, data: heard.append((trial, event, data))
    return heard


def test_a_worker_that_dies_fails_its_job_only(make, tmp_path):
    executor = make(Behaving(), logs=tmp_path)
    found = answers(
        executor, jobs(Behaviour.ANSWER, Behaviour.KILL, Behaviour.ANSWER, Behaviour.EXIT, Behaviour.ANSWER)
    )
    assert found[1].failure == "the worker died (signal 9): the last words"
    assert found[3].failure.startswith("the worker died (exit status 3): ")
    assert [found[trial].details.get("retries") for trial in range(5)] == [None, 2, None, 2, None]
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, r"at least one worker and one job each\. Received: workers=0"),
        ({"recycle_after": 0}, r"at least one worker and one job each\. Received: .*recycle_after=0$"),
        ({"retries": -1}, r"Expected retries from 0\. Received: -1$"),
        ({"lease": 0.0}, r"Expected lease above 0\. Received: 0\.0$"),
        ({"recycle_above": 0}, r"Expected recycle_above above 0\. Received: 0$"),
        ({"workers_per_gpu": 0}, r"Expected at least one worker a GPU\. Received: 0$"),
        ({"workers": 5, "workers_per_gpu": 2}, r"Expected at most 4 workers, 2 a GPU\. Received: 5$"),
    ],
)
def test_what_makes_no_executor_is_refused(monkeypatch, options, message):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(SearchError, match=message):
        ProcessesExecutor(Behaving(), **options)


def test_a_system_that_starts_no_process_is_reported_and_what_was_started_is_ended(monkeypatch):
    started = []

    class Full(subprocess.Popen):
        def __init__(self, *arguments, **options):
            if started:
                raise BlockingIOError("Resource temporarily unavailable")
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Full)
    with pytest.raises(SearchError, match=r"^Expected worker 1 to start\. Received: Resource temporarily unavailable$"):
        ProcessesExecutor(Behaving(), 2)
    assert started[0].poll() == -signal.SIGKILL


def test_a_job_whose_worker_was_killed_is_given_to_another(make, tmp_path):
    executor = make(Behaving(str(tmp_path)))
    heard = listen(executor)
    found = answers(executor, jobs(Behaviour.ANSWER, Behaviour.KILL_ONCE))
    assert [found[trial].failure for trial in (0, 1)] == [None, None]
    assert "retries" not in found[0].details
    assert found[1].details["retries"] == 1
    lost, pid = found[0].details["pid"], found[1].details["pid"]
    why = "the worker died (signal 9): it printed nothing"
    assert heard == [
        (0, "lease", {"worker": 0, "pid": lost}),
        (1, "lease", {"worker": 0, "pid": lost}),
        (1, "stale", {"why": why, "worker": 0, "pid": lost}),
        (1, "running", {"retry": 1, "worker": 0, "pid": pid}),
        (1, "lease", {"worker": 0, "pid": pid}),
    ]
    assert pid != lost


def test_without_retries_a_lost_worker_is_a_failed_job(make):
    executor = make(Behaving(), retries=0)
    heard = listen(executor)
    (evaluation,) = answers(executor, jobs(Behaviour.EXIT)).values()
    assert evaluation.failure == "the worker died (exit status 3): it printed nothing"
    assert evaluation.details == {}
    assert [event for _, event, _ in heard] == ["lease"]


def test_what_the_evaluator_raises_is_an_answer_and_not_tried_again(make):
    executor = make(Behaving())
    heard = listen(executor)
    (evaluation,) = answers(executor, jobs(Behaviour.RAISE)).values()
    assert evaluation.failure == "ArithmeticError: asked to fail"
    assert [event for _, event, _ in heard] == ["lease"]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (Behaviour.GARBAGE, r"b'\x00 no answer\n'"),
        (Behaviour.ANOTHERS_ANSWER, r"""b'{"trial": 77, "evaluation": {}}\n'"""),
    ],
)
def test_a_worker_that_writes_what_is_no_answer_is_replaced(make, behaviour, words):
    executor = make(Behaving(), retries=1)
    heard = listen(executor)
    found = answers(executor, jobs(behaviour, Behaviour.ANSWER))
    reason = f"the worker wrote what is not an answer: {words}"
    assert found[0].failure == reason
    assert [data["why"] for _, event, data in heard if event == "stale"] == [reason]
    assert found[1].failure is None


def test_a_worker_that_gives_no_sign_of_life_is_lost_and_its_job_is_not(make, tmp_path):
    executor = make(Behaving(str(tmp_path)), lease=1.0)
    heard = listen(executor)
    pid = pid_of(executor)
    (evaluation,) = answers(executor, jobs(Behaviour.STOP_ONCE)).values()
    assert evaluation.failure is None
    assert evaluation.details["retries"] == 1
    (stale,) = [data for _, event, data in heard if event == "stale"]
    assert stale == {"why": "the worker gave no sign of life for 1 s", "worker": 0, "pid": pid}
    assert gone([pid])


def test_a_worker_that_works_gives_signs_of_life(make):
    executor = make(Behaving(), lease=0.8, time_limit=3.0)
    heard = listen(executor)
    (evaluation,) = answers(executor, jobs(Behaviour.HANG)).values()
    assert evaluation.failure == "took longer than the time limit of 3 s"
    assert [event for _, event, _ in heard] == ["lease"] * len(heard)
    assert len(heard) > 4


def test_the_time_in_which_the_driver_did_not_listen_does_not_count(make):
    executor = make(Behaving(), lease=2.0)
    heard = listen(executor)
    pid = pid_of(executor)
    executor.submit(Job(0, block(0), Behaviour.HANG))
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)
    assert executor.next_result(timeout=0.0) is None
    os.kill(pid, signal.SIGCONT)
    assert executor.next_result(timeout=1.0) is None
    assert "stale" not in [event for _, event, _ in heard]
    assert alive(pid)


def test_a_worker_whose_child_keeps_its_pipe_is_found_dead_all_the_same(make):
    executor = make(Behaving(), retries=0)
    pid_of(executor)
    start = time.monotonic()
    (evaluation,) = answers(executor, jobs(Behaviour.LEAVE_A_CHILD)).values()
    assert evaluation.failure == "the worker died (exit status 4): it printed nothing"
    assert time.monotonic() - start < 7


def test_a_job_above_its_limit_is_given_up_also_where_a_child_keeps_the_pipe(make):
    executor = make(Behaving(), time_limit=0.5)
    pid_of(executor)
    start = time.monotonic()
    (evaluation,) = answers(executor, jobs(Behaviour.CHILD_AND_HANG)).values()
    assert evaluation.failure == "took longer than the time limit of 0.5 s"
    assert time.monotonic() - start < 7


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says how much memory a process has")
@pytest.mark.parametrize(("mark", "workers"), [(1, 3), (2**40, 1)])
def test_a_worker_above_the_memory_mark_is_replaced_and_no_job_fails(make, mark, workers):
    found = answers(make(Behaving(), recycle_above=mark), jobs(*[Behaviour.ANSWER] * 3))
    assert [found[trial].failure for trial in range(3)] == [None] * 3
    assert len({found[trial].details["pid"] for trial in range(3)}) == workers


def test_a_worker_that_is_killed_while_it_starts_is_replaced(make):
    executor = make(Behaving(), retries=0)
    os.kill(executor._workers[0].pid, signal.SIGKILL)
    assert [evaluation.failure for evaluation in answers(executor, jobs(Behaviour.ANSWER)).values()] == [None]


def test_workers_that_are_always_killed_while_they_start_end_the_search(make, monkeypatch):
    monkeypatch.setattr(processes, "START_PATIENCE", 0.0)
    executor = make(Behaving(), retries=0)
    os.kill(executor._workers[0].pid, signal.SIGKILL)
    executor.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(SearchError, match=r"^Expected worker 0 to start\. Received: signal 9: it printed nothing$"):
        executor.next_result(timeout=60)


@pytest.mark.parametrize(
    ("name", "message"), [("SIGSEGV", "signal 11: it printed nothing"), ("SIGABRT", "signal 6: it printed nothing")]
)
def test_a_worker_that_crashes_while_it_starts_ends_the_search_at_once(make, name, message):
    executor = make(Behaving())
    os.kill(executor._workers[0].pid, getattr(signal, name))
    executor.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(SearchError, match=rf"^Expected worker 0 to start\. Received: {message}$"):
        executor.next_result(timeout=60)


def test_a_worker_that_is_never_ready_ends_the_search(make, monkeypatch):
    monkeypatch.setattr(processes, "START_LIMIT", 1.0)
    executor = make(Behaving(factory="tests.search.synthetic:never"))
    executor.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(SearchError, match=r"^Expected worker 0 to start\. Received: not ready after 1 s$"):
        executor.next_result(timeout=60)


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
    heard = listen(executor)
    pid = pid_of(executor)
    start = time.monotonic()
    found = answers(executor, jobs(Behaviour.HANG, Behaviour.ANSWER))
    assert found[0].failure == "took longer than the time limit of 0.3 s"
    assert found[0].details == {}  # it was not tried again
    assert {event for _, event, _ in heard} == {"lease"}
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
