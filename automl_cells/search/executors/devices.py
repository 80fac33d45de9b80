"""What a worker may use, chosen before it imports a framework."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

GPU_MEMORY = "AUTOML_CELLS_GPU_MEMORY"
"""MiB of a GPU's memory that a TensorFlow worker may take: `limit_gpu_memory` reads it there."""

_DRIVER = Path("/proc/driver/nvidia/gpus")
_USABLE = 0.9  # of a GPU's memory; the contexts of the processes that share it take the rest


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs of this machine, or those that ``CUDA_VISIBLE_DEVICES`` leaves, as that variable names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(_DRIVER.iterdir())] if _DRIVER.is_dir() else []


def gpu_memory() -> int | None:
    """Memory in MiB of this machine's smallest GPU; ``None`` where ``nvidia-smi`` does not say."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return min(int(line) for line in done.stdout.split("\n") if line.strip())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def available_cpus() -> int:
    """The CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resident_bytes(pid: int) -> int:
    """Memory that a process occupies, in bytes; 0 where the system does not say (only Linux does)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def worker_environment(
    worker: int, workers: int, workers_per_gpu: int | None = None, memory: int | None = None
) -> dict[str, str]:
    """The environment of worker number `worker` of `workers`.

    The cores are shared out, so that workers do not fight over them; GPUs go round, and no worker takes a GPU's memory
    before it needs it. Operations are deterministic, so that the same seed gives the same accuracy, and TensorFlow
    keeps its start-up notes to itself. Keras has the backend that it has here, however that was chosen.

    Args:
        worker: number of the worker, from 0.
        workers: how many there are.
        workers_per_gpu: how many share a GPU, each of which may take that part of nine tenths of its memory; ``None``
            leaves memory to those who come first.
        memory: MiB of a GPU, which TensorFlow's limit is counted from; ``None`` gives it none. JAX's is a fraction.
    """
    threads = str(max(1, available_cpus() // workers))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "NPROC": threads,  # JAX's name for it
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_DETERMINISTIC_OPS": "1",
        "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1",  # TensorFlow's own for oneDNN keeps what its largest candidate needed
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "PYTHONUNBUFFERED": "1",
    }
    if (keras := sys.modules.get("keras")) is not None:
        environment["KERAS_BACKEND"] = keras.config.backend()
    if gpus := visible_gpus():
        environment["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]
        if workers_per_gpu is not None:
            environment.pop("XLA_CLIENT_MEM_FRACTION", None)  # JAX takes only one of its two names for it
            environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{_USABLE / workers_per_gpu:.3f}"
            if memory is not None:
                environment[GPU_MEMORY] = str(int(_USABLE * memory / workers_per_gpu))
    return environment


def limit_gpu_memory() -> None:
    """Keep TensorFlow to the MiB of each GPU that the environment names; to be called before it touches a GPU.

    Does nothing where the environment names none, and under the other backends of Keras: JAX has a variable of its
    own for it, and torch takes memory as it needs it.
    """
    if GPU_MEMORY not in os.environ:
        return
    import keras

    if keras.config.backend() != "tensorflow":
        return
    import tensorflow as tf

    limit = tf.config.LogicalDeviceConfiguration(memory_limit=int(os.environ[GPU_MEMORY]))
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.set_logical_device_configuration(gpu, [limit])
