"""The cell of NAS-Bench-201: six edges, five operations.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (ICLR 2020, arXiv
2001.00326), section 2.1. A cell has four nodes: node 0 is its input, each later node the sum of all earlier ones, each
through the operation of its edge; node 3 is the output. The benchmark writes a cell as a string, node by node:

    |op~0|+|op~0|op~1|+|op~0|op~1|op~2|

Two strings may describe the same function (6,466 classes of the 15,625 strings), but the benchmark trained each string
by itself, with a result of its own. So the hash here is that of the string, not of the graph.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from automl_cells.errors import GenotypeError
from automl_cells.genotypes.graph import Graph

OPERATIONS: tuple[str, ...] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES: tuple[tuple[int, int], ...] = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of each edge, in the order in which the string names them."""

_OUTPUT = 3
_LABELS = {
    "skip_connect": "identity",
    "nor_conv_1x1": "conv 1",
    "nor_conv_3x3": "conv 3",
    "avg_pool_3x3": "avg_pool 3",
}
_PATTERN = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|", re.ASCII)


@dataclass(frozen=True)
class NasBench201Genotype:
    """A cell of NAS-Bench-201.

    Attributes:
        operations: the operation on each of the `EDGES`.

    Raises:
        GenotypeError: not six operations, or one that the benchmark does not have.

    Example:
        >>> text = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_1x1~2|"
        >>> cell = NasBench201Genotype.from_architecture(text)
        >>> cell.architecture == text, cell.graph().labels
        (True, ('input', 'identity', 'conv 3', 'conv 1', 'output'))
    """

    operations: tuple[str, ...]
    kind: ClassVar[str] = "nasbench201"

    def __post_init__(self) -> None:
        if not isinstance(self.operations, tuple) or len(self.operations) != len(EDGES):
            raise GenotypeError(f"Expected {len(EDGES)} operations, one an edge. Received: {self.operations!r:.120}")
        for (source, target), operation in zip(EDGES, self.operations, strict=True):
            if operation not in OPERATIONS:
                raise GenotypeError(
                    f"Expected the operation from node {source} to node {target} among {list(OPERATIONS)}. "
                    f"Received: {operation!r:.80}"
                )

    @classmethod
    def from_architecture(cls, architecture: str) -> NasBench201Genotype:
        """The cell of the benchmark's string.

        Raises:
            GenotypeError: not of that form, or an unknown operation.
        """
        found = _PATTERN.fullmatch(architecture) if isinstance(architecture, str) else None
        if found is None:
            raise GenotypeError(
                f"Expected an architecture |op~0|+|op~0|op~1|+|op~0|op~1|op~2|. Received: {architecture!r:.120}"
            )
        return cls(found.groups())

    @property
    def architecture(self) -> str:
        """The benchmark's string."""
        parts = []
        for _, edges in itertools.groupby(zip(EDGES, self.operations, strict=True), key=lambda item: item[0][1]):
            parts.append("|" + "".join(f"{operation}~{source}|" for (source, _), operation in edges))
        return "+".join(parts)

    @cached_property
    def hash(self) -> str:
        """``sha256:`` and the SHA-256 of the kind and the string: the unit of the benchmark's results."""
        salted = f"{self.kind}\n{self.architecture}"
        return f"sha256:{hashlib.sha256(salted.encode()).hexdigest()}"

    def graph(self) -> Graph:
        """What a signal meets on its way from the input to the output.

        Operations are nodes, and so is every sum of two or more. ``none`` lets nothing through, so its edges are left
        out, and with them what they cut off: operations that the input does not reach (the benchmark's networks feed
        them zeros) or that do not reach the output. A cell that lets nothing through is one node ``none``.
        """
        living = self._living()
        labels: list[str] = ["input"]
        predecessors: list[tuple[int, ...]] = [()]
        value = {0: 0}  # the graph's node that holds the value of each node of the cell
        for target in range(1, _OUTPUT + 1):
            arriving = []
            for (source, end), operation in zip(EDGES, self.operations, strict=True):
                if end == target and (source, end) in living:
                    labels.append(_LABELS[operation])
                    predecessors.append((value[source],))
                    arriving.append(len(labels) - 1)
            if len(arriving) > 1:
                labels.append("add")
                predecessors.append(tuple(arriving))
            value[target] = len(labels) - 1
        if not living:
            labels.append("none")
            predecessors.append((0,))
        return Graph((*labels, "output"), (*predecessors, (len(labels) - 1,)))

    def _living(self) -> set[tuple[int, int]]:
        """The edges on a path from the input to the output that ``none`` does not cut."""
        open_edges = [edge for edge, operation in zip(EDGES, self.operations, strict=True) if operation != "none"]
        reached, useful = {0}, {_OUTPUT}
        for source, target in open_edges:  # sorted by their targets
            if source in reached:
                reached.add(target)
        for source, target in reversed(open_edges):
            if target in useful:
                useful.add(source)
        return {(source, target) for source, target in open_edges if source in reached and target in useful}

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        """The cell alone."""
        return (("cell", self.graph()),)

    def body(self) -> dict[str, Any]:
        """``{"architecture": "|…|"}``."""
        return {"architecture": self.architecture}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> NasBench201Genotype:
        """The inverse of `body`.

        Raises:
            GenotypeError: as `from_architecture`, or fields are missing or unknown.
        """
        if set(body) != {"architecture"}:
            raise GenotypeError(f"Expected the field 'architecture' and no other. Received: {sorted(body)!r:.120}")
        return cls.from_architecture(body["architecture"])
