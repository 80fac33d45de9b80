"""An action factor by factor: which values some legal action still has, given the factors chosen before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from automl_cells.spaces.base import Action, Space, State

_CHOICES_KEPT = 256  # states whose legal actions are kept factor by factor; spaces repeat theirs again and again


class Choices:
    """The legal actions of one state, as a tree of factors.

    Args:
        space: whose actions they are.
        actions: the legal ones.
    """

    def __init__(self, space: Space, actions: Sequence[Action]) -> None:
        self._sizes = space.factor_sizes
        self._actions = {space.factors(action): action for action in actions}
        self._counts = Counter(factors[:end] for factors in self._actions for end in range(len(self._sizes) + 1))
        self._shares: dict[tuple[int, ...], np.ndarray] = {}

    def shares(self, prefix: tuple[int, ...]) -> np.ndarray:
        """What a uniformly drawn legal action that begins with the factors `prefix` has as its next factor.

        Returns:
            The probability of each value, shape (size of the factor,); 0 where no legal action has that value.
        """
        if prefix not in self._shares:
            counts = [self._counts[(*prefix, value)] for value in range(self._sizes[len(prefix)])]
            self._shares[prefix] = np.array(counts) / self._counts[prefix]
        return self._shares[prefix]

    def action(self, factors: tuple[int, ...]) -> Action:
        """The legal action with these factors."""
        return self._actions[factors]


class Emitted(NamedTuple):
    """A trajectory as a controller sees it, one entry a factor of a decision.

    Attributes:
        values: the factors of the decisions, one after the other.
        shares: for each of them see `Choices.shares`.
    """

    values: tuple[int, ...]
    shares: tuple[np.ndarray, ...]

    @property
    def uniform_log_probabilities(self) -> tuple[float, ...]:
        """Of each value, had every decision been drawn uniformly among the legal actions, as random search draws."""
        return tuple(float(np.log(shares[value])) for value, shares in zip(self.values, self.shares, strict=True))


class Emission:
    """What a controller needs to know of a space."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._choices = lru_cache(maxsize=_CHOICES_KEPT)(lambda actions: Choices(space, actions))

    def choices(self, state: State) -> Choices:
        """The legal actions in `state`, factor by factor."""
        return self._choices(tuple(self._space.actions(state)))

    def emitted(self, decisions: Sequence[Action]) -> Emitted:
        """The factors of a trajectory.

        Raises:
            GenotypeError: a decision is not legal, or the last state is not terminal.
        """
        values: list[int] = []
        shares: list[np.ndarray] = []
        for state, action in zip(self._space.replay(decisions), decisions, strict=False):
            choices = self.choices(state)
            factors = self._space.factors(action)
            values += factors
            shares += [choices.shares(factors[:end]) for end in range(len(factors))]
        return Emitted(tuple(values), tuple(shares))
