"""Rewards: pure functions from the metrics of a candidate to one number, in per cent like accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from automl_cells.errors import SearchError

Reward = Callable[[Mapping[str, float]], float]


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


REWARDS: dict[str, Reward] = {"accuracy": accuracy, "blockqnn_early_stop": blockqnn_early_stop}


def reward(name: str) -> Reward:
    """The reward of that name.

    Raises:
        SearchError: an unknown reward.
    """
    if name not in REWARDS:
        raise SearchError(f"Expected a reward among {sorted(REWARDS)}. Received: {name}")
    return REWARDS[name]
