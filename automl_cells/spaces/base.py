"""A search space as a sequential decision process: what every strategy knows of it, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_cells.errors import GenotypeError
from automl_cells.genotypes.base import Genotype

if TYPE_CHECKING:
    import numpy as np

Action = Any  # an int or a tuple of ints: JSON keeps it
State = tuple


class Space(ABC):
    """Where one may search.

    A genotype is made by decisions: from `initial`, one of the legal `actions` is taken with `step` until
    `is_terminal`. States are tuples, actions integers or tuples of integers. The order of `actions` is part of the
    space: the same generator picks the same genotype in every run.

    Attributes:
        name: what the space is called on the command line and in files.
        kind: of the genotypes that it makes.
    """

    name: ClassVar[str]
    kind: ClassVar[str]

    @abstractmethod
    def initial(self) -> State:
        """The state before the first decision."""

    @abstractmethod
    def actions(self, state: State) -> Sequence[Action]:
        """The legal actions in `state`, in a fixed order; at least one unless the state is terminal."""

    @abstractmethod
    def step(self, state: State, action: Action) -> State:
        """The state after `action`, which must be legal."""

    @abstractmethod
    def is_terminal(self, state: State) -> bool:
        """Whether the genotype is complete."""

    def key(self, state: State) -> Hashable:
        """What a Q-table sees of `state`: by default the position and the last action."""
        return (len(state), state[-1] if state else None)

    @property
    @abstractmethod
    def factor_sizes(self) -> tuple[int, ...]:
        """How many values each factor of an action can take, see `factors`."""

    @abstractmethod
    def factors(self, action: Action) -> tuple[int, ...]:
        """`action` as small integers, the i-th below ``factor_sizes[i]``: what a controller emits one by one.

        Actions that mean the same at different positions have the same factors.
        """

    @abstractmethod
    def genotype(self, state: State) -> Genotype:
        """The genotype of a terminal state."""

    @abstractmethod
    def decisions(self, genotype: Genotype) -> tuple[Action, ...]:
        """The actions that make `genotype`: the inverse of `genotype`.

        Raises:
            GenotypeError: the space cannot make this genotype.
        """

    def replay(self, decisions: Sequence[Action]) -> tuple[State, ...]:
        """The states along `decisions`, the initial and the terminal one included.

        Raises:
            GenotypeError: a decision is not legal where it stands, or the last state is not terminal.
        """
        states = [self.initial()]
        for position, action in enumerate(decisions):
            state = states[-1]
            if self.is_terminal(state) or action not in self.actions(state):
                raise GenotypeError(f"Expected decision {position} to be legal in {self.name}. Received: {action}")
            states.append(self.step(state, action))
        if not self.is_terminal(states[-1]):
            raise GenotypeError(f"Expected decisions up to a terminal state of {self.name}. Received: {len(decisions)}")
        return tuple(states)

    def mutate(self, genotype: Genotype, rng: np.random.Generator) -> Genotype:
        """Change one decision of `genotype`, chosen uniformly, and repair what follows.

        Later decisions are kept where an action with the same factors is still legal, and drawn anew where not; a
        genotype that has become longer ends as soon as the space lets its old last decision stand.

        Args:
            genotype: one that the space can make.
            rng: the source of all randomness.

        Returns:
            A genotype of the space whose decisions differ from the old ones.
        """
        old = self.decisions(genotype)
        states = self.replay(old)
        positions = [i for i in range(len(old)) if len(self.actions(states[i])) > 1]
        if not positions:
            return genotype
        where = positions[int(rng.integers(len(positions)))]
        others = [action for action in self.actions(states[where]) if action != old[where]]
        state = self.step(states[where], others[int(rng.integers(len(others)))])
        position = where + 1
        while not self.is_terminal(state):
            wanted = self.factors(old[min(position, len(old) - 1)])
            legal = self.actions(state)
            kept = [action for action in legal if self.factors(action) == wanted]
            choices = kept or legal
            state = self.step(state, choices[int(rng.integers(len(choices)))])
            position += 1
        return self.genotype(state)
