"""BlockQNN's search space: blocks in the Network Structure Code, one layer a decision.

Zhong et al., CVPR 2018 (arXiv 1708.05552), section 3.1 and table 1: index T from 1 to the maximum (23), seven types,
predecessors K. The state is the code of the layers so far, an action the code of the next layer (section 3.2).

Where the paper leaves room:

- The terminal carries an index too, so at the maximum index only the terminal is legal: a block has at most
  ``max_index - 1`` layers. The terminal is legal everywhere, at index 1 too (an empty block hands its input on).
- Table 1 lets K run from 1 to T−1, so only layer 1 reads the block's input, by predecessor 0. ``input_anywhere=True``
  also lets every later layer read it, which the blocks of figure 8 do; with it, `decisions` takes them as they are.
- The two predecessors of add and concatenation may be one layer twice: nothing in table 1 forbids it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import ClassVar

from automl_cells.errors import GenotypeError, SpaceError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.block import OPERATIONS, TABLE_1, TERMINAL, BlockGenotype, Code, terminal
from automl_cells.spaces.base import Space

State = tuple[Code, ...]


class BlockQNN(Space):
    """The space of table 1.

    Args:
        max_index: largest index of a layer, the terminal included (the paper: 23).
        input_anywhere: whether every layer may read the block's input, not the first alone.

    Raises:
        SpaceError: `max_index` is not from 2 to 128, or `input_anywhere` not a boolean.
    """

    name: ClassVar[str] = "blockqnn"
    kind: ClassVar[str] = BlockGenotype.kind

    def __init__(self, max_index: int = 23, input_anywhere: bool = False) -> None:
        if not isinstance(max_index, int) or not 2 <= max_index <= 128:
            raise SpaceError(f"Expected max_index from 2 to 128. Received: {max_index!r}")
        if not isinstance(input_anywhere, bool):
            raise SpaceError(f"Expected input_anywhere true or false. Received: {input_anywhere!r}")
        self.max_index = max_index
        self.input_anywhere = input_anywhere
        self._allow(TABLE_1)

    def _allow(self, types: Iterable[int]) -> None:
        """Let layers be of these types of operations, in this order, and the terminal last."""
        kinds = (*(kind for kind in types if kind != TERMINAL), TERMINAL)
        # a layer's type and kernel as one choice
        self._choices = tuple((kind, kernel) for kind in kinds for kernel in OPERATIONS[kind].kernels)
        self._choice_numbers = {choice: number for number, choice in enumerate(self._choices)}

    def initial(self) -> State:
        """No layers yet."""
        return ()

    def actions(self, state: State) -> tuple[Code, ...]:
        """The codes that the next layer may have: operations with their predecessors, then the terminal."""
        index = len(state) + 1
        if index >= self.max_index:
            return (terminal(index),)
        return _codes(index, self.input_anywhere, self._choices)

    def step(self, state: State, action: Code) -> State:
        """The layers with one more."""
        return (*state, action)

    def is_terminal(self, state: State) -> bool:
        """Whether the last layer is the terminal."""
        return bool(state) and state[-1][1] == TERMINAL

    def key(self, state: State) -> Code | None:
        """The code of the current layer (section 3.2: "the state is the NSC of the current layer")."""
        return state[-1] if state else None

    @property
    def factor_sizes(self) -> tuple[int, int, int]:
        """Type and kernel together; predecessor 1; predecessor 2."""
        return (len(self._choices), self.max_index, self.max_index)

    def factors(self, action: Code) -> tuple[int, int, int]:
        """(type and kernel, predecessor 1, predecessor 2); the index is where the action stands."""
        _, kind, kernel, predecessor1, predecessor2 = action
        return (self._choice_numbers[kind, kernel], predecessor1, predecessor2)

    def genotype(self, state: State) -> BlockGenotype:
        """The block of a terminal state."""
        return BlockGenotype(tuple(Code(*code) for code in state[:-1]))

    def decisions(self, genotype: Genotype) -> tuple[Code, ...]:
        """The codes of a block, terminal included.

        Raises:
            GenotypeError: not a block, too many layers, an operation that the space lacks, or a layer that reads the
                input where it may not.
        """
        if not isinstance(genotype, BlockGenotype):
            raise GenotypeError(f"Expected a block for the space {self.name}. Received: a {genotype.kind}")
        codes = genotype.codes
        if len(codes) > self.max_index:
            raise GenotypeError(
                f"Expected a block of at most {self.max_index - 1} layers (max_index={self.max_index}). "
                f"Received: {len(codes) - 1}"
            )
        for code in codes:
            if (code.type, code.kernel) not in self._choice_numbers:
                raise GenotypeError(
                    f"Expected layer {code.index} of an operation that the space {self.name} has, with its options. "
                    f"Received: {code.label}"
                )
        if not self.input_anywhere:
            for code in codes[1:]:
                if 0 in code.predecessors:
                    raise GenotypeError(
                        f"Expected layer {code.index} to read a layer from 1 to {code.index - 1}, as table 1 has it "
                        f"(input_anywhere=True lifts this). Received: {tuple(code)}"
                    )
        return codes


@cache
def _codes(index: int, input_anywhere: bool, choices: tuple[tuple[int, int], ...]) -> tuple[Code, ...]:
    """All codes for the layer at `index`, in the order of `choices`: types and kernels, the terminal last."""
    predecessors = range(0 if input_anywhere or index == 1 else 1, index)
    codes = []
    for kind, kernel in choices:
        match OPERATIONS[kind].arity:
            case 1:
                codes += [Code(index, kind, kernel, one, 0) for one in predecessors]
            case 2:
                codes += [Code(index, kind, kernel, one, two) for one in predecessors for two in predecessors]
    return (*codes, terminal(index))
