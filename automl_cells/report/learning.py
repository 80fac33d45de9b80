"""What an ε-greedy search has learnt: the candidates of its first phase against those of its last ones."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

GREEDY = 0.3
"""The ε up to which a phase counts as a late one."""


class MeanRewards(NamedTuple):
    """Mean rewards, and of how many candidates.

    Attributes:
        epsilon: of the first phase, the largest.
        first: mean reward at that ε.
        first_count: of how many candidates.
        threshold: largest ε of the late phases.
        last: mean reward at that ε and below.
        last_count: of how many candidates.
    """

    epsilon: float
    first: float
    first_count: int
    threshold: float
    last: float
    last_count: int


def mean_rewards(
    candidates: Sequence[tuple[float | None, float | None]], threshold: float = GREEDY
) -> MeanRewards | None:
    """The means of MetaQNN's figures 3 and 4: how good candidates are when drawn at random, and when chosen.

    Args:
        candidates: ε and reward of each; without either one does not count.
        threshold: largest ε of the late phases.

    Returns:
        The means; ``None`` if no candidate is of a late phase, or none of an earlier one.

    Example:
        >>> mean_rewards([(1.0, 60.0), (1.0, 70.0), (0.5, 80.0), (0.3, 90.0), (0.1, 94.0)])
        MeanRewards(epsilon=1.0, first=65.0, first_count=2, threshold=0.3, last=92.0, last_count=2)
    """
    known = [(epsilon, reward) for epsilon, reward in candidates if epsilon is not None and reward is not None]
    highest = max((epsilon for epsilon, _ in known), default=0.0)
    first = [reward for epsilon, reward in known if epsilon == highest]
    last = [reward for epsilon, reward in known if epsilon <= threshold]
    if highest <= threshold or not last:
        return None
    return MeanRewards(highest, statistics.mean(first), len(first), threshold, statistics.mean(last), len(last))
