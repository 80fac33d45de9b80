"""Rewards: pure functions from the metrics of a candidate to one number, in per cent like accuracy."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from automl_cells.errors import SearchError

Reward = Callable[[Mapping[str, float]], float]

_W = -0.07


def accuracy(metrics: Mapping[str, float]) -> float:
    """The validation accuracy in per cent, as MetaQNN and NASNet reward."""
    return metrics["accuracy"]


def blockqnn_early_stop(metrics: Mapping[str, float], mu: float = 1.0, rho: float = 8.0) -> float:
    """BlockQNN's redefined reward: accuracy after few epochs, corrected by what predicts the accuracy after many.

    reward = accuracy − μ·ln(FLOPs / reference) − ρ·ln(density)   (CVPR 2018, section 3.3, equation 7; μ=1, ρ=8)

    Accuracy is in per cent and the logarithm natural: both follow from the paper's figure 6. The figure's FLOPs are
    normalised by a unit that the paper does not name; ours is `reference_flops`, the multiply-adds of the same network
    with a single 3×3 convolution as its block, which puts the ratio into the figure's range (0.07 to 4.7). The unit
    shifts all rewards alike, so it changes no ranking.

    Args:
        metrics: with ``accuracy`` (per cent), ``flops`` and ``reference_flops`` (multiply-adds, above 0) and
            ``density`` (edges over nodes).
        mu: weight of the FLOPs.
        rho: weight of the density.

    Example:
        >>> blockqnn_early_stop({"accuracy": 90.0, "flops": 2e6, "reference_flops": 2e6, "density": 1.0})
        90.0
    """
    return (
        metrics["accuracy"]
        - mu * math.log(metrics["flops"] / metrics["reference_flops"])
        - rho * math.log(metrics["density"])
    )


def latency_constrained(
    metrics: Mapping[str, float], *, target_ms: float, alpha: float = _W, beta: float = _W
) -> float:
    """MnasNet's reward: the accuracy, weighed by how the latency compares with a target.

    reward = accuracy · (latency / target)^w, with w = α up to the target and w = β above it   (Tan et al., CVPR 2019,
    arXiv 1807.11626, equations 2 and 3)

    α = β = −0.07, the paper's choice: twice the latency is worth 5 % of the accuracy, on either side of the target.
    With α = 0 and β = −1, its other one, the target is a limit that may be broken at a price. The paper measures on
    one core of a Pixel phone, we with ONNX Runtime on one core of this machine. Accuracy is in per cent, which scales
    all rewards alike; a candidate much faster than its target may earn more than 100.

    Args:
        metrics: with ``accuracy`` (per cent) and ``latency_ms`` (above 0).
        target_ms: T, milliseconds.
        alpha: α, at most 0.
        beta: β, at most 0.

    Example:
        >>> latency_constrained({"accuracy": 90.0, "latency_ms": 10.0}, target_ms=5.0, alpha=0.0, beta=-1.0)
        45.0
    """
    return _constrained(metrics["accuracy"], metrics["latency_ms"], target_ms, alpha, beta)


def params_constrained(
    metrics: Mapping[str, float], *, target_params: float, alpha: float = _W, beta: float = _W
) -> float:
    """As `latency_constrained`, with the trainable parameters for the latency; that they take its place is ours.

    Args:
        metrics: with ``accuracy`` (per cent) and ``parameters`` (above 0).
        target_params: T, parameters.
        alpha: α, at most 0.
        beta: β, at most 0.
    """
    return _constrained(metrics["accuracy"], metrics["parameters"], target_params, alpha, beta)


def memory_constrained(
    metrics: Mapping[str, float], *, target_bytes: float, alpha: float = _W, beta: float = _W
) -> float:
    """As `latency_constrained`, with the peak activation memory for the latency; that it takes its place is ours.

    Args:
        metrics: with ``accuracy`` (per cent) and ``memory`` (bytes, above 0).
        target_bytes: T, bytes.
        alpha: α, at most 0.
        beta: β, at most 0.
    """
    return _constrained(metrics["accuracy"], metrics["memory"], target_bytes, alpha, beta)


def _constrained(accuracy: float, cost: float, target: float, alpha: float, beta: float) -> float:
    return accuracy * (cost / target) ** (alpha if cost <= target else beta)


REWARDS: dict[str, Callable[..., float]] = {
    "accuracy": accuracy,
    "blockqnn_early_stop": blockqnn_early_stop,
    "latency_constrained": latency_constrained,
    "memory_constrained": memory_constrained,
    "params_constrained": params_constrained,
}

_NEEDED: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy",),
    "blockqnn_early_stop": ("accuracy", "flops", "reference_flops", "density"),
    "latency_constrained": ("accuracy", "latency_ms"),
    "memory_constrained": ("accuracy", "memory"),
    "params_constrained": ("accuracy", "parameters"),
}


def reward(name: str, /, **options: Any) -> Reward:
    """The reward of that name, with its options set.

    Args:
        name: a key of `REWARDS`.
        **options: its arguments behind the metrics, e.g. ``target_ms=5.0``.

    Raises:
        SearchError: an unknown reward; an option that it does not take, or one missing that it needs; an option that
            is not a finite number, a target that is not above 0, or an exponent above 0, which would reward the cost.

    Example:
        >>> reward("params_constrained", target_params=1000, beta=-1)({"accuracy": 80.0, "parameters": 2000})
        40.0
    """
    if name not in REWARDS:
        raise SearchError(f"Expected a reward among {sorted(REWARDS)}. Received: {name}")
    function = REWARDS[name]
    taken = [parameter for parameter in inspect.signature(function).parameters.values() if parameter.name != "metrics"]
    if unknown := sorted(set(options) - {parameter.name for parameter in taken}):
        names = ", ".join(parameter.name for parameter in taken) or "none"
        raise SearchError(f"Expected options of the reward {name}: {names}. Received: {unknown[0]}")
    missing = [p.name for p in taken if p.default is inspect.Parameter.empty and p.name not in options]
    if missing:
        given = ", ".join(f"{option}={value!r:.40}" for option, value in options.items()) or "no option"
        raise SearchError(f"Expected {missing[0]}, which the reward {name} needs. Received: {given}")
    for option, value in options.items():
        _check(name, option, value)
    return functools.partial(function, **options) if options else function


def _check(name: str, option: str, value: Any) -> None:
    rule = "a finite number"
    fits = type(value) in (int, float) and math.isfinite(value)
    if option.startswith("target"):
        rule, fits = "a finite number above 0", fits and value > 0
    elif option in ("alpha", "beta"):
        rule, fits = "a finite number of at most 0", fits and value <= 0
    if not fits:
        raise SearchError(f"Expected {option} of the reward {name} as {rule}. Received: {value!r:.80}")


def metrics_needed(name: str) -> tuple[str, ...]:
    """The metrics that the reward of that name reads; who makes an evaluator learns from it what must be measured.

    Raises:
        SearchError: an unknown reward.

    Example:
        >>> metrics_needed("latency_constrained")
        ('accuracy', 'latency_ms')
    """
    if name not in _NEEDED:
        raise SearchError(f"Expected a reward among {sorted(REWARDS)}. Received: {name}")
    return _NEEDED[name]
