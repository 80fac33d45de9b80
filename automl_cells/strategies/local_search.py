"""Local search: from the best one known to a better neighbour, until there is none; then from somewhere else.

White et al., "Exploring the Loss Landscape in Neural Architecture Search" (UAI 2021, arXiv 2005.02960), algorithm 1 in
its variant "query until lower": a neighbour that is better becomes the centre at once. A neighbour is one decision away
(`Space.mutate`). After some random candidates the best of them is the first centre.

Ours:

- A space need not say how many neighbours there are. When `patience` neighbours of a centre have failed to be better,
  it counts as a local optimum; the next proposals are random until the first of them is told, which is the new centre.
- Answers come in any order. A neighbour of any centre of the present climb that is better than the centre replaces it,
  and so does any random candidate; only a neighbour of the centre itself can fail. What was asked for in a climb that
  has ended by the time of its answer is not heard: several workers would always lead back to the optimum given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import StrategyError
from automl_cells.spaces.base import Action, Space
from automl_cells.strategies.base import Proposal, Strategy, proposal, uniform_decisions
from automl_cells.strategies.snapshots import count, number, trajectory

if TYPE_CHECKING:
    import numpy as np

MOST = 100_000
_TRIES = 50  # mutations looked at for a neighbour that has not been tried


class LocalSearch(Strategy):
    """Hill climbing with restarts.

    Args:
        space: where to search.
        trials: distinct genotypes that the search will train; not used.
        seed: not used; all randomness is in `ask`.
        initial: random candidates before the first climb.
        patience: neighbours that fail before the climb begins elsewhere. NAS-Bench-201 has 24 a cell.

    Raises:
        StrategyError: an option out of range.
    """

    name: ClassVar[str] = "local_search"

    def __init__(self, space: Space, trials: int, seed: int = 0, *, initial: int = 10, patience: int = 24) -> None:
        super().__init__(space, trials, seed)
        for what, value in (("initial", initial), ("patience", patience)):
            if type(value) is not int or not 1 <= value <= MOST:
                raise StrategyError(f"Expected {what} from 1 to {MOST}. Received: {value!r}")
        self.initial = initial
        self.patience = patience
        self.tried: set[str] = set()  # hashes
        self.centre: tuple[tuple[Action, ...], float] | None = None
        self.failures = 0  # of neighbours of the centre
        self.climb: list[str] = []  # hashes of the centres of the present climb, the last of which is the centre's

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """Random at first and after a local optimum, else a neighbour of the centre, a new one if there is any."""
        if self.centre is None or len(self.tried) < self.initial:
            return proposal(self.space, uniform_decisions(self.space, rng))
        centre = proposal(self.space, self.centre[0]).genotype
        for _ in range(_TRIES):
            neighbour = self.space.mutate(centre, rng)
            if neighbour.hash not in self.tried:
                break
        return Proposal(neighbour, self.space.decisions(neighbour), {"centre": centre.hash})

    def begun(self, proposal: Proposal) -> None:
        """Do not ask for it again."""
        self.tried.add(proposal.genotype.hash)

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Move to what is better; count what is not, and give the centre up after `patience` of its neighbours."""
        self.tried.add(proposal.genotype.hash)
        origin = proposal.info.get("centre")  # none: a random candidate
        if origin is not None and origin not in self.climb:
            return  # asked for in a climb that has ended
        if self.centre is None or reward > self.centre[1]:
            self.centre = (proposal.decisions, reward)
            self.failures = 0
            self.climb.append(proposal.genotype.hash)
        elif origin == self.climb[-1]:
            self.failures += 1
            if self.failures >= self.patience:
                self.centre, self.failures, self.climb = None, 0, []

    def state(self) -> dict[str, Any]:
        """What has been tried, the centre with its reward, how many of its neighbours have failed, those before it."""
        centre = None if self.centre is None else [list(self.centre[0]), self.centre[1]]
        return {"tried": sorted(self.tried), "centre": centre, "failures": self.failures, "climb": list(self.climb)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of this strategy in this space.
        """
        try:
            tried = {str(digest) for digest in state["tried"]}
            found = state["centre"]
            centre = None if found is None else (trajectory(found[0], self.space), number(found[1]))
            failures = count(state["failures"])
            climb = [str(digest) for digest in state["climb"]]
            if bool(climb) != (centre is not None):
                raise ValueError(f"{len(climb)} centres of the climb to {found!r:.80}")
        except (LookupError, TypeError, ValueError) as error:
            raise StrategyError(f"Expected a state of local_search. Received: {error!r}") from None
        self.tried, self.centre, self.failures, self.climb = tried, centre, failures, climb
