"""A search strategy: ask for a proposal, tell its reward, in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import StrategyError
from automl_cells.genotypes.base import Genotype
from automl_cells.spaces.base import Action, Space

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Proposal:
    """What a strategy wants to try.

    Attributes:
        genotype: the candidate.
        decisions: the actions that made it.
        info: JSON-able notes that the strategy wants back with the reward and that people may read (ε, probabilities).
    """

    genotype: Genotype
    decisions: tuple[Action, ...]
    info: Mapping[str, Any] = field(default_factory=dict)


class Strategy(ABC):
    """How the next candidate is chosen.

    Answers may come late, out of order, several for one genotype (a repeat is told the stored reward), or never.
    `ask` changes nothing that a later call depends on: telling the same proposals and rewards in the same order to a
    new strategy with the same seed makes it the same strategy. That is how a search resumes.

    Args:
        space: where to search.
        trials: how many distinct genotypes the search will train; schedules are scaled to it.
        seed: seed of whatever randomness `tell` needs.

    Attributes:
        name: what the strategy is called on the command line and in files.
        acceptable: whether a genotype keeps the limits of the search, which sets this; a strategy that chooses among
            several may ask it, and saves proposals that would be rejected. By default everything is.
    """

    name: ClassVar[str]

    def __init__(self, space: Space, trials: int, seed: int = 0) -> None:
        if not isinstance(trials, int) or trials <= 0:
            raise StrategyError(f"Expected at least one trial. Received: trials={trials!r}")
        self.space = space
        self.trials = trials
        self.seed = seed
        self.acceptable: Callable[[Genotype], bool] = _anything

    @abstractmethod
    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """A legal proposal.

        Args:
            rng: the source of all randomness of this proposal.
            trial: 0-based number of the trial that the proposal would become; schedules follow it.
        """

    def begun(self, proposal: Proposal) -> None:  # noqa: B027 (most strategies do not need to know)
        """`proposal` has become a trial: it is new, keeps the limits, and its reward will be told, late or never."""

    def inherit(self, told: Sequence[tuple[Proposal, float]]) -> None:
        """Start from what an earlier search has found, on other data perhaps; called before anything is asked or told.

        Args:
            told: its proposals, legal in this space, and their rewards, in the order in which they came.

        Raises:
            StrategyError: this strategy keeps nothing that could be inherited.
        """
        raise StrategyError(
            "Expected a strategy that can start from an earlier search (a Q-learning, ppo or predictor_guided). "
            f"Received: {self.name}"
        )

    @abstractmethod
    def tell(self, proposal: Proposal, reward: float) -> None:
        """Learn that `proposal` earned `reward` (in per cent, as `evaluation.rewards` gives it)."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything learnt so far, as JSON-able data."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state` of a strategy of the same class and space.

        Raises:
            StrategyError: not a state of this strategy.
        """


def _anything(genotype: Genotype) -> bool:
    return True


def uniform_decisions(space: Space, rng: np.random.Generator) -> tuple[Action, ...]:
    """Decisions drawn uniformly among the legal ones, step by step."""
    decisions = []
    state = space.initial()
    while not space.is_terminal(state):
        legal = space.actions(state)
        action = legal[int(rng.integers(len(legal)))]
        decisions.append(action)
        state = space.step(state, action)
    return tuple(decisions)


def proposal(space: Space, decisions: tuple[Action, ...], info: Mapping[str, Any] | None = None) -> Proposal:
    """The proposal that `decisions` make, which must be legal."""
    state = space.initial()
    for action in decisions:
        state = space.step(state, action)
    return Proposal(space.genotype(state), decisions, info or {})
