import json
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from automl_cells.errors import SearchError
from automl_cells.search.executors import Job
from automl_cells.search.executors.ray import RayExecutor
from automl_cells.search.executors.ray_cluster import RayCluster
from automl_cells.search.journal import Journal
from automl_cells.strategies import Random
from tests.search.executor_contract import ExecutorContract, answers, jobs
from tests.search.synthetic import Behaving, Behaviour, Evaluator, Instant, Line, block, gone, search_loop

pytest.importorskip("ray", reason="ray is not installed: pip install 'automl-cells[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

ROOT = Path(__file__).parents[2]
FAST_HEALTH_CHECKS = {
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster on 127.0.0.1 of one node with two CPUs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        head = {
            "node_ip_address": "127.0.0.1",
            "num_cpus": 2,
            "num_gpus": 1,  # so Ray is told; nothing here touches it
            "include_dashboard": False,
            "_system_config": FAST_HEALTH_CHECKS,
        }
        running = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        try:
            yield running
        finally:
            running.shutdown()


@pytest.fixture(scope="module")
def connection(cluster):
    """This process has joined the cluster; executors without an address work on it, and leave it."""
    joined = RayCluster(cluster.address)
    yield joined
    joined.close()


@pytest.fixture
def make(connection):
    made = []

    def start(evaluator, workers=1, **options):
        made.append(RayExecutor(evaluator, workers, **options))
        return made[-1]

    yield start
    for executor in made:
        executor.close()


class TestRay(ExecutorContract):
    pass


def details_of(executor):
    """The details of a job of its own."""
    executor.submit(Job(1000, block(1), Behaviour.ANSWER))
    return executor.next_result(timeout=60).evaluation.details


def test_as_many_workers_as_there_is_room_for_run_at_once(make, tmp_path):
    executor = make(Behaving(str(tmp_path)), None)
    assert executor.slots == 2
    found = answers(executor, jobs(Behaviour.MEET, Behaviour.MEET))  # each waits until the other one is there
    assert [found[trial].failure for trial in (0, 1)] == [None, None]
    assert found[0].details["pid"] != found[1].details["pid"]


@pytest.mark.slow
def test_a_job_whose_worker_dies_is_given_to_others_and_then_failed(make, tmp_path):
    executor = make(Behaving(str(tmp_path)), retries=1, logs=tmp_path / "logs")
    heard = []
    executor.on_event = lambda trial, event, data: heard.append((trial, event, data))
    found = answers(executor, jobs(Behaviour.ANSWER, Behaviour.KILL, Behaviour.KILL_ONCE))
    assert found[1].failure.startswith("the worker died: Worker unexpectedly exits")
    assert found[1].metrics == {}
    assert found[1].details == {"retries": 1}
    assert found[0].failure is found[2].failure is None
    assert found[2].details["retries"] == 1
    assert found[0].details["pid"] != found[2].details["pid"]
    events = [[event for number, event, _ in heard if number == trial] for trial in range(3)]
    assert events == [["lease"], *[["lease", "stale", "running", "lease"]] * 2]
    told = [data for trial, _, data in heard if trial == 2]
    assert [data.get("retry") for data in told] == [None, None, 1, None]
    assert told[1]["why"].startswith("the worker died: ")
    assert told[2]["pid"] == told[3]["pid"] == found[2].details["pid"] != told[0]["pid"] == told[1]["pid"]
    (log,) = (tmp_path / "logs").iterdir()
    assert log.name == "worker-0.log"
    assert log.read_text().count("the last words") == 2


def test_leases_are_renewed_while_a_job_runs(make, monkeypatch):
    monkeypatch.setattr("automl_cells.search.executors.ray._RENEW_EVERY", 0.1)
    executor = make(Behaving())
    details_of(executor)
    leases = []
    executor.on_event = lambda trial, event, data: leases.append((trial, event))
    executor.submit(Job(0, block(1), Behaviour.HANG))
    end = time.monotonic() + 30
    while len(leases) < 3 and time.monotonic() < end:
        assert executor.next_result(timeout=0.2) is None
    assert leases[:3] == [(0, "lease")] * 3


def test_a_worker_that_died_idle_fails_no_job(make):
    executor = make(Behaving())
    pid = details_of(executor)["pid"]
    os.kill(pid, signal.SIGKILL)
    assert gone([pid])
    found = answers(executor, jobs(Behaviour.ANSWER))
    assert found[0].failure is None  # at most a retry
    assert found[0].details["pid"] != pid


def test_a_job_that_takes_too_long_is_given_up(make):
    executor = make(Behaving(), time_limit=0.3)
    pid = details_of(executor)["pid"]
    found = answers(executor, jobs(Behaviour.HANG, Behaviour.ANSWER))
    assert found[0].failure == "took longer than the time limit of 0.3 s"
    assert 0.3 <= found[0].seconds < 10
    assert found[1].failure is None
    assert gone([pid])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says how much memory a process has")
def test_a_job_that_takes_too_much_memory_is_given_up(make):
    executor = make(Behaving(), memory_limit=350 * 2**20)
    pid = details_of(executor)["pid"]
    found = answers(executor, jobs(Behaviour.GROW, Behaviour.ANSWER))
    assert found[0].failure == "took more than the memory limit of 350 MiB"
    assert found[1].failure is None
    assert gone([pid])


def test_cancelling_what_runs_ends_its_process_and_the_next_job_has_its_turn(make):
    executor = make(Behaving())
    pid = details_of(executor)["pid"]
    for job in jobs(Behaviour.HANG, Behaviour.ANSWER):
        executor.submit(job)
    start = time.monotonic()
    assert executor.next_result(timeout=0) is None
    assert executor.next_result(timeout=0.2) is None
    assert 0.2 <= time.monotonic() - start < 10
    assert executor.cancel(0)
    assert gone([pid])
    assert not executor.cancel(0)
    answer = executor.next_result(timeout=60)
    assert (answer.trial, answer.evaluation.failure) == (1, None)
    assert executor.next_result() is None


def test_closing_while_something_runs_leaves_no_process(make):
    executor = make(Behaving())
    pid = details_of(executor)["pid"]
    executor.submit(Job(0, block(1), Behaviour.HANG))
    executor.close()
    assert gone([pid])


def test_closing_after_somebody_has_ended_ray_asks_nothing_of_it(make, monkeypatch):
    import ray

    executor = make(Behaving())
    with monkeypatch.context() as patch:
        patch.setattr(ray, "is_initialized", lambda: False)
        patch.setattr(ray, "kill", lambda actor: pytest.fail("asked"))
        executor.close()
    assert executor.next_result(timeout=1) is None


EVALUATORS = """
import os
import sys
from automl_cells.evaluation import Evaluation, Evaluator

class Showing(Evaluator):
    chance = 50.0
    made = prepared = 0

    def __init__(self):
        Showing.made += 1

    def prepare(self):
        Showing.prepared += 1

    def evaluate(self, genotype, seed):
        details = {
            "environment": dict(os.environ),
            "frameworks": [name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules],
            "made": Showing.made,
            "prepared": Showing.prepared,
            "pid": os.getpid(),
        }
        return Evaluation({"accuracy": 75.0}, 0.25, details=details)

def dies():
    os._exit(3)

def leaves():
    sys.exit("not on this machine")

class Sometimes(Showing):
    # Each start takes a line from a file: "yes", or why it fails.

    def prepare(self):
        import pathlib
        plan = pathlib.Path(__file__).with_name("starts")
        word, _, rest = plan.read_text().partition("\\n")
        plan.write_text(rest)
        if word != "yes":
            raise RuntimeError(word)
"""


class Elsewhere(Behaving):
    """An evaluator of a module that lies in a folder of its own."""

    def __init__(self, name):
        self.name = name

    def spec(self):
        return {"factory": f"evaluators_of_ray:{self.name}", "arguments": {}}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "evaluators_of_ray.py").write_text(EVALUATORS)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_worker_makes_one_evaluator_for_its_threads_and_devices(make, elsewhere, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    executor = make(Elsewhere("Showing"), cpus_per_trial=2, recycle_after=2)
    found = answers(executor, jobs(*[Behaviour.ANSWER] * 3))
    assert [found[trial].details["made"] for trial in range(3)] == [1, 1, 1]
    assert [found[trial].details["prepared"] for trial in range(3)] == [1, 1, 1]
    assert found[0].details["pid"] == found[1].details["pid"] != found[2].details["pid"]  # replaced after two jobs
    assert found[0].details["frameworks"] == []
    expected = {
        "OMP_NUM_THREADS": "2",
        "NPROC": "2",
        "TF_NUM_INTRAOP_THREADS": "2",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_DETERMINISTIC_OPS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "jax",
    }
    assert expected.items() <= found[0].details["environment"].items()
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in found[0].details["environment"]


def test_workers_that_share_a_gpu_share_its_memory(make, elsewhere):
    executor = make(Elsewhere("Showing"), gpus_per_trial=0.4)
    environment = answers(executor, jobs(Behaviour.ANSWER))[0].details["environment"]
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.450"  # of nine tenths, since no third one fits


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (Behaving(factory="tests.search.synthetic:refuse"), r"RuntimeError: no accelerator today$"),
        (Behaving(factory="tests.search.no_such_module:Behaving"), "ModuleNotFoundError: "),
        (Elsewhere("dies"), "Worker unexpectedly exits"),
        (Elsewhere("leaves"), r"SystemExit: not on this machine$"),
    ],
)
def test_a_worker_that_cannot_start_says_why(make, elsewhere, evaluator, message):
    executor = make(evaluator, retries=1)
    executor.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(SearchError, match=rf"^Expected worker 0 to start\. Received: {message}"):
        executor.next_result(timeout=60)


def test_a_later_worker_that_does_not_start_is_tried_again(make, elsewhere, tmp_path):
    (tmp_path / "starts").write_text("yes\nthe disk is full\nthe disk is full\nyes\n" + "no disk\n" * 9)
    executor = make(Elsewhere("Sometimes"), recycle_after=1, retries=2)
    for job in jobs(Behaviour.ANSWER, Behaviour.ANSWER):
        executor.submit(job)
        assert executor.next_result(timeout=60).evaluation.failure is None
    executor.submit(jobs(*[Behaviour.ANSWER] * 3)[2])
    with pytest.raises(SearchError, match=r"^Expected worker 0 to start\. Received: RuntimeError: no disk$"):
        executor.next_result(timeout=60)
    assert (tmp_path / "starts").read_text() == "no disk\n" * 6  # three in a row


@pytest.mark.slow
def test_nodes_that_are_lost_cost_no_trial_and_count_none_twice(make, cluster, tmp_path):
    calls = tmp_path / "calls"
    trials = 60
    nodes = [cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")]
    executor = make(Instant(0.2, calls=str(calls)), None)
    assert executor.slots == 3

    class Removes:
        """Takes a node away, without a word to anybody, once three workers are busy; brings another, takes that too."""

        def __init__(self):
            self.before = []  # how many trials were done when a node was taken away

        def update(self, found, running):
            workers = {line.split()[0] for line in calls.read_text().splitlines()} if calls.exists() else set()
            done = sum(trial.finished for trial in found)
            if len(self.before) < 2 and done >= 8 and len(workers) == 3 + len(self.before):
                self.before.append(done)
                cluster.remove_node(nodes.pop(), allow_graceful=False)
                if len(self.before) == 1:
                    nodes.append(cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1"))

    observer = Removes()
    with Journal(tmp_path / "journal.db", {"of": "a test"}) as journal:
        space = Line(2 * trials)
        loop = search_loop(journal, Instant(), Random(space, trials), trials, observer=observer, budget=90)
        found = loop.run(executor)
        events = list(journal.events())
    done = [event.trial for event in events if event.event == "done"]
    lost = [event.trial for event in events if event.event == "stale"]
    assert lost == [event.trial for event in events if event.event == "running" and "retry" in event.data]
    assert len(observer.before) == 2
    assert observer.before[-1] < trials
    assert len(lost) >= 2  # what the third workers had was begun anew
    assert [trial.status for trial in found] == ["done"] * trials
    assert sorted(done) == list(range(trials))
    assert len({trial.genotype.hash for trial in found}) == trials
    assert executor.slots == 3  # the third waits for a machine


OWN = """
import json, os, sys
from automl_cells.search.executors.base import Job
from automl_cells.search.executors.ray import RayExecutor
from tests.search.synthetic import Behaving, block

def listening(pids):
    lines = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}").readlines()[1:]]
    sockets = {fields[9]: fields[1] for fields in lines if fields[3] == "0A"}
    found = set()
    for pid in pids:
        try:
            links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        found |= {sockets[link[8:-1]] for link in links if link.startswith("socket:[") and link[8:-1] in sockets}
    return sorted(found)

def family(pid):
    return [pid] + [each for child in open(f"/proc/{pid}/task/{pid}/children").read().split() for each in family(child)]

if os.environ.get("ADDRESS"):
    executor = RayExecutor(Behaving(), address=os.environ["ADDRESS"])
else:
    executor = RayExecutor(Behaving(), 3, cpus_per_trial=0.5)
with executor:
    executor.submit(Job(0, block(1), 0))
    details = executor.next_result(timeout=60).evaluation.details
    pids = family(os.getpid())
    sockets = listening(pids)
    slots = executor.slots
import ray
json.dump(
    {
        "pids": [int(pid) for pid in pids[1:]],
        "sockets": sockets,
        "slots": slots,
        "connected": ray.is_initialized(),
        "worker": details["pid"],
        "mode": os.environ.get("RAY_AUTH_MODE"),
    },
    open(sys.argv[1], "w"),
)
"""


def driven(tmp_path, **environment):
    """What a script of its own says that makes an executor with a Ray that this process knows nothing of."""
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(OWN))
    result = tmp_path / "result.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    subprocess.run(
        [sys.executable, script, result],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        check=True,
        timeout=100,
    )
    return json.loads(result.read_text())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux says what listens where")
def test_a_ray_of_its_own_listens_to_this_machine_only_and_ends(tmp_path):
    found = driven(tmp_path, RAY_ADDRESS="127.0.0.1:1")  # which it does not look at
    assert found["slots"] == 3
    assert found["sockets"]
    local = ("0100007F:", "0000000000000000FFFF00000100007F:", "00000000000000000000000001000000:")
    assert [address for address in found["sockets"] if not address.startswith(local)] == []
    assert not found["connected"]
    assert found["mode"] is None
    assert gone(found["pids"])


@pytest.mark.slow
def test_a_cluster_that_was_joined_is_left_running(tmp_path, cluster, connection):
    found = driven(tmp_path, ADDRESS=cluster.address, RAY_AUTH_MODE="disabled")
    assert found["slots"] == 2
    assert not found["connected"]
    assert gone([found["worker"]])
    assert connection.room(1, 0) == 2


@pytest.mark.slow
def test_workers_end_in_the_middle_of_a_job_when_their_driver_is_killed(tmp_path, cluster):
    code = f"""
from automl_cells.search.executors.base import Job
from automl_cells.search.executors.ray import RayExecutor
from tests.search.synthetic import Behaving, Behaviour, block

executor = RayExecutor(Behaving({str(tmp_path)!r}), 1, address={cluster.address!r})
executor.submit(Job(0, block(1), Behaviour.HANG))
executor.next_result()
"""
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "RAY_AUTH_MODE": "disabled"})
    try:
        end = time.monotonic() + 60
        while not (pids := [int(file.name[4:]) for file in tmp_path.glob("pid-*")]) and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        driver.kill()
        driver.wait()
    assert len(pids) == 1
    assert gone(pids, within=30)


def test_an_address_at_which_nobody_is_is_refused_at_once(connection):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(SearchError, match=rf"that answers at {address} within 5 s\. Received: .*refused"):
        RayExecutor(Behaving(), address=address)
    assert time.monotonic() - start < 5


def test_a_second_cluster_is_refused(connection, cluster, monkeypatch):
    monkeypatch.setattr("automl_cells.search.executors.ray_cluster.probe", lambda address: None)
    with pytest.raises(SearchError, match=rf"connected to, {cluster.address}\. Received: 127\.0\.0\.1:9$"):
        RayExecutor(Behaving(), address="127.0.0.1:9")


def test_a_trial_for_which_there_is_no_room_is_refused(connection):
    with pytest.raises(SearchError, match=r"a trial of 64 CPUs and 1 GPUs\. Received: 1 nodes with 2 CPUs and 1 GPUs"):
        RayExecutor(Behaving(), cpus_per_trial=64, gpus_per_trial=1)


def test_workers_for_which_there_is_no_room_are_not_waited_for_without_end(make, cluster, monkeypatch):
    monkeypatch.setattr("automl_cells.search.executors.ray._START_PATIENCE", 0.5)
    executor = make(Behaving(), cpus_per_trial=64, address=cluster.address)
    executor.submit(jobs(Behaviour.ANSWER)[0])
    with pytest.raises(SearchError, match=r"a worker to start within 0\.5 s\. Received: 1 nodes with 2 CPUs"):
        executor.next_result(timeout=60)


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"retries": -1},
        {"recycle_after": 0},
        {"cpus_per_trial": 0},
        {"gpus_per_trial": -1},
        {"gpus_per_trial": 1.5},
        {"cpus_per_trial": math.nan},
        {"cpus_per_trial": math.inf},
        {"gpus_per_trial": math.nan},
        {"gpus_per_trial": math.inf},
        {"gpus_per_trial": 1e-320},
    ],
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(SearchError, match=next(iter(options))):
        RayExecutor(Behaving(), **options)


def test_an_evaluator_that_cannot_leave_its_process_is_refused():
    class Homebound(Behaving):
        spec = Evaluator.spec

    with pytest.raises(SearchError, match=r"Received: Homebound$"):
        RayExecutor(Homebound())
