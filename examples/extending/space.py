"""A space of one's own: blocks of parallel branches, each a single operation on the block's input.

Its genotypes are BlockQNN's blocks, so everything that knows blocks knows what is found here.
"""

from __future__ import annotations

from typing import ClassVar

from automl_cells import BlockGenotype, register_space
from automl_cells.errors import GenotypeError, SpaceError
from automl_cells.genotypes import Genotype
from automl_cells.genotypes.block import CONVOLUTION, MAX_POOLING, SEPARABLE_CONVOLUTION, Code
from automl_cells.spaces import Space, State

CHOICES = ((CONVOLUTION, 1), (CONVOLUTION, 3), (CONVOLUTION, 5), (SEPARABLE_CONVOLUTION, 3), (MAX_POOLING, 3))


@register_space
class Branches(Space):
    """Decision i is the operation of branch i; the block concatenates them.

    Args:
        branches: how many, from 1 to 16.

    Raises:
        SpaceError: another number of branches.
    """

    name: ClassVar[str] = "branches"
    kind: ClassVar[str] = BlockGenotype.kind

    def __init__(self, branches: int = 3) -> None:
        if type(branches) is not int or not 1 <= branches <= 16:
            raise SpaceError(f"Expected branches from 1 to 16. Received: {branches!r}")
        self.branches = branches

    def initial(self) -> State:
        """No branch yet."""
        return ()

    def actions(self, state: State) -> range:
        """The numbers of all operations, for every branch."""
        return range(len(CHOICES))

    def step(self, state: State, action: int) -> State:
        """The branches with one more."""
        return (*state, action)

    def is_terminal(self, state: State) -> bool:
        """Whether all branches are there."""
        return len(state) == self.branches

    @property
    def factor_sizes(self) -> tuple[int]:
        """The operation."""
        return (len(CHOICES),)

    def factors(self, action: int) -> tuple[int]:
        """The operation; the branch is where the action stands."""
        return (action,)

    def genotype(self, state: State) -> BlockGenotype:
        """The block of a terminal state."""
        return BlockGenotype(tuple(Code(layer, *CHOICES[choice], 0, 0) for layer, choice in enumerate(state, 1)))

    def decisions(self, genotype: Genotype) -> tuple[int, ...]:
        """The numbers of the operations of a block.

        Raises:
            GenotypeError: not a block of this space.
        """
        layers = genotype.layers if isinstance(genotype, BlockGenotype) else ()
        choices = [(code.type, code.kernel) for code in layers if code.predecessors == (0,)]
        if len(layers) != self.branches or len(choices) < len(layers) or not set(choices) <= set(CHOICES):
            raise GenotypeError(f"Expected a block of {self.branches} branches. Received: a {genotype.kind}")
        return tuple(CHOICES.index(choice) for choice in choices)
