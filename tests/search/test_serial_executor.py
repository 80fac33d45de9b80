import sys
from types import SimpleNamespace

import pytest

from automl_cells.errors import SearchError
from automl_cells.search.executors import ProcessesExecutor, SerialExecutor, executor
from tests.search.executor_contract import ExecutorContract, answers, jobs
from tests.search.synthetic import Behaving, Behaviour


class TestSerial(ExecutorContract):
    @pytest.fixture
    def make(self):
        return SerialExecutor


def test_it_answers_in_the_order_in_which_it_was_asked():
    assert list(answers(SerialExecutor(Behaving()), jobs(*[Behaviour.ANSWER] * 4))) == [0, 1, 2, 3]


def test_an_interrupt_is_not_a_failed_candidate():
    class Interrupted(Behaving):
        def evaluate(self, genotype, seed):
            raise KeyboardInterrupt

    serial = SerialExecutor(Interrupted())
    serial.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(KeyboardInterrupt):
        serial.next_result()


def test_executors_have_names(tmp_path):
    with executor("serial", Behaving(), 1) as found:
        assert isinstance(found, SerialExecutor)
    with executor("processes", Behaving(), 1, logs=tmp_path / "logs") as found:
        assert isinstance(found, ProcessesExecutor)
        assert (tmp_path / "logs" / "worker-0.log").exists()


@pytest.mark.parametrize(
    ("name", "workers", "message"),
    [
        ("threads", 1, r"among \['processes', 'ray', 'serial'\]\. Received: threads$"),
        ("processes", None, r"at least one worker\. Received: None$"),
        ("ray", 0, r"at least one worker\. Received: 0$"),
        ("serial", 2, r"one worker for the executor 'serial'\. Received: 2$"),
        ("processes", 0, r"at least one worker\. Received: 0$"),
        ("processes", "2", r"at least one worker\. Received: '2'$"),
    ],
)
def test_what_no_executor_takes(name, workers, message):
    with pytest.raises(SearchError, match=message):
        executor(name, Behaving(), workers)


def test_options_reach_their_executor():
    options = {
        "retries": 5,
        "recycle_above": 7,
        "recycle_after": 3,
        "lease": 9.0,
        "time_limit": 2.0,
        "workers_per_gpu": None,
    }
    with executor("processes", Behaving(), 1, **options) as found:
        assert {name: getattr(found, f"_{name}") for name in options} == options


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("serial", r"options of the executor 'serial' among \[\]\. Received: lease$"),
        (
            "ray",
            r"'ray' among \['memory_limit', 'retries', .* 'recycle_after'\]\. Received: lease$",
        ),
    ],
)
def test_an_option_of_another_executor_is_refused_unless_it_is_not_set(name, message):
    with pytest.raises(SearchError, match=message):
        executor(name, Behaving(), 1, lease=3.0)
    with executor("serial", Behaving(), 1, lease=None) as found:
        assert isinstance(found, SerialExecutor)


def test_ray_is_imported_when_it_is_asked_for(monkeypatch, tmp_path):
    class Ray(SerialExecutor):
        def __init__(self, evaluator, workers, **options):
            super().__init__(evaluator)
            self.arguments = (workers, options)

    monkeypatch.setitem(sys.modules, "automl_cells.search.executors.ray", SimpleNamespace(RayExecutor=Ray))
    found = executor("ray", Behaving(), None, address="127.0.0.1:6379", gpus_per_trial=0.5, logs=tmp_path, retries=1)
    assert isinstance(found, Ray)
    assert found.arguments == (
        None,
        {
            "logs": tmp_path,
            "retries": 1,
            "address": "127.0.0.1:6379",
            "gpus_per_trial": 0.5,
        },
    )
