"""The labelled multigraph behind every genotype: density, leaves and a canonical hash.

A `Graph` is what two genotypes have in common when they describe the same architecture. It knows nothing of layers,
only labels and arrows, so blocks, cells and chains share it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from automl_cells.errors import GenotypeError

_MAX_REFINEMENTS = 10_000  # colourings refined before a graph is refused as too symmetrical


@dataclass(frozen=True)
class Graph:
    """A directed acyclic multigraph with labelled nodes, in topological order.

    Attributes:
        labels: one label a node, e.g. ``("input", "conv 3", "output")``.
        predecessors: for each node the positions of its predecessors, all smaller than its own. The order of the
            predecessors has no meaning; a position that stands twice is two edges (``add(x, x)``).

    Raises:
        GenotypeError: a predecessor does not come before its node, or the lengths differ.
    """

    labels: tuple[str, ...]
    predecessors: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.predecessors):
            raise GenotypeError(
                "Expected as many predecessor lists as labels. "
                f"Received: {len(self.labels)} labels, {len(self.predecessors)} lists"
            )
        for node, sources in enumerate(self.predecessors):
            for source in sources:
                if not 0 <= source < node:
                    raise GenotypeError(
                        f"Expected the predecessors of node {node} among 0 to {node - 1}. Received: {source}"
                    )

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """For each node the positions of its successors, one per edge."""
        lists: list[list[int]] = [[] for _ in self.labels]
        for node, sources in enumerate(self.predecessors):
            for source in sources:
                lists[source].append(node)
        return tuple(tuple(targets) for targets in lists)

    @property
    def edges(self) -> int:
        """Number of edges, parallel ones counted each."""
        return sum(len(sources) for sources in self.predecessors)

    @property
    def density(self) -> float:
        """Edges over nodes, input and output counted as nodes (BlockQNN section 3.3; the convention is ours).

        With it Block-QNN-A, -B and -S have 18/14, 16/11 and 21/15, inside the range of the paper's figure 6.
        """
        return self.edges / len(self.labels)

    @property
    def depth(self) -> int:
        """Number of edges on the longest path."""
        level = [0] * len(self.labels)
        for node, sources in enumerate(self.predecessors):
            level[node] = max((level[source] + 1 for source in sources), default=0)
        return max(level, default=0)

    def canonical_form(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The nodes in an order that depends on the graph's structure only.

        Returns:
            One ``(label, sorted predecessors)`` pair a node. Two graphs have the same form if, and only if, they are
            isomorphic (labels kept, parallel edges counted).

        Colours are refined forward and backward (Weisfeiler-Lehman); ties are broken by individualising one node of
        the first tied class after the other and keeping the smallest form, as McKay's nauty does. Only branches whose
        refined colouring is the smallest are followed, and those that an automorphism maps onto a branch already seen
        are skipped, so repeated sub-graphs stay cheap.

        Raises:
            GenotypeError: more than 10,000 colourings would have to be refined.
        """
        return _Canoniser(self).run()

    def canonical_hash(self, salt: str = "") -> str:
        """``sha256:`` and the hexadecimal SHA-256 of `salt` and the canonical form."""
        digest = hashlib.sha256(salt.encode())
        for label, sources in self.canonical_form():
            digest.update(f"\n{label}<{','.join(map(str, sources))}".encode())
        return f"sha256:{digest.hexdigest()}"


class _Canoniser:
    """One run of individualisation and refinement over one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.size = len(graph.labels)
        self.refinements = 0
        self.automorphisms: list[tuple[int, ...]] = []  # the image of each node, in the order in which they were found
        self.neighbours = tuple(
            (tuple(sorted(before)), tuple(sorted(after)))
            for before, after in zip(graph.predecessors, graph.successors, strict=True)
        )

    def run(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        ranks = {label: rank for rank, label in enumerate(sorted(set(self.graph.labels)))}
        return self._best(self._refine([ranks[label] for label in self.graph.labels]))

    def _refine(self, colours: list[int]) -> list[int]:
        """Split colours by the colours of predecessors and successors until nothing changes."""
        self.refinements += 1
        if self.refinements > _MAX_REFINEMENTS:
            raise GenotypeError(
                f"Expected a graph whose canonical form takes at most {_MAX_REFINEMENTS} refinements. "
                f"Received: a graph of {self.size} nodes that is too symmetrical"
            )
        classes = len(set(colours))
        while classes < self.size:
            keys = self._surroundings(colours)
            order = sorted(range(self.size), key=keys.__getitem__)
            colours = [0] * self.size
            rank = 0
            for previous, node in pairwise(order):
                rank += keys[node] != keys[previous]
                colours[node] = rank
            if rank + 1 == classes:
                break
            classes = rank + 1
        return colours

    def _surroundings(self, colours: list[int]) -> list[tuple[int, list[int], list[int]]]:
        """For each node its colour and the colours of its predecessors and of its successors, sorted."""
        return [
            (colours[node], sorted([colours[p] for p in before]), sorted([colours[s] for s in after]))
            for node, (before, after) in enumerate(self.neighbours)
        ]

    def _tied(self, colours: list[int]) -> list[int]:
        """The nodes of the smallest colour that several nodes share, or nothing."""
        counts = Counter(colours)
        shared = min((colour for colour, count in counts.items() if count > 1), default=None)
        return [node for node in range(self.size) if colours[node] == shared] if shared is not None else []

    def _individualise(self, colours: list[int], node: int) -> list[int]:
        """Give `node` a colour of its own, just below the others of its class."""
        own = colours[node]
        fresh = [colour + (colour >= own) for colour in colours]
        fresh[node] = own
        return self._refine(fresh)

    def _form(self, colours: list[int]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        order = sorted(range(self.size), key=colours.__getitem__)
        return tuple(
            (self.graph.labels[node], tuple(sorted(colours[p] for p in self.graph.predecessors[node])))
            for node in order
        )

    def _first_leaf(self, colours: list[int]) -> list[int]:
        """Individualise the first tied node again and again: the cheapest discrete colouring below `colours`."""
        while tied := self._tied(colours):
            colours = self._individualise(colours, tied[0])
        return colours

    def _best(self, colours: list[int]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The smallest form below `colours`, among the branches that are followed."""
        tied = self._tied(colours)
        if not tied:
            return self._form(colours)
        if all(self.neighbours[node] == self.neighbours[tied[0]] for node in tied[1:]):
            # Twins: swapping them is an automorphism, so any order gives the same form.
            return self._best(self._individualise(colours, tied[0]))
        branches = {node: self._individualise(colours, node) for node in tied}
        # What a refined colouring looks like does not depend on how the nodes are numbered, so following only the
        # smallest is canonical; without it, parts that refinement cannot tell apart multiply.
        looks = {node: sorted(self._surroundings(branch)) for node, branch in branches.items()}
        smallest = min(looks.values())
        forms = []
        leaves: dict[tuple, list[int]] = {}  # first leaf below each branch explored so far, by its form
        explored: list[int] = []
        orbits = _Orbits(self.size)
        known = len(self.automorphisms)
        for node in (node for node in tied if looks[node] == smallest):
            # Automorphisms found further below keep a finer colouring, so `colours` as well.
            for automorphism in self.automorphisms[known:]:
                orbits.join_all(automorphism)
            known = len(self.automorphisms)
            if any(orbits.same(node, other) for other in explored):
                continue
            leaf = self._first_leaf(branches[node])
            form = self._form(leaf)
            twin = leaves.setdefault(form, leaf)
            if twin is not leaf:
                # Equal forms: leaf -> twin is an automorphism that keeps `colours`, so everything below this branch
                # has been seen.
                back = {colour: node_ for node_, colour in enumerate(twin)}
                self.automorphisms.append(tuple(back[colour] for colour in leaf))
                continue
            explored.append(node)
            forms.append(self._best(branches[node]))
        return min(forms)


class _Orbits:
    """Which nodes the automorphisms found so far map onto each other (union-find)."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, node: int) -> int:
        while self.parent[node] != node:
            node = self.parent[node]
        return node

    def join(self, one: int, other: int) -> None:
        self.parent[self.find(one)] = self.find(other)

    def join_all(self, images: Sequence[int]) -> None:
        """Join every node with its image."""
        for node, image in enumerate(images):
            self.join(node, image)

    def same(self, one: int, other: int) -> bool:
        return self.find(one) == self.find(other)


def leaves(predecessors: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The positions of the nodes that no other node takes as a predecessor."""
    used = {source for sources in predecessors for source in sources}
    return tuple(node for node in range(len(predecessors)) if node not in used)
