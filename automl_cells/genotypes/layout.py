"""Where the boxes and the curves of a drawn graph go: a small layered (Sugiyama) layout.

Four steps, each the textbook's: layers by the longest path, long edges cut at every layer they cross, the order within
the layers by barycentre sweeps (`layering`), and x coordinates after Brandes and Köpf (`coordinates`).

The long edges of one node share one trunk that branches where a target is near; parallel edges have a trunk each.
All lengths are in pixels. Curves bend only in the gaps between the layers, so they never run through a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from automl_cells.genotypes.coordinates import coordinates
from automl_cells.genotypes.graph import Graph
from automl_cells.genotypes.layering import Net, cut, layers_of, ordered

BOX_HEIGHT = 30.0
_PORT_GAP = 11.0  # between two lines that enter or leave a box
_LAYER_GAP, _LAYER_GAP_MAX = 34.0, 84.0


class Box(NamedTuple):
    """A node's box: the centre `x`, the upper edge `top` and the width (the height is `BOX_HEIGHT`)."""

    x: float
    top: float
    width: float


class Route(NamedTuple):
    """One edge. `points` come in pairs: the curve bends between the points of a pair and is vertical between pairs."""

    source: int
    target: int
    points: tuple[tuple[float, float], ...]


class Layout(NamedTuple):
    """Boxes in node order, one route an edge, and the size of it all, with the origin in the upper left corner."""

    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


def layout(graph: Graph, label_widths: Sequence[float]) -> Layout:
    """Place the nodes of a graph from top to bottom.

    Args:
        graph: the graph.
        label_widths: for each node the width that its box must have at least.

    Returns:
        The layout. No two boxes overlap, and each edge has a route of its own.
    """
    if not graph.labels:
        return Layout((), (), 0.0, 0.0)
    net = cut(graph, layers_of(graph))
    layers = ordered(net)
    widths = [max(label_widths[node], _PORT_GAP * (_ports(net, node) + 1)) for node in range(len(graph.labels))]
    x = coordinates(layers, net, widths)
    half = [width / 2 for width in widths] + [0.0] * (len(x) - len(widths))
    left = min(value - extent for value, extent in zip(x, half, strict=True))
    x = [value - left for value in x]
    tops = _tops(layers, net, x)
    top = {vertex: tops[row] for row, layer in enumerate(layers) for vertex in layer}
    boxes = tuple(Box(x[node], top[node], width) for node, width in enumerate(widths))
    right = max(value + extent for value, extent in zip(x, half, strict=True))
    return Layout(boxes, _routes(net, x, top, boxes), right, tops[-1] + BOX_HEIGHT)


def _ports(net: Net, node: int) -> int:
    """How many lines enter or leave a node's box, whichever are more."""
    return max(len(net.above[node]), len(net.below[node]))


def _tops(layers: Sequence[Sequence[int]], net: Net, x: Sequence[float]) -> list[float]:
    """The upper edge of each layer: the further a line must go sideways, the wider the gap that it bends in."""
    tops = [0.0]
    for upper in layers[:-1]:
        reach = max((abs(x[vertex] - x[other]) for vertex in upper for other in net.below[vertex]), default=0.0)
        tops.append(tops[-1] + BOX_HEIGHT + min(_LAYER_GAP_MAX, _LAYER_GAP + 0.1 * reach))
    return tops


def _routes(net: Net, x: Sequence[float], top: Mapping[int, float], boxes: Sequence[Box]) -> tuple[Route, ...]:
    """The points of each edge, with the lines at a box spread over its side in the order of where they come from."""
    leaving: dict[int, set[tuple[int, int]]] = {}  # for each node the next vertices, with the parallel edge's number
    entering: dict[int, set[tuple[int, int]]] = {}
    for hops, copy in zip(net.hops, net.copies, strict=True):
        leaving.setdefault(hops[0], set()).add((hops[1], copy))
        entering.setdefault(hops[-1], set()).add((hops[-2], copy))
    out: dict[tuple[int, int, int], float] = {}
    into: dict[tuple[int, int, int], float] = {}
    for node, lines in leaving.items():
        order = sorted(lines, key=lambda line: (x[line[0]], line))
        spots = _spread(boxes[node], [x[vertex] if vertex >= len(boxes) else None for vertex, _ in order])
        out.update(((node, *line), spot) for line, spot in zip(order, spots, strict=True))
    for node, lines in entering.items():
        order = sorted(lines, key=lambda line: (x[line[0]], line))
        starts = [out[vertex, node, copy] if vertex < len(boxes) else x[vertex] for vertex, copy in order]
        into.update(((node, *line), spot) for line, spot in zip(order, _spread(boxes[node], starts), strict=True))
    routes = []
    for hops, copy in zip(net.hops, net.copies, strict=True):
        points = [(out[hops[0], hops[1], copy], top[hops[0]] + BOX_HEIGHT)]
        for vertex in hops[1:-1]:
            points += [(x[vertex], top[vertex]), (x[vertex], top[vertex] + BOX_HEIGHT)]
        points.append((into[hops[-1], hops[-2], copy], top[hops[-1]]))
        routes.append(Route(hops[0], hops[-1], tuple(points)))
    return tuple(routes)


def _spread(box: Box, others: Sequence[float | None]) -> list[float]:
    """Where lines touch a side of a box: evenly about its middle, moved a little if that makes one of them straight.

    Args:
        box: the box.
        others: for each line, from left to right, the x coordinate of its other end if that is known.
    """
    half = _PORT_GAP * (len(others) - 1) / 2
    spots = [box.x - half + _PORT_GAP * number for number in range(len(others))]
    shifts = [other - spot for other, spot in zip(others, spots, strict=True) if other is not None]
    shift = min(shifts, key=abs, default=0.0)
    if abs(shift) > min(_PORT_GAP, box.width / 2 - half - 8):
        return spots
    return [spot + shift for spot in spots]
