"""A space of five genotypes, small enough to learn by hand."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from automl_cells.genotypes import Graph
from automl_cells.spaces import Action, Space, State


@dataclass(frozen=True)
class Path:
    """A genotype that is its decisions."""

    decisions: tuple[int, ...]
    kind: ClassVar[str] = "path"

    @property
    def hash(self) -> str:
        return self.graph().canonical_hash()

    def graph(self) -> Graph:
        return Graph(tuple(map(str, self.decisions)), tuple((i - 1,) if i else () for i in range(len(self.decisions))))

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        return (("path", self.graph()),)

    def body(self) -> dict[str, Any]:
        return {"decisions": list(self.decisions)}


class Tree(Space):
    """Decisions 0, 1 and, first of all, 2.

        ()  ─0─► (0,)  ─0─► end            ()  ─1─► end
                 (0,)  ─1─► (0, 1)  ─0, 1─► end
        ()  ─2─► end

    The trajectories have one, two or three decisions.
    """

    name: ClassVar[str] = "tree"

    def initial(self) -> State:
        return ()

    def actions(self, state: State) -> Sequence[Action]:
        return (0, 1) if state else (0, 1, 2)

    def step(self, state: State, action: Action) -> State:
        return (*state, action)

    def is_terminal(self, state: State) -> bool:
        return state not in ((), (0,), (0, 1))

    def key(self, state: State) -> Hashable:
        return state

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        return (3,)

    def factors(self, action: Action) -> tuple[int, ...]:
        return (action,)

    def genotype(self, state: State) -> Path:
        return Path(state)

    def decisions(self, genotype: Path) -> tuple[Action, ...]:
        return genotype.decisions
