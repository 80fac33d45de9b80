"""NAS-Bench-201's search space: an operation on each of six edges.

Dong & Yang, ICLR 2020 (arXiv 2001.00326), section 2.1: 5⁶ = 15,625 cells, all of which have been trained, so that a
search can be run on a table (`evaluation.table`). Decision i is the operation on edge i, in the order of the
benchmark's string.
"""

from __future__ import annotations

from typing import ClassVar

from automl_cells.errors import GenotypeError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.nasbench201 import EDGES, OPERATIONS, NasBench201Genotype
from automl_cells.spaces.base import Space

State = tuple[int, ...]


class NasBench201(Space):
    """All 15,625 cells. Takes no options."""

    name: ClassVar[str] = "nasbench201"
    kind: ClassVar[str] = NasBench201Genotype.kind

    def initial(self) -> State:
        """No edge has its operation yet."""
        return ()

    def actions(self, state: State) -> range:
        """The numbers of the five operations, for every edge."""
        return range(len(OPERATIONS))

    def step(self, state: State, action: int) -> State:
        """The operations with one more."""
        return (*state, action)

    def is_terminal(self, state: State) -> bool:
        """Whether every edge has its operation."""
        return len(state) == len(EDGES)

    @property
    def factor_sizes(self) -> tuple[int]:
        """The operation."""
        return (len(OPERATIONS),)

    def factors(self, action: int) -> tuple[int]:
        """The operation; the edge is where the action stands."""
        return (action,)

    def genotype(self, state: State) -> NasBench201Genotype:
        """The cell of a terminal state."""
        return NasBench201Genotype(tuple(OPERATIONS[number] for number in state))

    def decisions(self, genotype: Genotype) -> tuple[int, ...]:
        """The numbers of the operations of a cell.

        Raises:
            GenotypeError: not a cell of NAS-Bench-201.
        """
        if not isinstance(genotype, NasBench201Genotype):
            raise GenotypeError(f"Expected a cell of NAS-Bench-201. Received: a {genotype.kind}")
        return tuple(OPERATIONS.index(operation) for operation in genotype.operations)
