"""The primitives of `interpreter` in JAX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_MAP = (1, 2)  # the axes of height and width


def conv(x: Any, kernel: Any, stride: tuple[int, int], padding: str, dilation: int) -> Any:
    """See `Primitives`."""
    return lax.conv_general_dilated(
        x, kernel, stride, padding.upper(), rhs_dilation=(dilation, dilation), dimension_numbers=_LAYOUT
    )


def depthwise_conv(x: Any, kernel: Any, stride: tuple[int, int]) -> Any:
    """See `Primitives`."""
    channels = x.shape[3]
    return lax.conv_general_dilated(
        x,
        kernel.reshape(*kernel.shape[:2], 1, channels),
        stride,
        "SAME",
        dimension_numbers=_LAYOUT,
        feature_group_count=channels,
    )


def max_pool(x: Any, window: tuple[int, int], stride: tuple[int, int], padding: str) -> Any:
    """See `Primitives`."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, *window, 1), (1, *stride, 1), padding.upper())


def avg_pool(x: Any, window: tuple[int, int], stride: tuple[int, int], padding: str) -> Any:
    """See `Primitives`."""

    def sums(values: Any) -> Any:
        return lax.reduce_window(values, 0.0, lax.add, (1, *window, 1), (1, *stride, 1), padding.upper())

    return sums(x) / sums(jnp.ones((1, *x.shape[1:3], 1), x.dtype))


def pad(x: Any, margins: tuple[int, int, int, int]) -> Any:
    """See `Primitives`."""
    return jnp.pad(x, ((0, 0), margins[:2], margins[2:], (0, 0)))


def crop(x: Any, margins: tuple[int, int, int, int]) -> Any:
    """See `Primitives`."""
    above, below, left, right = margins
    return x[:, above : x.shape[1] - below, left : x.shape[2] - right]


def add_bias(x: Any, bias: Any) -> Any:
    """See `Primitives`."""
    return x + bias


def add(terms: Sequence[Any]) -> Any:
    """See `Primitives`."""
    return sum(terms[1:], start=terms[0])


def concat(maps: Sequence[Any]) -> Any:
    """See `Primitives`."""
    return jnp.concatenate(maps, axis=3)


def multiply(x: Any, y: Any) -> Any:
    """See `Primitives`."""
    return x * y


def matmul(x: Any, y: Any) -> Any:
    """See `Primitives`."""
    return x @ y


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """See `Primitives`."""
    return x.reshape(shape)


def transpose(x: Any, axes: Sequence[int]) -> Any:
    """See `Primitives`."""
    return x.transpose(axes)


def relu(x: Any) -> Any:
    """See `Primitives`."""
    return jax.nn.relu(x)


def sigmoid(x: Any) -> Any:
    """See `Primitives`."""
    return jax.nn.sigmoid(x)


def softmax(x: Any) -> Any:
    """See `Primitives`."""
    return jax.nn.softmax(x)


def mean(x: Any, keep: bool) -> Any:
    """See `Primitives`."""
    return x.mean(_MAP, keepdims=keep)


def maximum(x: Any) -> Any:
    """See `Primitives`."""
    return x.max(_MAP)


def dropout(x: Any, rate: float, key: Any, place: int) -> Any:
    """See `Primitives`; `key` is a number."""
    kept = jax.random.bernoulli(jax.random.fold_in(jax.random.key(key), place), 1 - rate, x.shape)
    return jnp.where(kept, x / (1 - rate), 0)


def normalise(x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    """See `Primitives`."""
    factors = gamma * lax.rsqrt(variance + epsilon)
    return x * factors + (beta - mean * factors)


def normalise_batch(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """See `Primitives`."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return normalise(x, gamma, beta, mean, variance, epsilon), mean, variance
