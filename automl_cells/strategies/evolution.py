"""Regularised evolution: a population in which the oldest dies, whatever it earned.

Real et al., "Regularized Evolution for Image Classifier Architecture Search" (AAAI 2019, arXiv 1802.01548), algorithm
1. The first P candidates are random. After that, S members of the population are drawn, the best of them is the parent,
and its mutated copy takes the place of the oldest member.

The draw is with replacement, as in the authors' published code; of several best the first drawn is the parent. Ours:

- The population is the last P candidates that have their answers. A repeat is an answer like any other, so it ages the
  population, as a model that is trained a second time does in the paper.
- P and S follow the number of trials: the paper's 100 and 25 from 500 trials on, fewer below, see `Evolution`.
- A mutation changes one decision (`Space.mutate`). One in twenty of the paper's leaves the architecture as it is, which
  would teach nothing here, where nothing is trained twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import StrategyError
from automl_cells.spaces.base import Action, Space
from automl_cells.strategies.base import Proposal, Strategy, proposal, uniform_decisions
from automl_cells.strategies.snapshots import number, trajectory

if TYPE_CHECKING:
    import numpy as np

PAPER_POPULATION = 100
MOST = 1_000_000
LEAST_POPULATION = 8


class Evolution(Strategy):
    """Regularised (ageing) evolution.

    Args:
        space: where to search.
        trials: distinct genotypes that the search will train.
        seed: not used; all randomness is in `ask`.
        population: P; by default a fifth of the trials, from 8 to the paper's 100. In searches of 24 to 200 trials on
            NAS-Bench-201 half as many did worse, twice as many as well or a little better.
        sample: S; by default a quarter of P as in the paper (25 of 100), at least 3.

    Raises:
        StrategyError: an option out of range.
    """

    name: ClassVar[str] = "evolution"

    def __init__(
        self,
        space: Space,
        trials: int,
        seed: int = 0,
        *,
        population: int | None = None,
        sample: int | None = None,
    ) -> None:
        super().__init__(space, trials, seed)
        scaled = min(PAPER_POPULATION, max(LEAST_POPULATION, round(trials / 5)))
        self.size = scaled if population is None else population
        if type(self.size) is not int or not 1 <= self.size <= MOST:
            raise StrategyError(f"Expected population from 1 to {MOST}. Received: {population!r}")
        self.sample = max(3, round(self.size / 4)) if sample is None else sample
        if type(self.sample) is not int or not 1 <= self.sample <= MOST:
            raise StrategyError(f"Expected sample from 1 to {MOST}. Received: {sample!r}")
        self.population: deque[tuple[tuple[Action, ...], float]] = deque(maxlen=self.size)  # the oldest first

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """Random for the first P trials, and while nothing has an answer; then a child of the best one drawn."""
        if trial < self.size or not self.population:
            return proposal(self.space, uniform_decisions(self.space, rng))
        drawn = [self.population[int(index)] for index in rng.integers(len(self.population), size=self.sample)]
        parent, _ = max(drawn, key=lambda member: member[1])
        child = self.space.mutate(proposal(self.space, parent).genotype, rng)
        return Proposal(child, self.space.decisions(child))

    def tell(self, proposal: Proposal, reward: float) -> None:
        """The newest member; the oldest one beyond P dies."""
        self.population.append((proposal.decisions, reward))

    def state(self) -> dict[str, Any]:
        """The population, the oldest first."""
        return {"population": [[list(decisions), reward] for decisions, reward in self.population]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of evolution in this space with at most P members.
        """
        try:
            members = [(trajectory(decisions, self.space), number(reward)) for decisions, reward in state["population"]]
            if len(members) > self.size:
                raise ValueError(f"{len(members)} members of a population of {self.size}")
        except (KeyError, TypeError, ValueError) as error:
            raise StrategyError(f"Expected a state of evolution. Received: {error!r}") from None
        self.population = deque(members, maxlen=self.size)
