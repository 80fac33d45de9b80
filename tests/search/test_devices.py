import os

import pytest

from automl_cells.search.executors import devices
from automl_cells.search.executors.devices import available_cpus, visible_gpus, worker_environment


@pytest.fixture
def cpus(monkeypatch):
    monkeypatch.setattr(devices, "available_cpus", lambda: 8)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_DRIVER", devices.Path("no/driver/here"))


@pytest.mark.parametrize(("workers", "threads"), [(1, "8"), (2, "4"), (3, "2"), (8, "1"), (20, "1")])
def test_the_cores_are_shared_out(cpus, workers, threads):
    environment = worker_environment(0, workers)
    assert environment["TF_NUM_INTRAOP_THREADS"] == environment["OMP_NUM_THREADS"] == threads


def test_operations_are_deterministic_and_the_rest_is_the_caller_s(cpus, monkeypatch):
    monkeypatch.setenv("SOMETHING", "else")
    environment = worker_environment(0, 1)
    assert environment["TF_DETERMINISTIC_OPS"] == "1"
    assert environment["SOMETHING"] == "else"
    assert "CUDA_VISIBLE_DEVICES" not in environment
    assert environment.keys() >= os.environ.keys()


def test_gpus_go_round(cpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-a")
    assert [worker_environment(worker, 3)["CUDA_VISIBLE_DEVICES"] for worker in range(3)] == ["3", "GPU-a", "3"]


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_gpus_that_are_hidden_stay_hidden(cpus, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert visible_gpus() == []
    assert worker_environment(0, 1)["CUDA_VISIBLE_DEVICES"] == hidden


def test_gpus_are_found_where_the_driver_lists_them(cpus, monkeypatch, tmp_path):
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(devices, "_DRIVER", tmp_path)
    assert visible_gpus() == ["0", "1"]


def test_this_machine_has_a_core():
    assert available_cpus() >= 1
