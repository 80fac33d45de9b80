"""The rails beside a graph drawn as text, one row a node, as in ``git log --graph``."""

from __future__ import annotations

from automl_cells.genotypes.graph import Graph

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_STROKES = " ╵╷│╴╯╮┤╶╰╭├─┴┬┼"  # by the sum of the directions in which the character has a stroke


def rails(graph: Graph, output: bool = True) -> list[str]:
    """For each node a row of rails, with the node's dot in it.

    The value of a node runs down one lane, from its dot to the row of its last reader. A node takes the lane of a
    predecessor that ends in its row if there is one, so that chains run straight down. A rail that turns off (``├``,
    ``╰``) or is joined (``┼``, ``┴``) is read in that row; one that is crossed (``─│─``) is not.

    Args:
        graph: the graph.
        output: also draw the rails into the last node, which in most genotypes reads all the leaves.

    Returns:
        The rows, two characters a lane, without blanks at the end.
    """
    readers = [[node for node in targets if output or node < len(graph.labels) - 1] for targets in graph.successors]
    last = [max(nodes, default=-1) for nodes in readers]
    lanes: list[int | None] = []  # which node's value each lane holds
    rows = []
    for node, sources in enumerate(graph.predecessors):
        read = {lane for lane, value in enumerate(lanes) if value in sources and node <= last[value]}
        ending = {lane for lane in read if last[lanes[lane] or 0] == node}
        free = [lane for lane, value in enumerate(lanes) if value is None]
        own = min(ending or free or [len(lanes)])
        if own == len(lanes):
            lanes.append(None)
        first, final = min(read | {own}), max(read | {own})
        row = ""
        for lane, value in enumerate(lanes):
            strokes = 0 if value is None else _UP if lane in ending else _UP | _DOWN
            if first <= lane <= final and (value is None or lane in read):  # any other rail here is only crossed
                strokes |= _LEFT * (lane > first) | _RIGHT * (lane < final)
            end = not sources or not graph.successors[node]
            row += ("○" if end else "●") if lane == own else _STROKES[strokes]
            row += "─" if first <= lane < final else " "
        rows.append(row.rstrip())
        lanes = [None if lane in ending else value for lane, value in enumerate(lanes)]
        lanes[own] = node if last[node] > node else None
        while lanes and lanes[-1] is None:
            lanes.pop()
    return rows
