"""PPO's clipped objective and its slope, and the advantages that go into it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST_LOG_RATIO = 20.0  # beyond it a ratio counts as e²⁰, so that none overflows


def surrogate(new: np.ndarray, old: np.ndarray, advantages: np.ndarray, clip: float) -> tuple[np.ndarray, np.ndarray]:
    """The smaller of the ratio's gain and the clipped ratio's.

    Schulman et al., "Proximal Policy Optimization Algorithms" (arXiv 1707.06347), equation 7, without the mean:
    min(r A, clip(r, 1 − ε, 1 + ε) A) with r = exp(new − old).

    Args:
        new: log-probabilities under the policy that learns.
        old: log-probabilities under the policies that acted, same shape.
        advantages: A, of a shape that broadcasts to it.
        clip: ε.

    Returns:
        The objective of each entry, and its derivative with respect to `new`: A r, or 0 where clipping bites.
    """
    ratios = np.exp(np.minimum(new - old, LARGEST_LOG_RATIO))
    plain = ratios * advantages
    clipped = np.clip(ratios, 1 - clip, 1 + clip) * advantages
    return np.minimum(plain, clipped), np.where(plain <= clipped, plain, 0)


def advantages(rewards: Sequence[float], baseline: float, momentum: float) -> tuple[list[float], float]:
    """What each reward is above the exponential moving average of those before it.

    Args:
        rewards: in the order in which they came.
        baseline: the average before the first of them.
        momentum: weight of the old average when a reward is added to it.

    Returns:
        The differences, and the average after the last reward.
    """
    differences = []
    for reward in rewards:
        differences.append(reward - baseline)
        baseline = momentum * baseline + (1 - momentum) * reward
    return differences, baseline
