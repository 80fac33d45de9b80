"""What every genotype can do, and the table of the kinds that exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

from automl_cells.genotypes.graph import Graph


@runtime_checkable
class Genotype(Protocol):
    """An architecture as plain data: frozen, comparable, hashable, free of any framework.

    Attributes:
        kind: the word that names the class of genotypes in files: ``block``, ``cell``, ``chain``, …
    """

    kind: ClassVar[str]

    def __hash__(self) -> int: ...

    @property
    def hash(self) -> str:
        """``sha256:…`` of the canonical graph: equal for genotypes that describe the same architecture."""
        ...

    def graph(self) -> Graph:
        """The labelled graph, for drawing, density and the canonical hash."""
        ...

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        """What a drawing shows side by side, each with its name; the graph alone where there is one part."""
        ...

    def body(self) -> dict[str, Any]:
        """The fields that go into a JSON file beside format, version, kind, hash and provenance."""
        ...

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Genotype:
        """The inverse of `body`.

        Raises:
            GenotypeError: `body` is not a valid genotype of this kind; the message says where.
        """
        ...
