"""A strategy of one's own: threshold accepting, a walk that takes small steps down and ever smaller ones.

Dueck and Scheuer, "Threshold Accepting" (Journal of Computational Physics 90, 1990). A candidate is a mutation of the
current one and takes its place unless it is worse by more than a threshold, which falls linearly to 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells import register_strategy
from automl_cells.errors import StrategyError
from automl_cells.spaces import Action, Space
from automl_cells.strategies import Proposal, Strategy
from automl_cells.strategies.base import proposal, uniform_decisions
from automl_cells.strategies.snapshots import count, number, trajectory

if TYPE_CHECKING:
    import numpy as np


@register_strategy
class ThresholdAccepting(Strategy):
    """A walk from one candidate to the next.

    Args:
        space: where to search.
        trials: distinct genotypes that the search will train; after as many answers the threshold is 0.
        seed: not used; all randomness is in `ask`.
        threshold: the first one, in points of the reward.

    Raises:
        StrategyError: a threshold below 0, or no number.
    """

    name: ClassVar[str] = "threshold_accepting"

    def __init__(self, space: Space, trials: int, seed: int = 0, *, threshold: float = 5.0) -> None:
        super().__init__(space, trials, seed)
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not threshold >= 0:
            raise StrategyError(f"Expected a threshold from 0. Received: {threshold!r}")
        self.threshold, self.answers = threshold, 0
        self.current: tuple[tuple[Action, ...], float] | None = None  # decisions and reward

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """A mutation of the current candidate; a random one while there is none."""
        if self.current is None:
            return proposal(self.space, uniform_decisions(self.space, rng))
        child = self.space.mutate(proposal(self.space, self.current[0]).genotype, rng)
        return Proposal(child, self.space.decisions(child))

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Move there unless it is worse by more than the threshold."""
        allowed = self.threshold * max(0.0, 1 - self.answers / self.trials)
        self.answers += 1
        if self.current is None or reward >= self.current[1] - allowed:
            self.current = (proposal.decisions, reward)

    def state(self) -> dict[str, Any]:
        """The current candidate, its reward and the number of answers."""
        current = None if self.current is None else [list(self.current[0]), self.current[1]]
        return {"current": current, "answers": self.answers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of this strategy in this space.
        """
        try:
            found = state["current"]
            current = None if found is None else (trajectory(found[0], self.space), number(found[1]))
            self.answers, self.current = count(state["answers"]), current
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise StrategyError(f"Expected a state of threshold_accepting. Received: {error!r}") from None
