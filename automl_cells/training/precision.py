"""The precision in which a network computes while it is trained; its weights are float32 always."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras

from automl_cells.builder import Plan

BFLOAT16_LANES = 16
"""Filters in multiples of which bfloat16 pays on a CPU: measured on two cores with AVX-512 BF16, a network of 16/32/64
filters trained 1.6 times as fast as in float32, one of 8/16/32 filters half as fast."""


def resolve_precision(precision: str, filters: Sequence[int], kind: str = "block") -> str:
    """``float32`` or ``bfloat16`` for a recipe's word.

    ``auto`` is bfloat16 where the hardware multiplies it natively: NVIDIA GPUs from compute capability 8 on, TPUs, and
    CPUs with AVX-512 BF16 or AMX if every stage's filters are a multiple of `BFLOAT16_LANES` and the genotype is no
    cell: the depthwise convolutions of NASNet-A trained 1.7 times as slowly as in float32. torch's CPU kernels were
    slower with it too, so there it is float32.
    """
    if precision != "auto":
        return precision
    backend = keras.backend.backend()
    native = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[backend](filters, kind)
    return "bfloat16" if native else "float32"


def widths(plan: Plan) -> list[int]:
    """The filters of the convolutions of a network; 1 for one that sums over a single channel first."""
    return [layer.shape[2] if layer.op == "conv" else 1 for layer in plan if layer.op in ("conv", "separable_conv")]


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made in the block compute in that precision, with float32 variables."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy({"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _tensorflow(filters: Sequence[int], kind: str) -> bool:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return capability >= (8, 0)
    pays = kind != "cell" and all(number % BFLOAT16_LANES == 0 for number in filters)
    return pays and _cpu_multiplies_bfloat16()


def _jax(filters: Sequence[int], kind: str) -> bool:
    import jax

    return jax.default_backend() in ("gpu", "tpu")  # XLA's CPU convolutions compute in float32 anyway


def _torch(filters: Sequence[int], kind: str) -> bool:
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _cpu_multiplies_bfloat16() -> bool:
    """As Linux describes the processor; unknown elsewhere, which means no."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in text or "amx_bf16" in text
