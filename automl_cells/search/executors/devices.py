"""What a worker may use, chosen before it imports a framework."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs of this machine, or those that ``CUDA_VISIBLE_DEVICES`` leaves, as that variable names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(_DRIVER.iterdir())] if _DRIVER.is_dir() else []


def available_cpus() -> int:
    """The CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resident_bytes(pid: int) -> int:
    """Memory that a process occupies, in bytes; 0 where the system does not say (only Linux does)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def worker_environment(worker: int, workers: int) -> dict[str, str]:
    """The environment of worker number `worker` of `workers`.

    The cores are shared out, so that workers do not fight over them; GPUs go round, and no worker takes a GPU's memory
    before it needs it. Operations are deterministic, so that the same seed gives the same accuracy, and TensorFlow
    keeps its start-up notes to itself. Keras has the backend that it has here, however that was chosen.
    """
    threads = str(max(1, available_cpus() // workers))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "NPROC": threads,  # JAX's name for it
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_DETERMINISTIC_OPS": "1",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "PYTHONUNBUFFERED": "1",
    }
    if (keras := sys.modules.get("keras")) is not None:
        environment["KERAS_BACKEND"] = keras.config.backend()
    if gpus := visible_gpus():
        environment["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]
    return environment
