"""NASNet's search space: a normal and a reduction cell, five decisions a block.

Zoph et al. (arXiv 1707.07012v4), section 3: for each of the B blocks of a cell (1) the first hidden state, (2) the
second, (3) the operation of the first, (4) that of the second, (5) how to combine the two; 5B decisions for the normal
cell and then 5B for the reduction cell. A decision is a small integer that means the same wherever it stands: the
number of a state (0 is h_i, 1 is h_(i-1), b + 2 what block b made), then come the operations, then the combinations.

A genotype with a list of its own of concatenated states, as the authors' NASNet-A has, is not in the space unless the
list is that of the unused states: no decision makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from automl_cells.errors import GenotypeError, SpaceError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.cell import (
    COMBINATIONS,
    INPUTS,
    MAX_BLOCKS,
    OPERATIONS,
    REGISTERED,
    Block,
    Cell,
    CellGenotype,
    is_operation,
)
from automl_cells.spaces.base import Space

State = tuple[int, ...]

_DECISIONS = 5  # a block


class NASNet(Space):
    """Both cells, block by block.

    Args:
        blocks: B, from 1 to 10 (the paper: 5).
        operations: names of those that may be used, of extensions too; by default all 13.
        combinations: ``add``, ``concat`` or both (the paper).

    Raises:
        SpaceError: B out of range, a name that is unknown or given twice, or none at all.
    """

    name: ClassVar[str] = "nasnet"
    kind: ClassVar[str] = CellGenotype.kind

    def __init__(
        self,
        blocks: int = 5,
        operations: Sequence[str] = OPERATIONS,
        combinations: Sequence[str] = COMBINATIONS,
    ) -> None:
        if type(blocks) is not int or not 1 <= blocks <= MAX_BLOCKS:
            raise SpaceError(f"Expected blocks from 1 to {MAX_BLOCKS}. Received: {blocks!r}")
        self.blocks = blocks
        self.operations = _names("operations", operations, _known_operations(operations))
        self.combinations = _names("combinations", combinations, COMBINATIONS)
        self._first_operation = INPUTS + blocks - 1  # what the last block made is no state that a block can take
        self._first_combination = self._first_operation + len(self.operations)

    def initial(self) -> State:
        """No decision yet."""
        return ()

    def actions(self, state: State) -> range:
        """The states made so far, the operations or the combinations."""
        block, role = divmod(len(state) % (_DECISIONS * self.blocks), _DECISIONS)
        if role < 2:
            return range(INPUTS + block)
        if role < 4:
            return range(self._first_operation, self._first_combination)
        return range(self._first_combination, self._first_combination + len(self.combinations))

    def step(self, state: State, action: int) -> State:
        """The decisions with one more."""
        return (*state, action)

    def is_terminal(self, state: State) -> bool:
        """Whether both cells are complete."""
        return len(state) == 2 * _DECISIONS * self.blocks

    @property
    def factor_sizes(self) -> tuple[int]:
        """How many states, operations and combinations there are."""
        return (self._first_combination + len(self.combinations),)

    def factors(self, action: int) -> tuple[int]:
        """The decision itself."""
        return (action,)

    def genotype(self, state: State) -> CellGenotype:
        """The cells of a terminal state."""
        half = _DECISIONS * self.blocks
        return CellGenotype(self._cell(state[:half]), self._cell(state[half:]))

    def _cell(self, decisions: State) -> Cell:
        blocks = []
        for start in range(0, len(decisions), _DECISIONS):
            first, second, one, other, combination = decisions[start : start + _DECISIONS]
            left, right = (self.operations[number - self._first_operation] for number in (one, other))
            blocks.append(Block(first, second, left, right, self.combinations[combination - self._first_combination]))
        return Cell(tuple(blocks))

    def decisions(self, genotype: Genotype) -> tuple[int, ...]:
        """The numbers that make both cells.

        Raises:
            GenotypeError: not a cell genotype, another number of blocks, an operation or combination that the space
                leaves out, or a list of concatenated states of its own.
        """
        if not isinstance(genotype, CellGenotype):
            raise GenotypeError(f"Expected cells for the space {self.name}. Received: a {genotype.kind}")
        return (*self._decisions("normal", genotype.normal), *self._decisions("reduction", genotype.reduction))

    def _decisions(self, name: str, cell: Cell) -> tuple[int, ...]:
        if len(cell.blocks) != self.blocks:
            raise GenotypeError(f"Expected a {name} cell of {self.blocks} blocks. Received: {len(cell.blocks)}")
        if cell.concat is not None:
            raise GenotypeError(
                f"Expected a {name} cell that concatenates its unused states, {list(cell.unused)}, without a list of "
                f"its own. Received: {list(cell.concat)}"
            )
        numbers: list[int] = []
        for block in cell.blocks:
            for what, known, value in (
                ("operations", self.operations, block.first_operation),
                ("operations", self.operations, block.second_operation),
                ("combinations", self.combinations, block.combination),
            ):
                if value not in known:
                    raise GenotypeError(f"Expected a {name} cell of the {what} {list(known)}. Received: {value}")
            one, other = (self._first_operation + self.operations.index(operation) for _, operation in block.inputs)
            combination = self._first_combination + self.combinations.index(block.combination)
            numbers += [block.first, block.second, one, other, combination]
        return tuple(numbers)


def _known_operations(given: Any) -> tuple[str, ...]:
    """All operations that there are, after those of extensions have been looked for if any other was given."""
    if isinstance(given, list | tuple):
        for name in given:
            is_operation(name)
    return (*OPERATIONS, *REGISTERED)


def _names(what: str, given: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names that were given, in their order.

    Raises:
        SpaceError: none, one that is unknown, or one twice.
    """
    names = given if isinstance(given, list | tuple) else ()
    if not names or any(not isinstance(name, str) or name not in known for name in names):
        raise SpaceError(f"Expected {what} as a list of names among {', '.join(known)}. Received: {given!r:.120}")
    if len(set(names)) < len(names):
        raise SpaceError(f"Expected {what} each once. Received: {list(names)!r:.200}")
    return tuple(names)
