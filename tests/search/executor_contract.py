"""What every executor must do. A test module subclasses `ExecutorContract` and gives it a `make` fixture."""

from __future__ import annotations

import json
import threading
import time

import pytest

from automl_cells.search.executors import Executor, Job
from tests.search.synthetic import Behaving, Behaviour, block


def jobs(*behaviours):
    """One job a behaviour, each with a genotype of its own."""
    return [Job(number, block(number), int(behaviour)) for number, behaviour in enumerate(behaviours)]


def answers(executor: Executor, submitted) -> dict:
    """All evaluations by trial, each job answered once and nothing else."""
    for job in submitted:
        executor.submit(job)
    found = {}
    while (answer := executor.next_result(timeout=60)) is not None:
        assert answer.trial not in found
        found[answer.trial] = answer.evaluation
    assert set(found) == {job.trial for job in submitted}
    return found


class ExecutorContract:
    """`make` is a fixture: a function from an evaluator to a fresh executor, closed after the test."""

    @pytest.fixture
    def executor(self, make):
        return make(Behaving())

    def test_every_job_is_answered_once_with_its_genotype_and_seed(self, executor):
        submitted = jobs(*[Behaviour.ANSWER] * 4, *range(100, 103))
        for trial, evaluation in answers(executor, submitted).items():
            assert evaluation.failure is None
            assert evaluation.metrics == {"accuracy": 75.0}
            assert evaluation.seconds == 0.25
            assert evaluation.details["hash"] == submitted[trial].genotype.hash
            assert evaluation.details["seed"] == submitted[trial].seed

    def test_what_fails_is_answered_with_the_reason_and_the_rest_goes_on(self, executor):
        behaviours = [
            Behaviour.RAISE,
            Behaviour.ANSWER,
            Behaviour.NAN,
            Behaviour.NOT_JSON,
            Behaviour.NAN_IN_DETAILS,
            Behaviour.RAISE_WITHOUT_WORDS,
            Behaviour.ANSWER,
        ]
        found = answers(executor, jobs(*behaviours))
        assert found[0].failure == "ArithmeticError: asked to fail"
        assert found[2].failure == "the metric accuracy is nan"
        assert found[2].metrics == {"parameters": 3.0}
        assert "JSON" in found[3].failure
        assert "JSON" in found[4].failure
        assert found[5].failure == "MemoryError: "
        assert [found[trial].failure for trial in (1, 6)] == [None, None]
        assert all(found[trial].metrics == {} and found[trial].seconds >= 0 for trial in (0, 3, 4, 5))

    def test_what_an_evaluator_prints_is_no_answer(self, executor):
        found = answers(executor, jobs(Behaviour.PRINT, Behaviour.PRINT, Behaviour.ANSWER))
        assert [found[trial].failure for trial in range(3)] == [None] * 3

    def test_answers_come_while_more_is_submitted(self, executor):
        todo = jobs(*[Behaviour.ANSWER] * 6)
        for job in todo[:2]:
            executor.submit(job)
        trials = []
        for job in todo[2:]:
            trials.append(executor.next_result(timeout=60).trial)
            executor.submit(job)
        trials += [executor.next_result(timeout=60).trial for _ in range(2)]
        assert sorted(trials) == list(range(6))
        assert executor.next_result() is None

    def test_a_job_that_was_cancelled_gets_no_answer(self, executor):
        for job in jobs(*[Behaviour.ANSWER] * 5):
            executor.submit(job)
        assert executor.cancel(4)
        assert not executor.cancel(4)
        assert not executor.cancel(77)
        found = [executor.next_result(timeout=60).trial for _ in range(4)]
        assert sorted(found) == [0, 1, 2, 3]
        assert executor.next_result() is None
        assert not executor.cancel(0)

    def test_with_nothing_under_way_nothing_is_waited_for(self, executor):
        start = time.monotonic()
        assert executor.next_result() is None
        assert executor.next_result(timeout=30) is None
        assert time.monotonic() - start < 5

    def test_it_can_be_closed_twice_and_with_jobs_waiting(self, executor):
        for job in jobs(*[Behaviour.ANSWER] * 5):
            executor.submit(job)
        executor.close()
        executor.close()
        assert executor.next_result(timeout=1) is None

    def test_it_says_how_many_jobs_keep_it_busy(self, executor):
        assert executor.slots >= 1

    def test_who_listens_hears_of_jobs_under_way_in_the_callers_thread(self, executor):
        heard = []
        executor.on_event = lambda trial, event, data: heard.append((threading.get_ident(), trial, event, data))
        submitted = jobs(*[Behaviour.ANSWER] * 3)
        assert [evaluation.failure for evaluation in answers(executor, submitted).values()] == [None] * 3
        assert {thread for thread, *_ in heard} <= {threading.get_ident()}
        assert {trial for _, trial, _, _ in heard} <= {0, 1, 2}
        assert {event for _, _, event, _ in heard} <= {"lease", "stale", "running"}
        assert all(json.loads(json.dumps(data)) == data for *_, data in heard)
        assert all(isinstance(data[name], int) for *_, data in heard for name in ("worker", "pid"))
