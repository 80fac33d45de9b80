"""The genotype of an ensemble: networks whose probabilities are averaged.

MetaQNN (arXiv 1611.02167v2, section 5.1) ensembles the best networks of a search. As a genotype of its own an ensemble
is built, measured, shelved and exported as one network by everything that knows genotypes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from automl_cells.errors import GenotypeError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.block import BlockGenotype
from automl_cells.genotypes.cell import CellGenotype
from automl_cells.genotypes.chain import ChainGenotype
from automl_cells.genotypes.graph import Graph

MAX_MEMBERS = 32

_MEMBERS: dict[str, type[Genotype]] = {kind.kind: kind for kind in (BlockGenotype, CellGenotype, ChainGenotype)}


@dataclass(frozen=True)
class EnsembleGenotype:
    """Several genotypes of one kind, each of which makes a network in the same template.

    Attributes:
        members: the genotypes; one may stand there several times, with weights of its own each time.

    Raises:
        GenotypeError: fewer than two members, too many, or not all of one kind that can be built.
    """

    members: tuple[Genotype, ...]
    kind: ClassVar[str] = "ensemble"

    def __post_init__(self) -> None:
        if not isinstance(self.members, tuple):
            raise GenotypeError(f"Expected the members as a tuple. Received: a {type(self.members).__name__}")
        if not 2 <= len(self.members) <= MAX_MEMBERS:
            raise GenotypeError(
                f"Expected from 2 to {MAX_MEMBERS} members of an ensemble. Received: {len(self.members)}"
            )
        kinds = {member.kind for member in self.members}
        if len(kinds) > 1 or not kinds <= set(_MEMBERS):
            raise GenotypeError(f"Expected members of one kind among {sorted(_MEMBERS)}. Received: {sorted(kinds)}")

    def graph(self) -> Graph:
        """The members side by side behind one input, each ending in a node that the last, the average, reads."""
        labels, ends = ["input"], []
        sources: list[tuple[int, ...]] = [()]
        for member in self.members:
            for _, part in member.parts():
                start = len(labels)
                # the inputs of all members are the one input
                at = [0 if not before else start + node for node, before in enumerate(part.predecessors)]
                inputs = sum(not before for before in part.predecessors)
                at = [place - inputs if place else 0 for place in at]
                for label, before in zip(part.labels[inputs:], part.predecessors[inputs:], strict=True):
                    labels.append(label)
                    sources.append(tuple(at[node] for node in before))
                ends.append(len(labels) - 1)
        return Graph((*labels, "average"), (*sources, tuple(ends)))

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        """The parts of every member."""
        return tuple(
            (f"{number}: {name}", part)
            for number, member in enumerate(self.members, start=1)
            for name, part in member.parts()
        )

    @cached_property
    def hash(self) -> str:
        """``sha256:`` of the kind and the hashes of the members in alphabetical order, since an average has none."""
        text = "\n".join([self.kind, *sorted(member.hash for member in self.members)])
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def body(self) -> dict[str, Any]:
        """``{"members": [{"kind": …, and the fields of that kind}, …]}``."""
        return {"members": [{"kind": member.kind, **member.body()} for member in self.members]}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> EnsembleGenotype:
        """The inverse of `body`.

        Raises:
            GenotypeError: fields are missing or unknown, or a member is not valid; the message names it.
        """
        if set(body) != {"members"}:
            raise GenotypeError(f"Expected the field 'members', a list, and no other. Received: {list(body)!r:.120}")
        members = body["members"]
        if not isinstance(members, list):
            raise GenotypeError(f"Expected the field 'members' as a list. Received: {members!r:.80}")
        if len(members) > MAX_MEMBERS:
            raise GenotypeError(f"Expected from 2 to {MAX_MEMBERS} members of an ensemble. Received: {len(members)}")
        return cls(tuple(_member(member, number) for number, member in enumerate(members, start=1)))


def _member(document: Any, number: int) -> Genotype:
    kind = document.get("kind") if isinstance(document, dict) else None
    made = _MEMBERS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise GenotypeError(f"Expected member {number} of a kind among {sorted(_MEMBERS)}. Received: {kind!r:.80}")
    try:
        return made.from_body({name: value for name, value in document.items() if name != "kind"})
    except GenotypeError as error:
        raise GenotypeError(f"Member {number}: {error}") from None


def template_kind(genotype: Genotype) -> str:
    """The kind of the template that a genotype stands in: its own, of an ensemble that of its members."""
    return genotype.members[0].kind if isinstance(genotype, EnsembleGenotype) else genotype.kind
