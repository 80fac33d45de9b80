"""How many replicas of a network share a training, and on which devices: GPUs if there are any, else CPU cores.

A replica is one copy of the network on one device. Every visible GPU gets one by default. Without a GPU one replica
uses all cores; more can be asked for, up to one a core, which is of use for tests and rehearsals only.
"""

from __future__ import annotations

import contextlib
import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import keras

from automl_cells.errors import TrainingError

if TYPE_CHECKING:
    import tensorflow as tf


def check_replicas(replicas: int | None) -> int:
    """`replicas`, or by default the number of visible GPUs (at least 1).

    Call it before the first operation of the framework: CPU devices are laid out then, once for the whole process.

    Args:
        replicas: how many on this machine.

    Raises:
        TrainingError: fewer than one, more than there are devices, or the CPU's devices are laid out already.
    """
    if machines() > 1 and replicas not in (None, max(1, _gpus())):
        raise TrainingError(
            f"Expected no number of replicas with several machines (TF_CONFIG): each takes all its GPUs, or its CPU as "
            f"one device. Received: {replicas}"
        )
    if keras.backend.backend() == "jax" and replicas is not None and replicas > 1:
        _lay_out_jax_cpus(min(replicas, _cores()))  # before JAX can be asked for GPUs, which starts it
    gpus = _gpus()
    if replicas is None:
        return max(1, gpus)
    devices = gpus or _cores()
    if not 1 <= replicas <= devices:
        what = f"{devices} {'GPU' if gpus else 'CPU core'}{'s' if devices > 1 else ''}"
        raise TrainingError(f"Expected 1 to {devices} replicas on this machine ({what}). Received: {replicas}")
    if not gpus and replicas > 1:
        _lay_out_cpus(replicas)
    return replicas


def machines() -> int:
    """How many machines ``TF_CONFIG`` names (chief and workers); 1 without it.

    Raises:
        TrainingError: it is not valid JSON, or the backend is not TensorFlow.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 1
    try:
        cluster = json.loads(text).get("cluster", {})
        found = sum(len(cluster.get(role, ())) for role in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError):
        raise TrainingError(f"Expected TF_CONFIG as JSON with a cluster. Received: {text:.120}") from None
    if found > 1 and keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"Expected KERAS_BACKEND=tensorflow for a training on several machines (TF_CONFIG). "
            f"Received: {keras.backend.backend()}"
        )
    return max(1, found)


def first_machine() -> bool:
    """Whether this process is the one that writes files: the only machine, or the chief or worker 0 of several."""
    if machines() == 1:
        return True
    task = json.loads(os.environ["TF_CONFIG"]).get("task", {})
    roles = json.loads(os.environ["TF_CONFIG"])["cluster"]
    return (task.get("type"), task.get("index")) == (("chief" if roles.get("chief") else "worker"), 0)


def tensorflow_strategy(replicas: int) -> tf.distribute.Strategy:
    """The strategy for that many replicas a machine; call `check_replicas` with the number first."""
    import tensorflow as tf

    if machines() > 1:
        return _several_machines()
    if replicas == 1:
        return tf.distribute.get_strategy()
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return _one_machine(kind, replicas)


@cache
def _one_machine(kind: str, replicas: int) -> tf.distribute.Strategy:
    """Made once: a second one would give its collective operations the numbers that those of the first have."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy([f"{kind}:{number}" for number in range(replicas)])


@cache
def _several_machines() -> tf.distribute.Strategy:
    """Made once: the processes of a cluster meet when it is made, before any operation is run."""
    import tensorflow as tf

    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:  # "Collective ops must be configured at program startup"
        raise TrainingError(
            f"Expected a training on several machines to be the first thing that TensorFlow does. Received: {error}"
        ) from None


def jax_devices(replicas: int) -> list[Any]:
    """The first `replicas` devices of JAX's default platform."""
    import jax

    return jax.devices()[:replicas]


def _gpus() -> int:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return 0 if jax.default_backend() == "cpu" else len(jax.devices())
    import torch

    return min(1, torch.cuda.device_count())  # the torch engine trains on one device


def _cores() -> int:
    if keras.backend.backend() == "torch":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lay_out_cpus(replicas: int) -> None:
    late = TrainingError(
        f"Expected to be asked for {replicas} replicas on CPU devices before the framework has run anything "
        "(call automl_cells.training.check_replicas first). Received: it has started with fewer devices"
    )
    if keras.backend.backend() == "jax":
        if len(jax_devices(replicas)) < replicas:
            raise late
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    except RuntimeError:
        if len(tf.config.list_logical_devices("CPU")) < replicas:
            raise late from None


def _lay_out_jax_cpus(replicas: int) -> None:
    """Ask JAX for that many CPU devices, if it has not started and nobody asked for as many; idle where it has GPUs."""
    import jax

    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return  # JAX refuses to be told twice
    if jax.config.jax_num_cpu_devices < replicas:
        with contextlib.suppress(RuntimeError):  # it has started; whether its devices suffice is looked at later
            jax.config.update("jax_num_cpu_devices", replicas)
