"""Bayesian optimisation over the graphs of a space: mutations of the best, chosen by their expected improvement.

The loop is BANANAS' (White et al., AAAI 2021, arXiv 1910.11858, algorithm 1): some random candidates, then of a pool of
mutations of the best ones that which an accuracy predictor finds most promising. Ours:

- the predictor is a Gaussian process on counts of the graphs, see `predictors`, which works on every space; its
  uncertainty is that of the posterior, where BANANAS trains several neural networks;
- the pool has a share of random genotypes, so that no part of the space is out of reach;
- what is under way counts as measured with the reward that is expected of it (Ginsbourger's "Kriging believer"), so
  several workers are not sent to the same place;
- what the limits of the search forbid, and what has been tried, is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import StrategyError
from automl_cells.genotypes.base import Genotype
from automl_cells.predictors import RewardPredictor
from automl_cells.predictors.reward_predictor import LEAST
from automl_cells.spaces.base import Action, Space
from automl_cells.strategies.base import Proposal, Strategy, proposal, uniform_decisions
from automl_cells.strategies.snapshots import number, trajectory

if TYPE_CHECKING:
    import numpy as np

MOST = 100_000
_FRESH_SHARE = 6  # one of so many genotypes in the pool is random
_TRIES = 10  # mutations tried for each place in the pool


class PredictorGuided(Strategy):
    """Expected improvement over a pool of mutations.

    Args:
        space: where to search.
        trials: distinct genotypes that the search will train; not used.
        seed: not used; all randomness is in `ask`.
        initial: random candidates before the predictor is asked.
        pool: genotypes among which it chooses.
        parents: the best so far, of which the pool holds mutations.

    Raises:
        StrategyError: an option out of range.
    """

    name: ClassVar[str] = "predictor_guided"

    def __init__(
        self, space: Space, trials: int, seed: int = 0, *, initial: int = 10, pool: int = 120, parents: int = 10
    ) -> None:
        super().__init__(space, trials, seed)
        for what, value, least in (("initial", initial, LEAST), ("pool", pool, 1), ("parents", parents, 1)):
            if type(value) is not int or not least <= value <= MOST:
                raise StrategyError(f"Expected {what} from {least} to {MOST}. Received: {value!r}")
        self.initial = initial
        self.pool = pool
        self.parents = parents
        self.tried: dict[str, tuple[Proposal, float]] = {}  # by hash, in the order in which the rewards came
        self.pending: dict[str, Proposal] = {}
        self.earlier: list[tuple[Proposal, float]] = []  # of the search that this one inherits from
        self._predictor: RewardPredictor | None = None  # follows from `tried` and `earlier`

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """Random until `initial` rewards are known, then the most promising one of the pool that is acceptable.

        After an earlier search nothing is random: the best of that one are tried until there is enough to compare.
        """
        if len(self.tried) < (LEAST if self.earlier else self.initial):
            for told, _ in sorted(self.earlier, key=_worst_last):
                known = self.tried.keys() | self.pending.keys()
                if told.genotype.hash not in known and self.acceptable(told.genotype):
                    return Proposal(told.genotype, told.decisions, {"earlier": True})
            return proposal(self.space, uniform_decisions(self.space, rng))
        pool = self._candidates(rng)
        if self._predictor is None:
            self._predictor = RewardPredictor.of(self.tried.values(), self.earlier)
        guess = self._predictor(pool, [waiting.genotype for waiting in self.pending.values()])
        for place in (-guess.improvement).argsort(kind="stable"):
            if self.acceptable(pool[place]):
                info = {"predicted": round(float(guess.reward[place]), 4)}
                return Proposal(pool[place], self.space.decisions(pool[place]), info)
        return proposal(self.space, uniform_decisions(self.space, rng))

    def _candidates(self, rng: np.random.Generator) -> list[Genotype]:
        """Distinct genotypes that have not been tried: mutations of the best, then random ones; at least one.

        The best of an earlier search are among them.
        """
        best = sorted(self.tried.values(), key=_worst_last)[: self.parents]
        found: dict[str, Genotype] = {}
        for told, _ in sorted(self.earlier, key=_worst_last)[: self.parents]:
            self._put(told.genotype, found)
        fresh = max(1, self.pool // _FRESH_SHARE)
        for _ in range(_TRIES * self.pool):
            if len(found) >= self.pool - fresh:
                break
            parent = best[int(rng.integers(len(best)))][0].genotype
            self._put(self.space.mutate(parent, rng), found)
        for _ in range(_TRIES * fresh):
            if len(found) >= self.pool:
                break
            self._put(proposal(self.space, uniform_decisions(self.space, rng)).genotype, found)
        if not found:  # everything near and far has been tried: the loop will see that it is a repeat
            return [proposal(self.space, uniform_decisions(self.space, rng)).genotype]
        return list(found.values())

    def _put(self, genotype: Genotype, found: dict[str, Genotype]) -> None:
        if genotype.hash not in self.tried and genotype.hash not in self.pending:
            found.setdefault(genotype.hash, genotype)

    def begun(self, proposal: Proposal) -> None:
        """Remember what is under way."""
        self.pending[proposal.genotype.hash] = proposal

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Remember the reward; a genotype that is told again keeps its newest."""
        self.pending.pop(proposal.genotype.hash, None)
        self.tried[proposal.genotype.hash] = (proposal, reward)
        self._predictor = None

    def inherit(self, told: Sequence[tuple[Proposal, float]]) -> None:
        """Let the predictor know the earlier search; each search has ranks of its own."""
        self.earlier = list({one.genotype.hash: (one, reward) for one, reward in told}.values())
        self._predictor = None

    def state(self) -> dict[str, Any]:
        """What has been tried with its rewards, here and in an earlier search, and what is under way."""
        return {
            "earlier": [[list(told.decisions), reward] for told, reward in self.earlier],
            "tried": [[list(told.decisions), reward] for told, reward in self.tried.values()],
            "pending": [list(waiting.decisions) for waiting in self.pending.values()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of this strategy in this space.
        """
        try:
            tried = [(self._again(decisions), number(reward)) for decisions, reward in state["tried"]]
            earlier = [(self._again(decisions), number(reward)) for decisions, reward in state["earlier"]]
            pending = [self._again(decisions) for decisions in state["pending"]]
        except (KeyError, TypeError, ValueError) as error:
            raise StrategyError(f"Expected a state of predictor_guided. Received: {error!r}") from None
        self.tried = {told.genotype.hash: (told, reward) for told, reward in tried}
        self.earlier = earlier
        self.pending = {waiting.genotype.hash: waiting for waiting in pending}
        self._predictor = None

    def _again(self, decisions: Any) -> Proposal:
        legal: tuple[Action, ...] = trajectory(decisions, self.space)
        return proposal(self.space, legal)


def _worst_last(told: tuple[Proposal, float]) -> float:
    return -told[1]
