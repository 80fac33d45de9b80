"""The layers of a drawn graph, and the order within them: the first half of a layered (Sugiyama) layout."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from automl_cells.genotypes.graph import Graph

_WORK = 20_000  # vertices visited while ordering: bounds the time that a large graph takes


class Net(NamedTuple):
    """The graph with its long edges cut: nodes first, then one vertex for each trunk and layer that it crosses."""

    layers: list[list[int]]
    above: list[list[int]]  # for each vertex its neighbours in the layer above
    below: list[list[int]]
    hops: list[list[int]]  # for each edge the vertices that it passes, both ends included
    copies: list[int]  # for each edge how many parallel ones come before it


def layers_of(graph: Graph) -> list[int]:
    """The layer of each node: the longest path from above, then down again where that shortens the edges."""
    layer = [0] * len(graph.labels)
    for node, sources in enumerate(graph.predecessors):
        layer[node] = max((layer[source] + 1 for source in sources), default=0)
    if not graph.successors[-1]:
        layer[-1] = max(*layer, layer[-1])  # the output stands at the bottom, even if a node leads nowhere
    for node in reversed(range(len(layer))):
        before, after = set(graph.predecessors[node]), set(graph.successors[node])
        if before and len(after) > len(before):
            layer[node] = min(layer[target] for target in after) - 1
    return layer


def cut(graph: Graph, layer: Sequence[int]) -> Net:
    """Cut the long edges at every layer they cross."""
    layers: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for node, number in enumerate(layer):
        layers[number].append(node)
    above: list[list[int]] = [[] for _ in layer]
    below: list[list[int]] = [[] for _ in layer]
    trunks: dict[tuple[int, int], list[int]] = {}
    hops, copies = [], []
    for target, sources in enumerate(graph.predecessors):
        for position, source in enumerate(sources):
            copy = sources[:position].count(source)
            trunk = trunks.setdefault((source, copy), [source])
            while len(trunk) < layer[target] - layer[source]:
                vertex = len(above)
                layers[layer[source] + len(trunk)].append(vertex)
                above.append([trunk[-1]])
                below.append([])
                below[trunk[-1]].append(vertex)
                trunk.append(vertex)
            last = trunk[layer[target] - layer[source] - 1]
            above[target].append(last)
            below[last].append(target)
            hops.append([*trunk[: layer[target] - layer[source]], target])
            copies.append(copy)
    return Net(layers, above, below, hops, copies)


def ordered(net: Net) -> list[list[int]]:
    """The vertices of each layer from left to right, with few crossings."""
    best, fewest = net.layers, None
    vertices = len(net.above)
    for rightmost in (False, True):
        layers = _depth_first(net, rightmost)
        stale = 0
        for sweep in range(max(2, min(24, _WORK // vertices))):
            place = {vertex: float(spot) for layer in layers for spot, vertex in enumerate(layer)}
            downward = sweep % 2 == 0
            side = net.above if downward else net.below
            for layer in layers if downward else reversed(layers):
                keys = {
                    vertex: sum(place[other] for other in side[vertex]) / len(side[vertex])
                    for vertex in layer
                    if side[vertex]
                }
                # A vertex without neighbours on that side keeps its spot; ties turn round every other pair of sweeps.
                spots = [spot for spot, vertex in enumerate(layer) if vertex in keys]
                movable = [layer[spot] for spot in spots][:: -1 if sweep % 4 > 1 else 1]
                for spot, vertex in zip(spots, sorted(movable, key=keys.__getitem__), strict=True):
                    layer[spot] = vertex
                for spot, vertex in enumerate(layer):
                    place[vertex] = float(spot)
            crossings = _crossings(layers, net)
            stale += 1
            if fewest is None or crossings < fewest:
                best, fewest, stale = [list(layer) for layer in layers], crossings, 0
            if stale > 6 or not fewest:
                break
    return _exchanged(best, net) if vertices * vertices < _WORK * 20 else best


def _depth_first(net: Net, rightmost: bool) -> list[list[int]]:
    """A first order: vertices as a depth-first walk meets them, so that branches lie side by side."""
    layers: list[list[int]] = [[] for _ in net.layers]
    row = {vertex: number for number, layer in enumerate(net.layers) for vertex in layer}
    seen: set[int] = set()
    stack = [vertex for layer in reversed(net.layers) for vertex in reversed(layer)]
    while stack:
        vertex = stack.pop()
        if vertex not in seen:
            seen.add(vertex)
            layers[row[vertex]].append(vertex)
            stack.extend(net.below[vertex] if rightmost else reversed(net.below[vertex]))
    return layers


def _pair_crossings(one: Iterable[float], other: Iterable[float]) -> int:
    """Crossings between the lines of two neighbours, `one` standing left of `other`."""
    return sum(left > right for left in one for right in other)


def _exchanged(layers: list[list[int]], net: Net) -> list[list[int]]:
    """Exchange neighbours within the layers as long as that saves crossings."""
    place = {vertex: spot for layer in layers for spot, vertex in enumerate(layer)}
    for _ in range(8):
        better = False
        for layer in layers:
            for spot in range(len(layer) - 1):
                left, right = layer[spot], layer[spot + 1]
                gain = 0
                for side in (net.above, net.below):
                    ours, theirs = [place[v] for v in side[left]], [place[v] for v in side[right]]
                    gain += _pair_crossings(ours, theirs) - _pair_crossings(theirs, ours)
                if gain > 0:
                    layer[spot], layer[spot + 1] = right, left
                    place[left], place[right] = spot + 1, spot
                    better = True
        if not better:
            break
    return layers


def _crossings(layers: Sequence[Sequence[int]], net: Net) -> int:
    """Number of crossing lines between neighbouring layers."""
    count = 0
    for upper, lower in pairwise(layers):
        place = {vertex: spot for spot, vertex in enumerate(lower)}
        passed: list[int] = []
        for vertex in upper:
            ends = sorted(place[other] for other in net.below[vertex])
            count += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return count
