"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import StrategyError
from automl_cells.strategies.base import Proposal, Strategy, proposal, uniform_decisions

if TYPE_CHECKING:
    import numpy as np


class Random(Strategy):
    """Every decision uniform among the legal ones. Learns nothing."""

    name: ClassVar[str] = "random"

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """A uniformly drawn proposal."""
        return proposal(self.space, uniform_decisions(self.space, rng))

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore.

        Raises:
            StrategyError: the state of another strategy.
        """
        if state != {}:
            raise StrategyError(f"Expected a state of random, an empty one. Received: {state!r:.80}")
