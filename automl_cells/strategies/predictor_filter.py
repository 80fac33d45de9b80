"""Filters the proposals of any strategy by a predictor of their rewards.

Zhong et al. reach with "a faster version" of BlockQNN in 20 hours on one GPU what took 32 of them three days (arXiv
1808.05584, abstract): by a constrained space and a model that predicts an architecture's accuracy instead of training
it. How, is not described in what could be obtained; this is an interpretation. Of several proposals of the strategy
that one is trained of which the predictor expects most; the others cost nothing and teach nothing.

A strategy that corrects for the probabilities of its own proposals (PPO) does not know of the choice: what it learns is
biased towards what the predictor likes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import StrategyError
from automl_cells.predictors import RewardPredictor
from automl_cells.strategies.base import Proposal, Strategy, proposal
from automl_cells.strategies.snapshots import number, trajectory

if TYPE_CHECKING:
    import numpy as np

LEAST_REWARDS = 20
"""Rewards that must be known before the predictor has a say."""
MOST_DRAWS = 1_000


class PredictorFilter(Strategy):
    """The most promising one of several proposals of another strategy.

    Args:
        inner: proposes, and learns from the rewards.
        draws: proposals among which the predictor chooses.

    Raises:
        StrategyError: `draws` out of range.
    """

    name: ClassVar[str] = "predictor_filter"

    def __init__(self, inner: Strategy, draws: int) -> None:
        super().__init__(inner.space, inner.trials, inner.seed)
        if type(draws) is not int or not 1 <= draws <= MOST_DRAWS:
            raise StrategyError(f"Expected from 1 to {MOST_DRAWS} proposals to choose from. Received: {draws!r}")
        self.inner = inner
        self.draws = draws
        self.tried: dict[str, tuple[Proposal, float]] = {}  # by hash
        self.earlier: list[tuple[Proposal, float]] = []  # of the search that this one inherits from
        self._predictor: RewardPredictor | None = None  # follows from the two

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """The first new and acceptable proposals decide; a repeat is handed on if there is nothing else."""
        self.inner.acceptable = self.acceptable
        first = self.inner.ask(rng, trial)
        if len(self.tried) < LEAST_REWARDS or self.draws == 1:
            return first
        found = {first.genotype.hash: first}
        for _ in range(self.draws - 1):
            other = self.inner.ask(rng, trial)
            found.setdefault(other.genotype.hash, other)
        fresh = [one for digest, one in found.items() if digest not in self.tried and self.acceptable(one.genotype)]
        if not fresh:
            return first
        if self._predictor is None:
            self._predictor = RewardPredictor.of(self.tried.values(), self.earlier)
        rewards = self._predictor([one.genotype for one in fresh]).reward
        best = int(rewards.argmax())
        info = {**fresh[best].info, "predicted": round(float(rewards[best]), 4)}
        return Proposal(fresh[best].genotype, fresh[best].decisions, info)

    def begun(self, proposal: Proposal) -> None:
        """See `Strategy.begun`."""
        self.inner.begun(proposal)

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Both learn."""
        self.inner.tell(proposal, reward)
        self.tried[proposal.genotype.hash] = (proposal, reward)
        self._predictor = None

    def inherit(self, told: Sequence[tuple[Proposal, float]]) -> None:
        """See `Strategy.inherit`."""
        self.inner.inherit(told)
        self.earlier = list(told)
        self._predictor = None

    def state(self) -> dict[str, Any]:
        """The state of the strategy, and what the predictor learns from."""
        return {"inner": self.inner.state(), "tried": _plain(self.tried.values()), "earlier": _plain(self.earlier)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of a filter around such a strategy.
        """
        try:
            tried = [self._again(*one) for one in state["tried"]]
            earlier = [self._again(*one) for one in state["earlier"]]
            inner = state["inner"]
        except (KeyError, TypeError, ValueError) as error:
            raise StrategyError(f"Expected a state of predictor_filter. Received: {error!r}") from None
        self.inner.restore(inner)
        self.tried = {told.genotype.hash: (told, reward) for told, reward in tried}
        self.earlier = earlier
        self._predictor = None

    def _again(self, decisions: Any, reward: Any) -> tuple[Proposal, float]:
        return proposal(self.space, trajectory(decisions, self.space)), number(reward)


def _plain(told: Any) -> list[list[Any]]:
    return [[list(one.decisions), reward] for one, reward in told]
