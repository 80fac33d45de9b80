"""The x coordinates of a layered drawing: the second half of its layout.

After Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (Graph Drawing 2001): each vertex is put
under or over a median neighbour, four times (downward, upward, to the left, to the right), and the four are averaged.
Trunks stay straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from automl_cells.genotypes.layering import Net

_BOX_GAP = 22.0  # between two boxes of a layer
_MIXED_GAP = 16.0  # between a box and a line that passes it
_LINE_GAP = 11.0  # between two lines that pass


def _conflicts(layers: Sequence[Sequence[int]], net: Net, nodes: int) -> set[tuple[int, int]]:
    """Lines that cross the inside of a trunk (Brandes and Köpf's type 1): they give way, the trunk stays straight."""
    found = set()
    place = {vertex: spot for layer in layers for spot, vertex in enumerate(layer)}
    for upper, lower in pairwise(layers):
        inner = [(place[net.above[v][0]], place[v]) for v in lower if v >= nodes and net.above[v][0] >= nodes]
        if not inner:
            continue
        low, scanned = -1, 0
        for top, bottom in [*inner, (len(upper), len(lower))]:
            for spot in range(scanned, min(bottom + 1, len(lower))):
                vertex = lower[spot]
                for other in net.above[vertex]:
                    crosses = not low <= place[other] <= top
                    if crosses and not (other >= nodes and vertex >= nodes):
                        found |= {(other, vertex), (vertex, other)}
            scanned, low = bottom + 1, top
    return found


def coordinates(layers: Sequence[Sequence[int]], net: Net, widths: Sequence[float]) -> list[float]:
    """The x coordinate of each vertex: the average of the two middle ones of four one-sided layouts."""
    nodes = len(widths)
    conflicts = _conflicts(layers, net, nodes)
    half = [width / 2 for width in widths] + [0.0] * (len(net.above) - nodes)
    found: list[list[float]] = []
    for upward in (False, True):
        for mirrored in (False, True):
            rows = [list(reversed(layer)) if mirrored else list(layer) for layer in layers]
            roots = _aligned(rows[::-1] if upward else rows, net.below if upward else net.above, conflicts)
            x = _compacted(rows, roots, half, nodes)
            found.append([-value for value in x] if mirrored else x)
    spans = [max(x) - min(x) for x in found]
    narrowest = found[spans.index(min(spans))]
    for number, x in enumerate(found):
        end = max if number % 2 else min  # the layouts pushed to the right meet at their right ends
        shift = end(narrowest) - end(x)
        found[number] = [value + shift for value in x]
    return [sum(sorted(values)[1:3]) / 2 for values in zip(*found, strict=True)]


def _aligned(
    rows: Sequence[Sequence[int]], side: Sequence[Sequence[int]], conflicts: set[tuple[int, int]]
) -> list[int]:
    """Put each vertex under its median neighbour of the row before, if it is free: the root of each one's column."""
    root = list(range(len(side)))
    place = {vertex: spot for row in rows for spot, vertex in enumerate(row)}
    for row in rows:
        free = 0
        for vertex in row:
            others = sorted(set(side[vertex]), key=place.__getitem__)
            for other in others[(len(others) - 1) // 2 : len(others) // 2 + 1] if others else ():
                if place[other] >= free and (other, vertex) not in conflicts:
                    root[vertex], free = root[other], place[other] + 1
                    break
    return root


def _compacted(rows: Sequence[Sequence[int]], root: Sequence[int], half: Sequence[float], nodes: int) -> list[float]:
    """Push the columns to the left as far as their neighbours let them, then back to the right where there is room."""
    gaps: dict[int, dict[int, float]] = {}
    waiting = dict.fromkeys(root, 0)
    for row in rows:
        for left, right in pairwise(row):
            gap = _BOX_GAP if left < nodes and right < nodes else _LINE_GAP if min(left, right) >= nodes else _MIXED_GAP
            after = gaps.setdefault(root[left], {})
            if root[right] not in after:
                waiting[root[right]] += 1
            after[root[right]] = max(after.get(root[right], 0.0), half[left] + half[right] + gap)
    x = dict.fromkeys(waiting, 0.0)
    order = [column for column, count in waiting.items() if not count]
    for column in order:
        for other, gap in gaps.get(column, {}).items():
            x[other] = max(x[other], x[column] + gap)
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    for column in reversed(order):
        x[column] = max(
            x[column], min((x[other] - gap for other, gap in gaps.get(column, {}).items()), default=x[column])
        )
    return [x[column] for column in root]
