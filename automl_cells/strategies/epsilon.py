"""Schedules of ε, the probability that a decision is random, as the papers' tables give them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from automl_cells.errors import StrategyError


@dataclass(frozen=True)
class EpsilonSchedule:
    """Phases of constant ε.

    Attributes:
        phases: (ε, length) pairs in order. The unit of the lengths (iterations, models) does not matter: the whole
            schedule is scaled to the number of trials of a search.

    Raises:
        StrategyError: no phase, an ε outside 0 to 1, or a length that is not positive.
    """

    phases: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.phases or any(not 0 <= epsilon <= 1 or not 0 < length < inf for epsilon, length in self.phases):
            raise StrategyError(f"Expected phases (ε from 0 to 1, length above 0). Received: {self.phases!r}")

    @classmethod
    def from_pairs(cls, pairs: Any) -> EpsilonSchedule:
        """The schedule of lists of two numbers, as options and JSON have them.

        Raises:
            StrategyError: anything else.
        """
        try:
            phases = tuple((float(epsilon), float(length)) for epsilon, length in pairs)
        except (TypeError, ValueError):
            raise StrategyError(f"Expected phases (ε from 0 to 1, length above 0). Received: {pairs!r:.80}") from None
        return cls(phases)

    def after_exploring(self) -> EpsilonSchedule:
        """The schedule without its phases of ε = 1, if there are others: for who need not begin with nothing."""
        rest = tuple(phase for phase in self.phases if phase[0] < 1)
        return EpsilonSchedule(rest) if rest else self

    @property
    def length(self) -> float:
        """Sum of the lengths of the phases."""
        return sum(length for _, length in self.phases)

    def at(self, trial: int, trials: int) -> float:
        """ε for 0-based trial number `trial` of `trials`; after the end the last phase's.

        Example:
            >>> [BLOCKQNN.at(trial, 178) for trial in (0, 94, 95, 101, 102, 177, 500)]
            [1.0, 1.0, 0.9, 0.9, 0.8, 0.1, 0.1]
        """
        position = trial * self.length / trials
        end = 0.0
        for epsilon, length in self.phases:
            end += length
            if position < end:
                return epsilon
        return self.phases[-1][0]


BLOCKQNN = EpsilonSchedule(
    ((1.0, 95), (0.9, 7), (0.8, 7), (0.7, 7), (0.6, 10), (0.5, 10), (0.4, 10), (0.3, 10), (0.2, 10), (0.1, 12))
)
"""BlockQNN section 4.2: iterations of 64 blocks at each ε, 178 in all."""

METAQNN = EpsilonSchedule(
    (
        (1.0, 1500),
        (0.9, 100),
        (0.8, 100),
        (0.7, 100),
        (0.6, 150),
        (0.5, 150),
        (0.4, 150),
        (0.3, 150),
        (0.2, 150),
        (0.1, 150),
    )
)
"""MetaQNN (arXiv 1611.02167v2), section 4.3 and appendix D: unique models trained at each ε, 2,700 in all."""
