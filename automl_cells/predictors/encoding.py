"""A genotype as counts of what its graphs are made of, which works for every kind of genotype.

Two kinds of things are counted in each part (the block; the normal and the reduction cell; the chain):

- every node with its label, and every node with the labels of its predecessors and successors: the features of the
  Weisfeiler-Lehman subtree kernel after none and one iteration (Shervashidze et al., JMLR 12, 2011), which Ru et al.
  (NAS-BOWL, ICLR 2021, arXiv 2006.07556) use for architectures; here the neighbourhood is that of both directions;
- every path from an input to the output as the operations on it, as White et al. encode architectures (BANANAS, AAAI
  2021, arXiv 1910.11858). Sums have no part in it, and paths of more than `LONGEST_PATH` operations are left out: of
  those there may be exponentially many.

Isomorphic graphs have the same counts. A path is counted as often as it occurs.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from automl_cells.genotypes import Genotype
from automl_cells.genotypes.graph import Graph

LONGEST_PATH = 6  # operations; every cell of NAS-Bench-201 has paths of at most 3, BlockQNN's blocks mostly up to 6
_SUM = "add"
_KEPT = 20_000

Feature = tuple[str, ...]


@lru_cache(maxsize=_KEPT)
def encode(genotype: Genotype) -> Counter[Feature]:
    """The counts of one genotype; the Counter is shared between calls and must not be changed.

    Example:
        >>> from automl_cells.genotypes import BlockGenotype
        >>> block = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)])
        >>> encode(block)["block", "path", "conv 3"], encode(block)["block", "node", "conv 3"]
        (1, 1)
    """
    counts: Counter[Feature] = Counter()
    for part, graph in genotype.parts():
        counts.update((part, "node", label) for label in graph.labels)
        counts.update((part, "around", *around) for around in _neighbourhoods(graph))
        for path, times in _paths(graph).items():
            counts[part, "path", *path] += times
    return counts


def _neighbourhoods(graph: Graph) -> list[Feature]:
    """For each node its label, those of its predecessors and those of its successors, sorted."""
    names = graph.labels
    return [
        (name, "<", *sorted(names[before] for before in sources), ">", *sorted(names[after] for after in targets))
        for name, sources, targets in zip(names, graph.predecessors, graph.successors, strict=True)
    ]


def _paths(graph: Graph) -> Counter[Feature]:
    """How often each sequence of at most `LONGEST_PATH` operations leads from an input to the last node."""
    to: list[Counter[Feature]] = []  # for each node, the operations up to and including it
    for node, (label, sources) in enumerate(zip(graph.labels, graph.predecessors, strict=True)):
        counts: Counter[Feature] = Counter()
        if not sources:
            counts[()] = 1
        own = () if not sources or label == _SUM or node == len(graph.labels) - 1 else (label,)
        for source in sources:
            for path, times in to[source].items():
                if len(path) + len(own) <= LONGEST_PATH:
                    counts[(*path, *own)] += times
        to.append(counts)
    return to[-1]
