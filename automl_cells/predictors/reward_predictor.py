"""Guesses rewards of genotypes from those of a search.

A Gaussian process on the counts of the graphs (`encode`). It is told ranks, not rewards: the reward of rank r of n
stands as the normal quantile of (r − ½) / n. Failed candidates and those that learnt nothing would otherwise stretch
the scale so far that all good ones look alike: on NAS-Bench-201, where the worst cells are at chance, the logarithm of
the error as value found cells 0.15 to 0.2 points worse than ranks did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from automl_cells.errors import StrategyError
from automl_cells.genotypes import Genotype
from automl_cells.predictors.encoding import encode
from automl_cells.predictors.gaussian_process import GaussianProcess

if TYPE_CHECKING:
    import numpy as np

MOST = 600  # observations of a fit, whose time grows with their cube: the best half and the newest half
LEAST = 3


class Guess(NamedTuple):
    """What is believed of some genotypes; arrays of float64, one number a genotype.

    Attributes:
        reward: the median guess, in per cent like the rewards that were told.
        improvement: expected improvement over the best reward told (Jones et al., 1998, equation 15), on the scale of
            the ranks: what a search wants most of.
    """

    reward: np.ndarray
    improvement: np.ndarray


class Tried(Protocol):
    """What has a genotype."""

    @property
    def genotype(self) -> Genotype:
        """The candidate."""
        ...


class RewardPredictor:
    """Made from genotypes that have been tried and their rewards.

    Args:
        genotypes: n distinct ones.
        rewards: n finite numbers, in per cent.
        earlier: genotypes of an earlier search and their rewards there, on other data perhaps. They are ranked among
            themselves; those that stand in `genotypes` too are left out.

    Raises:
        StrategyError: fewer than `LEAST` genotypes, or not a reward for each.
    """

    def __init__(
        self,
        genotypes: Sequence[Genotype],
        rewards: Sequence[float],
        earlier: Sequence[tuple[Genotype, float]] = (),
    ) -> None:
        import numpy as np

        if len(genotypes) != len(rewards) or len(rewards) < LEAST:
            raise StrategyError(
                f"Expected at least {LEAST} genotypes to learn from, with a reward each. "
                f"Received: {len(genotypes)} and {len(rewards)}"
            )
        numbers = np.asarray(rewards, np.float64)
        self._sorted = np.sort(numbers)
        quantiles = _normal_quantiles(numbers)
        self._best = float(quantiles.max())
        kept = _telling(numbers, MOST)
        points = [encode(genotypes[row]) for row in kept]
        values = list(quantiles[kept])
        own = {genotype.hash for genotype in genotypes}
        others = [(genotype, reward) for genotype, reward in earlier if genotype.hash not in own]
        if others:
            there = np.asarray([reward for _, reward in others], np.float64)
            chosen = _telling(there, MOST - len(kept))
            points += [encode(others[row][0]) for row in chosen]
            values += list(_normal_quantiles(there)[chosen])
        self._process = GaussianProcess(points, values)

    @classmethod
    def of(cls, told: Iterable[tuple[Tried, float]], earlier: Iterable[tuple[Tried, float]] = ()) -> RewardPredictor:
        """From what has a genotype (a proposal, a trial) and its reward."""
        pairs = [(one.genotype, reward) for one, reward in told]
        return cls(
            [genotype for genotype, _ in pairs],
            [reward for _, reward in pairs],
            [(one.genotype, reward) for one, reward in earlier],
        )

    def __call__(self, genotypes: Sequence[Genotype], pending: Sequence[Genotype] = ()) -> Guess:
        """What is believed of `genotypes` while the rewards of `pending` are still to come."""
        import numpy as np
        from scipy.stats import norm

        mean, deviation = self._process.posterior(
            [encode(genotype) for genotype in genotypes], [encode(genotype) for genotype in pending]
        )
        over = mean - self._best
        improvement = over * norm.cdf(over / deviation) + deviation * norm.pdf(over / deviation)
        count = len(self._sorted)
        ranks = norm.cdf(mean) * count + 0.5  # 1 for the least
        return Guess(np.interp(ranks, np.arange(1, count + 1), self._sorted), improvement)


def _normal_quantiles(rewards: np.ndarray) -> np.ndarray:
    """For each reward of rank r among n the normal quantile of (r − ½) / n; equal ones share their mean rank."""
    from scipy.stats import norm, rankdata

    return norm.ppf((rankdata(rewards) - 0.5) / len(rewards))


def _telling(rewards: np.ndarray, most: int) -> np.ndarray:
    """Positions of the rewards to learn from, in their order: all up to `most`, else the best and the newest."""
    import numpy as np

    if len(rewards) <= most:
        return np.arange(len(rewards))
    newest = np.arange(len(rewards) - most // 2, len(rewards))
    first = newest[0] if len(newest) else len(rewards)
    others = np.argsort(-rewards[:first], kind="stable")[: most - len(newest)]
    return np.concatenate([np.sort(others), newest])
