"""NASNet's genotype: a normal cell and a reduction cell.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (CVPR 2018, arXiv 1707.07012v4),
section 3 and appendix A.4. A cell is a list of blocks. A block takes two hidden states, applies an operation to each
and combines the two results into a new hidden state:

    (first state, second state, operation of the first, operation of the second, combination)

in the order of the controller's five decisions. State 0 is h_i, the output of the cell before; state 1 is h_(i-1), that
of the cell before that one; state b + 2 is what block b made. The states that the cell concatenates are its output: by
default those that its blocks made and no block takes ("all of the unused hidden states generated in the convolutional
cell are concatenated"); the authors' NASNet-A has lists of its own, which hold h_(i-1) although its blocks take it.

Every operation gives as many channels as the cell has filters, so ``add`` does too, and ``concat`` twice as many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, NamedTuple

from automl_cells.errors import GenotypeError
from automl_cells.extensions import HINT, find
from automl_cells.genotypes.graph import Graph

MAX_BLOCKS = 10
INPUTS = 2  # h_i and h_(i-1)

OPERATIONS: tuple[str, ...] = (
    "identity",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dil_conv_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)
"""The 13 operations, in the order of the paper's list (section 3)."""

REGISTERED: dict[str, Any] = {}
"""The operations of extensions, and what plans them: see `automl_cells.builder.register_operation`."""

COMBINATIONS: tuple[str, ...] = ("add", "concat")


def is_operation(name: Any) -> bool:
    """Whether an operation, of the paper or of an extension, has that name.

    Raises:
        ExtensionError: an extension cannot be imported.
    """
    return isinstance(name, str) and (name in OPERATIONS or find(REGISTERED, name) is not None)


class Block(NamedTuple):
    """One block of a cell, see the module."""

    first: int
    second: int
    first_operation: str
    second_operation: str
    combination: str

    @property
    def inputs(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """The two (state, operation) pairs."""
        return (self.first, self.first_operation), (self.second, self.second_operation)


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        blocks: 1 to 10 blocks.
        concat: the states that are the output, in order, or ``None`` for those that no block takes.

    Raises:
        GenotypeError: a block names itself, a later state or an unknown operation; the message says which.
    """

    blocks: tuple[Block, ...]
    concat: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.blocks) <= MAX_BLOCKS:
            raise GenotypeError(f"Expected a cell of 1 to {MAX_BLOCKS} blocks. Received: {len(self.blocks)}")
        for number, block in enumerate(self.blocks):
            _check(block, number)
        if self.concat is not None:
            states = INPUTS + len(self.blocks)
            if not self.concat or any(type(state) is not int or not 0 <= state < states for state in self.concat):
                raise GenotypeError(
                    f"Expected the concatenated states among 0 to {states - 1}. Received: {list(self.concat)}"
                )
            if len(set(self.concat)) < len(self.concat):
                raise GenotypeError(f"Expected every concatenated state once. Received: {list(self.concat)}")

    @cached_property
    def unused(self) -> tuple[int, ...]:
        """The states that blocks made and no block takes."""
        taken = set(chain.from_iterable((block.first, block.second) for block in self.blocks))
        return tuple(state for state in range(INPUTS, INPUTS + len(self.blocks)) if state not in taken)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The states that are concatenated into the output."""
        return self.unused if self.concat is None else self.concat

    @property
    def output_width(self) -> int:
        """Channels of the output, in units of the cell's filters: 6 for NASNet-A's normal cell, 4 for its other."""
        return sum(self.width(state) for state in self.outputs)

    def width(self, state: int) -> int:
        """Channels of a state inside the cell, in units of its filters: 2 after a concatenation, else 1."""
        return 2 if state >= INPUTS and self.blocks[state - INPUTS].combination == "concat" else 1

    def graph(self, prefix: str = "") -> Graph:
        """Inputs, two operations and a combination a block, output; an identity is an edge like any other node.

        Args:
            prefix: put before the labels of inputs and output.
        """
        labels = [f"{prefix}input", f"{prefix}input before"]
        predecessors: list[tuple[int, ...]] = [(), ()]
        nodes = [0, 1]  # of each state
        for block in self.blocks:
            for state, operation in block.inputs:
                labels.append(operation)
                predecessors.append((nodes[state],))
            labels.append(block.combination)
            predecessors.append((len(labels) - 3, len(labels) - 2))
            nodes.append(len(labels) - 1)
        return Graph(
            (*labels, f"{prefix}output"),
            (*predecessors, tuple(nodes[state] for state in self.outputs)),
        )


@dataclass(frozen=True)
class CellGenotype:
    """A normal cell and a reduction cell.

    Example:
        >>> cell = Cell((Block(0, 1, "sep_conv_3x3", "identity", "add"), Block(2, 0, "conv_1x1", "identity", "concat")))
        >>> genotype = CellGenotype(cell, cell)
        >>> genotype.normal.outputs, genotype.normal.output_width
        ((3,), 2)
    """

    normal: Cell
    reduction: Cell
    kind: ClassVar[str] = "cell"

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        """Both cells by name, for drawings that put them side by side."""
        return ("normal cell", self.normal.graph()), ("reduction cell", self.reduction.graph())

    def graph(self) -> Graph:
        """Both cells in one graph, without edges between them."""
        one, other = self.normal.graph("normal "), self.reduction.graph("reduction ")
        shift = len(one.labels)
        shifted = (tuple(source + shift for source in sources) for sources in other.predecessors)
        return Graph((*one.labels, *other.labels), (*one.predecessors, *shifted))

    @cached_property
    def hash(self) -> str:
        """Canonical hash: the same for cells that differ only in the order of blocks, states or concatenation."""
        return self.graph().canonical_hash(salt=self.kind)

    def body(self) -> dict[str, Any]:
        """``{"normal": [[0, 1, "sep_conv_5x5", "sep_conv_3x3", "add"], …], "normal_concat": [1, 2, …], …}``.

        ``normal_concat`` and ``reduction_concat`` are ``null`` where the unused states are concatenated.
        """
        return {
            "normal": [list(block) for block in self.normal.blocks],
            "normal_concat": None if self.normal.concat is None else list(self.normal.concat),
            "reduction": [list(block) for block in self.reduction.blocks],
            "reduction_concat": None if self.reduction.concat is None else list(self.reduction.concat),
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> CellGenotype:
        """The inverse of `body`; a missing ``…_concat`` is ``null``.

        Raises:
            GenotypeError: fields are missing, unknown or of another type, or a cell is not valid.
        """
        known = {"normal", "normal_concat", "reduction", "reduction_concat"}
        if not {"normal", "reduction"} <= set(body) <= known:
            raise GenotypeError(f"Expected the fields {sorted(known)} and no others. Received: {sorted(body)!r:.160}")
        return cls(*(_cell(name, body[name], body.get(f"{name}_concat")) for name in ("normal", "reduction")))


def _cell(name: str, blocks: Any, concat: Any) -> Cell:
    """A cell of its JSON fields."""
    if not isinstance(blocks, list):
        raise GenotypeError(f"Expected {name} as a list of blocks. Received: {blocks!r:.80}")
    if concat is not None and not isinstance(concat, list):
        raise GenotypeError(f"Expected {name}_concat as a list of states or null. Received: {concat!r:.80}")
    if len(blocks) > MAX_BLOCKS:
        raise GenotypeError(f"Expected a {name} cell of 1 to {MAX_BLOCKS} blocks. Received: {len(blocks)}")
    made = []
    for number, block in enumerate(blocks):
        if not isinstance(block, list) or len(block) != len(Block._fields):
            raise GenotypeError(
                f"Expected block {number} of the {name} cell as [state, state, operation, operation, combination]. "
                f"Received: {block!r:.80}"
            )
        made.append(Block(*block))
    try:
        return Cell(tuple(made), None if concat is None else tuple(concat))
    except GenotypeError as error:
        raise GenotypeError(f"{name} cell: {error}") from None


def _check(block: Sequence[Any], number: int) -> None:
    """Hold block `number` of a cell against what was made before it."""
    first, second, one, other, combination = block
    for which, state in (("first", first), ("second", second)):
        if type(state) is not int or not 0 <= state < INPUTS + number:
            own = " (the block itself)" if state == INPUTS + number else ""
            raise GenotypeError(
                f"Expected the {which} state of block {number} among 0 to {INPUTS + number - 1}. "
                f"Received: {state!r:.40}{own}"
            )
    for operation in (one, other):
        if not is_operation(operation):
            known = ", ".join((*OPERATIONS, *REGISTERED))
            raise GenotypeError(
                f"Expected the operations of block {number} among {known}. Received: {operation!r:.40} {HINT}"
            )
    if combination not in COMBINATIONS:
        raise GenotypeError(
            f"Expected the combination of block {number} among {', '.join(COMBINATIONS)}. Received: {combination!r:.40}"
        )
