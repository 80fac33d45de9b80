import os
import sys
from types import SimpleNamespace

import pytest

from automl_cells.search.executors import devices
from automl_cells.search.executors.devices import (
    GPU_MEMORY,
    available_cpus,
    gpu_memory,
    limit_gpu_memory,
    visible_gpus,
    worker_environment,
)


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
    assert environment["TF_DETERMINISTIC_OPS"] == environment["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] == "1"
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


def test_workers_that_share_a_gpu_share_its_memory(cpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("XLA_CLIENT_MEM_FRACTION", "0.5")  # which JAX does not take together with the other
    environments = [worker_environment(worker, 6, workers_per_gpu=3, memory=10_000) for worker in range(6)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["0", "1"] * 3
    for environment in environments:
        assert environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.300"
        assert "XLA_CLIENT_MEM_FRACTION" not in environment
        assert environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
        assert environment[GPU_MEMORY] == "3000"
        assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


@pytest.mark.parametrize(
    ("gpus", "options", "shares"),
    [
        ("0", {}, set()),
        ("0", {"workers_per_gpu": 2}, {"XLA_PYTHON_CLIENT_MEM_FRACTION"}),
        ("", {"workers_per_gpu": 2, "memory": 10_000}, set()),
    ],
)
def test_memory_is_shared_out_only_where_it_is_asked_for_and_known(cpus, monkeypatch, gpus, options, shares):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    for name in (GPU_MEMORY, "XLA_PYTHON_CLIENT_MEM_FRACTION"):
        monkeypatch.delenv(name, raising=False)
    environment = worker_environment(0, 2, **options)
    assert environment.keys() & {GPU_MEMORY, "XLA_PYTHON_CLIENT_MEM_FRACTION"} == shares


def tool(folder, monkeypatch, text):
    """An nvidia-smi that prints that text."""
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{text}'\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("text", "memory"), [("81920\\n40960\\n", 40960), ("[N/A]\\n", None), ("", None), ("24564\\n", 24564)]
)
def test_the_smallest_gpu_says_how_much_memory_there_is(monkeypatch, tmp_path, text, memory):
    tool(tmp_path, monkeypatch, text)
    assert gpu_memory() == memory


def test_without_the_tool_no_memory_is_known(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_memory() is None


def fakes(monkeypatch, backend):
    """Keras with that backend, and a TensorFlow with two GPUs that notes their limits."""
    limits = {}
    config = SimpleNamespace(
        LogicalDeviceConfiguration=lambda memory_limit: memory_limit,
        list_physical_devices=lambda kind: ["first", "second"],
        set_logical_device_configuration=lambda gpu, devices: limits.update({gpu: devices}),
    )
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(config=SimpleNamespace(backend=lambda: backend)))
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    return limits


@pytest.mark.parametrize(
    ("backend", "memory", "expected"),
    [
        ("tensorflow", "3000", {"first": [3000], "second": [3000]}),
        ("tensorflow", None, {}),
        ("jax", "3000", {}),
    ],
)
def test_a_tensorflow_worker_keeps_to_its_share(monkeypatch, backend, memory, expected):
    limits = fakes(monkeypatch, backend)
    monkeypatch.delenv(GPU_MEMORY, raising=False)
    if memory is not None:
        monkeypatch.setenv(GPU_MEMORY, memory)
    limit_gpu_memory()
    assert limits == expected
