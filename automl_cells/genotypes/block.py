"""BlockQNN's block genotype: the Network Structure Code (NSC).

Zhong et al., "Practical Block-wise Neural Network Architecture Generation" (CVPR 2018, arXiv 1708.05552), section 3.1
and table 1. A block is a list of layers, each a 5-tuple ``(index, type, kernel, predecessor 1, predecessor 2)``:

    ====================  ====  =======  =============  =============
    layer                 type  kernel   predecessor 1  predecessor 2
    ====================  ====  =======  =============  =============
    convolution           1     1, 3, 5  K              0
    max pooling           2     1, 3     K              0
    average pooling       3     1, 3     K              0
    identity              4     0        K              0
    element-wise add      5     0        K              K
    concatenation         6     0        K              K
    terminal              7     0        0              0
    ====================  ====  =======  =============  =============

The paper has no others. Ours, for the space `blockqnn_fast` (see there), have numbers behind the terminal's, so that no
older file and no hash changes:

    ======================  ====  =======  =============  =============
    separable convolution   8     3, 5     K              0
    dilated convolution     9     3        K              0
    squeeze-and-excitation  10    0        K              0
    self-attention          11    0        K              0
    ======================  ====  =======  =============  =============

Types from 100 on are for operations of extensions, which have one predecessor: see `builder.register_operation`.

Predecessor 0 is the input of the block. Layers that no other layer takes are concatenated into the block's output.
Table 1 lets K run from 1 (the paper's codes open with an identity of the input); the blocks of the paper's figure 8
take the input several times, so a *genotype* may name 0 anywhere. What a search may propose is the space's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from automl_cells.errors import GenotypeError
from automl_cells.extensions import HINT, find, load
from automl_cells.genotypes.graph import Graph, leaves

MAX_LAYERS = 128  # far above the paper's 23; bounds what a file can make the builder do


class Operation(NamedTuple):
    """One row of the tables: the name, the kernels that it allows and the number of its predecessors."""

    name: str
    kernels: tuple[int, ...]
    arity: int


CONVOLUTION, MAX_POOLING, AVERAGE_POOLING, IDENTITY, ADD, CONCAT, TERMINAL = TABLE_1 = range(1, 8)
SEPARABLE_CONVOLUTION, DILATED_CONVOLUTION, SQUEEZE_EXCITATION, SELF_ATTENTION = range(8, 12)

OPERATIONS: dict[int, Operation] = {
    CONVOLUTION: Operation("conv", (1, 3, 5), 1),
    MAX_POOLING: Operation("max_pool", (1, 3), 1),
    AVERAGE_POOLING: Operation("avg_pool", (1, 3), 1),
    IDENTITY: Operation("identity", (0,), 1),
    ADD: Operation("add", (0,), 2),
    CONCAT: Operation("concat", (0,), 2),
    TERMINAL: Operation("terminal", (0,), 0),
    SEPARABLE_CONVOLUTION: Operation("sep_conv", (3, 5), 1),
    DILATED_CONVOLUTION: Operation("dil_conv", (3,), 1),
    SQUEEZE_EXCITATION: Operation("squeeze_excitation", (0,), 1),
    SELF_ATTENTION: Operation("self_attention", (0,), 1),
}


FIRST_REGISTERED = 100
"""The lowest type that an extension may give its operation."""


def registered_type(name: str) -> int | None:
    """The type that an extension has given to its operation of that name.

    Raises:
        ExtensionError: an extension cannot be imported.
    """
    load()
    types = (kind for kind, operation in OPERATIONS.items() if kind >= FIRST_REGISTERED and operation.name == name)
    return next(types, None)


class Code(NamedTuple):
    """One layer in the Network Structure Code."""

    index: int  # type: ignore[assignment]  # it hides tuple.index, which nobody wants of a layer
    type: int
    kernel: int
    predecessor1: int
    predecessor2: int

    @property
    def predecessors(self) -> tuple[int, ...]:
        """Indices of the layers that this one reads, 0 for the input of the block."""
        return (self.predecessor1, self.predecessor2)[: OPERATIONS[self.type].arity]

    @property
    def label(self) -> str:
        """What the layer does, e.g. ``conv 3`` or ``add``."""
        name = OPERATIONS[self.type].name
        return f"{name} {self.kernel}" if self.kernel else name


def terminal(index: int) -> Code:
    """The code that ends a block of ``index - 1`` layers."""
    return Code(index, TERMINAL, 0, 0, 0)


@dataclass(frozen=True)
class BlockGenotype:
    """A BlockQNN block.

    Attributes:
        layers: the codes of the layers in order, numbered from 1, without the terminal. An empty block hands its
            input on.

    Raises:
        GenotypeError: a code breaks the tables; the message names the layer.

    Example:
        >>> block = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
        >>> block.leaves, round(block.density, 2)
        ((2,), 1.0)
    """

    layers: tuple[Code, ...]
    kind: ClassVar[str] = "block"

    def __post_init__(self) -> None:
        if len(self.layers) > MAX_LAYERS:
            raise GenotypeError(f"Expected a block of at most {MAX_LAYERS} layers. Received: {len(self.layers)}")
        for position, code in enumerate(self.layers, start=1):
            _check(code, position, len(self.layers))

    @classmethod
    def from_codes(cls, codes: Iterable[Sequence[int]]) -> BlockGenotype:
        """The block of a list of 5-tuples that ends with the terminal.

        Raises:
            GenotypeError: not 5-tuples of integers, no terminal at the end, or a code breaks the tables.
        """
        layers: list[Code] = []
        ended = False
        for position, code in enumerate(codes, start=1):
            if position > MAX_LAYERS + 1:
                raise GenotypeError(f"Expected a block of at most {MAX_LAYERS} layers. Received: more")
            if ended:
                raise GenotypeError(f"Expected nothing after the terminal. Received: layer {position}: {code!r:.80}")
            if not isinstance(code, list | tuple) or len(code) != 5 or not all(type(number) is int for number in code):
                raise GenotypeError(
                    f"Expected layer {position} as five integers (index, type, kernel, predecessor 1, predecessor 2)."
                    f" Received: {code!r:.80}"
                )
            layers.append(Code(*code))
            ended = code[1] == TERMINAL
        if not ended:
            raise GenotypeError(
                "Expected a block that ends with the terminal, e.g. [2, 7, 0, 0, 0]. "
                f"Received: {list(layers[-1]) if layers else 'no layers'}"
            )
        _check(layers[-1], len(layers), len(layers))
        return cls(tuple(layers[:-1]))

    @property
    def codes(self) -> tuple[Code, ...]:
        """The Network Structure Code, terminal included."""
        return (*self.layers, terminal(len(self.layers) + 1))

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        """Indices of the layers without a successor, which the block concatenates; ``(0,)`` for an empty block."""
        return leaves([(), *(code.predecessors for code in self.layers)])

    @property
    def density(self) -> float:
        """Edges over nodes of the block's graph: see `Graph.density`."""
        edges = sum(OPERATIONS[code.type].arity for code in self.layers) + len(self.leaves)
        return edges / (len(self.layers) + 2)

    def graph(self) -> Graph:
        """Node 0 is the input, node i layer i, the last node the concatenated output."""
        return Graph(
            ("input", *(code.label for code in self.layers), "output"),
            ((), *(code.predecessors for code in self.layers), self.leaves),
        )

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        """The block alone."""
        return (("block", self.graph()),)

    @cached_property
    def hash(self) -> str:
        """Canonical hash: see `Graph.canonical_hash`."""
        return self.graph().canonical_hash(salt=self.kind)

    def body(self) -> dict[str, Any]:
        """``{"layers": [[index, type, kernel, predecessor 1, predecessor 2], …]}``, terminal included."""
        return {"layers": [list(code) for code in self.codes]}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> BlockGenotype:
        """The inverse of `body`.

        Raises:
            GenotypeError: as `from_codes`, or fields are missing or unknown.
        """
        if set(body) != {"layers"} or not isinstance(body["layers"], list):
            raise GenotypeError(f"Expected the field 'layers', a list, and no other. Received: {sorted(body)!r:.120}")
        return cls.from_codes(body["layers"])


def _check(code: Code, position: int, layers: int) -> None:
    """Hold the code at `position` of a block of `layers` layers against the tables."""
    where = f"layer {position}"
    if code.index != position:
        raise GenotypeError(f"Expected {where} to have index {position}. Received: {tuple(code)}")
    operation = find(OPERATIONS, code.type)
    if operation is None:
        types = [f"1 to {SELF_ATTENTION}", *(str(kind) for kind in OPERATIONS if kind >= FIRST_REGISTERED)]
        hint = f" {HINT}" if code.type >= FIRST_REGISTERED else ""
        raise GenotypeError(f"Expected the type of {where} among {', '.join(types)}. Received: {code.type}{hint}")
    if code.kernel not in operation.kernels:
        raise GenotypeError(
            f"Expected the kernel of {where} ({operation.name}) among {operation.kernels}. Received: {code.kernel}"
        )
    for number, predecessor in enumerate((code.predecessor1, code.predecessor2), start=1):
        if number > operation.arity:
            if predecessor != 0:
                raise GenotypeError(
                    f"Expected predecessor {number} of {where} ({operation.name}) to be unused, 0. "
                    f"Received: {predecessor}"
                )
        elif not 0 <= predecessor < position:
            problem = "a cycle" if position <= predecessor <= layers else "no such layer"
            raise GenotypeError(
                f"Expected predecessor {number} of {where} among 0 (the input) to {position - 1}. "
                f"Received: {predecessor} ({problem})"
            )
