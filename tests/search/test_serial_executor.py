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
        ("threads", 1, r"among \['processes', 'serial'\]\. Received: threads$"),
        ("serial", 2, r"one worker for the executor 'serial'\. Received: 2$"),
        ("processes", 0, r"at least one worker\. Received: 0$"),
        ("processes", "2", r"at least one worker\. Received: '2'$"),
    ],
)
def test_what_no_executor_takes(name, workers, message):
    with pytest.raises(SearchError, match=message):
        executor(name, Behaving(), workers)
