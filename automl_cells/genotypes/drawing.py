"""Draws the graph of a genotype: as an SVG picture, and as text for a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from automl_cells.genotypes.graph import Graph
from automl_cells.genotypes.layout import BOX_HEIGHT, Box, Route, layout
from automl_cells.genotypes.rails import rails

TEXT_COLUMNS = 100  # no line of `draw_text` is longer

_MARGIN = 28.0
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
_LETTER = 7.9  # pixels that a letter of a label takes on average in the widest of these fonts
_MAX_LETTERS = 32  # longer labels are cut; the tooltip shows them whole
_TIP = 7.0  # length of an arrow head
_GAP, _CAPTION = 44.0, 30.0  # between parts side by side; height of the name above each
_SOURCES = 12  # columns that the numbers of the predecessors need at least


class _Colours(NamedTuple):
    """Fill, border (also of the lines that leave the box) and text of a family of operations, in one colour scheme."""

    fill: str
    border: str
    text: str


Parts = Sequence[tuple[str, Graph]]
"""Named graphs that are drawn side by side, see `Genotype.parts`."""

# family: (light scheme, dark scheme). Convolutions deepen with the kernel.
_FAMILIES: dict[str, tuple[_Colours, _Colours]] = {
    "end": (_Colours("#334155", "#64748b", "#f8fafc"), _Colours("#cbd5e1", "#94a3b8", "#0f172a")),
    "conv1": (_Colours("#e0f0ff", "#60a5fa", "#1e3a5f"), _Colours("#10243c", "#4e8fd6", "#cfe5ff")),
    "conv3": (_Colours("#b9dcff", "#3b82f6", "#16325c"), _Colours("#173a66", "#5b9dee", "#e0efff")),
    "conv5": (_Colours("#86bdfb", "#1d4ed8", "#0d2350"), _Colours("#1f5299", "#79b2fa", "#f0f7ff")),
    "sep3": (_Colours("#cdf3f1", "#14a39a", "#0b3f3c"), _Colours("#0c3432", "#2fb3ab", "#d0f5f2")),
    "sep5": (_Colours("#9fe4df", "#0d8a82", "#07312f"), _Colours("#0f4a47", "#4cc8bf", "#dcfaf7")),
    "sep7": (_Colours("#6fd0c9", "#0b6b65", "#042220"), _Colours("#14635e", "#74dcd3", "#eefffd")),
    "max": (_Colours("#ffe3cc", "#ea7317", "#6b2e06"), _Colours("#43220b", "#e08a45", "#ffdfc4")),
    "avg": (_Colours("#fdf0b8", "#ca9a04", "#574105"), _Colours("#3a2f08", "#cfa92f", "#fbeeb5")),
    "identity": (_Colours("#eef1f5", "#94a3b8", "#334155"), _Colours("#1e2733", "#7c8a9d", "#d5dde7")),
    "add": (_Colours("#d3f5df", "#22a55a", "#0f4a2a"), _Colours("#0e3320", "#3fb974", "#cdf5dc")),
    "concat": (_Colours("#ebdfff", "#8b5cf6", "#3f1d85"), _Colours("#2b1d4f", "#a07ff5", "#e8deff")),
    "other": (_Colours("#fbe1ee", "#d1458b", "#6d1640"), _Colours("#401429", "#d86ba2", "#fbdcea")),
}


def draw_svg(graph: Graph | Parts, title: str | None = None, subtitle: str | None = None) -> str:
    """Draw a graph from top (input) to bottom (output) as an SVG document, or several side by side.

    The picture is self-contained and follows the reader's light or dark colour scheme. Lines have the colour of the
    operation that they leave, numbers are the positions of the nodes, and every box has its label as a tooltip.

    Args:
        graph: the graph, or the parts of a genotype; the names of several parts stand above them.
        title: written above it, any text.
        subtitle: written below the title, smaller.

    Returns:
        The SVG document, ending with a newline. Each box is a ``<g data-node="3">``, each edge a
        ``<path data-edge="1-3">``; parallel edges have a path each. Every part is a ``<g data-part="0">`` with
        numbers of its own.
    """
    parts = _parts(graph)
    drawings = [_Drawing(part) for _, part in parts]
    captions = [name if len(parts) > 1 else "" for name, _ in parts]
    heading, head_width, head_height = _heading(title, subtitle)
    head_height += _CAPTION if len(parts) > 1 else 0
    inner = sum(drawing.width for drawing in drawings) + _GAP * (len(parts) - 1)
    width = max(inner, head_width) + 2 * _MARGIN
    height = max(drawing.height for drawing in drawings) + head_height + 2 * _MARGIN
    left = (width - inner) / 2
    placed: list[str] = []
    for number, (drawing, caption) in enumerate(zip(drawings, captions, strict=True)):
        placed += drawing.lines(number, caption, left, _MARGIN + head_height)
        left += drawing.width + _GAP
    about = "; ".join(f"{len(part.labels)} nodes, {part.edges} edges, {part.depth} deep" for _, part in parts)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(width)} {_number(height)}" '
        f'width="{_number(width)}" height="{_number(height)}" role="img">',
        f"<title>{_escaped(title or 'Genotype')}</title>",
        f"<desc>{about}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="paper" width="{_number(width)}" height="{_number(height)}" rx="14"/>',
        *heading,
        *placed,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _parts(graph: Graph | Parts) -> Parts:
    return [("", graph)] if isinstance(graph, Graph) else graph


class _Drawing:
    """One graph with its boxes and routes placed."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._words = [_wording(label, of_a_cell="input before" in graph.labels) for label in graph.labels]
        widths = [_LETTER * len(word) + 7 * len(str(node)) + 30 for node, word in enumerate(self._words)]
        self._placed = layout(graph, widths)
        self.width, self.height = self._placed.width, self._placed.height

    def lines(self, number: int, caption: str, left: float, top: float) -> Iterator[str]:
        """The group of this part, with its caption above the drawing."""
        labels = self._graph.labels
        families = [_family(label) for label in labels]
        yield f'<g data-part="{number}" transform="translate({_number(left)} {_number(top)})">'
        if caption:
            yield f'<text class="caption" x="0" y="-16">{_escaped(caption)}</text>'
        yield from _edges(self._placed.routes, families)
        for node, box in enumerate(self._placed.boxes):
            yield _node(node, box, families[node], self._words[node], labels[node])
        yield "</g>"


def draw_text(graph: Graph | Parts) -> str:
    """Draw a graph as text: one line a node, with rails on the left that lead from each node to those that read it.

    Of several parts each has its name above it.

    Inputs and outputs are rings, all else dots. A rail that turns off (``├``, ``╰``, ``╯``) or is joined (``┴``, ``┼``)
    is read by the node of that line; a rail that is crossed (``─│─``) is not. Where too many rails are open, those into
    the last node are left out, or all of them.

    Returns:
        Lines of at most 100 columns, each ending with a newline.

    Example:
        >>> print(draw_text(Graph(("input", "conv 3", "output"), ((), (0,), (0, 1)))), end="")
        ○    0  input
        ├─●  1  conv 3  ← 0
        ○─╯  2  output  ← 0, 1
    """
    parts = _parts(graph)
    if len(parts) == 1:
        return _text(parts[0][1])
    return "\n".join(f"{_printable(name)}\n{_text(part)}" for name, part in parts)


def _text(graph: Graph) -> str:
    digits = len(str(len(graph.labels) - 1))
    labels = [_shortened(_printable(label), 24) for label in graph.labels]
    column = max(map(len, labels), default=0)
    room = TEXT_COLUMNS - len("  ") - digits - len("  ") - column - len("  ← ") - _SOURCES
    pictures = rails(graph)
    if max(map(len, pictures), default=0) > room:
        pictures = rails(graph, output=False)
    indent = max(map(len, pictures), default=0) + 2
    if indent - 2 > room:
        pictures, indent = [""] * len(pictures), 0
    lines = []
    for node, (picture, label, sources) in enumerate(zip(pictures, labels, graph.predecessors, strict=True)):
        start = f"{picture:<{indent}}{node:>{digits}}  {label:<{column}}  ← "
        if not sources:
            lines.append(start.removesuffix("← ").rstrip())
            continue
        for number, part in enumerate(_wrapped(sources, TEXT_COLUMNS - len(start))):
            lines.append(start + part if not number else " " * len(start) + part)
    return "".join(f"{line}\n" for line in lines)


def _wrapped(sources: Sequence[int], columns: int) -> list[str]:
    """The numbers of the predecessors with commas, a parallel edge as ``3 ×2``, in lines of at most `columns`."""
    words = [f"{source} ×{times}" if times > 1 else f"{source}" for source, times in sorted(Counter(sources).items())]
    lines = [""]
    for number, word in enumerate(words):
        word += "," * (number < len(words) - 1)
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _family(label: str) -> str:
    """The family of operations that a label belongs to, by its first words and its kernel."""
    if label in ("input", "output") or label.startswith(("input ", "output ")):
        return "end"
    if chain := re.match(r"(C|P|FC|GAP|SM)\b(?:\((?:\d+,)*?(\d+),\d+\))?", label):
        kernel = {"1": "conv1", "3": "conv3"}.get(chain[2] or "", "conv5")
        return {"C": kernel, "P": "max", "FC": "concat", "GAP": "avg", "SM": "end"}[chain[1]]
    name = label.split(" ")[0]
    if "conv" in name:
        kernel = max(re.findall(r"\d", label), default="3")  # of 1×7 then 7×1 the 7
        if name.startswith("sep_conv"):
            return {"3": "sep3", "5": "sep5"}.get(kernel, "sep7")
        return {"1": "conv1", "3": "conv3"}.get(kernel, "conv5")
    known = {"max_pool": "max", "avg_pool": "avg", "identity": "identity", "add": "add", "concat": "concat"}
    return known.get(re.sub(r"_\dx\d$", "", name), "other")


def _wording(label: str, of_a_cell: bool = False) -> str:
    """A label as people write it: ``max_pool 3`` and ``max_pool_3x3`` are ``max pool 3×3``; cells take hᵢ and hᵢ₋₁."""
    if of_a_cell and label in ("input", "input before"):
        return "hᵢ" if label == "input" else "hᵢ₋₁"
    known = re.fullmatch(r"((?:sep_|dil_)?conv|max_pool|avg_pool) (\d+)", label)
    text = f"{known[1].replace('_', ' ')} {known[2]}×{known[2]}" if known else label
    if re.fullmatch(r"[a-z_]+(_\dx\d)*", label):
        text = re.sub(r"(\d)x(\d)", r"\1×\2", label.replace("_", " "))
    return _shortened(_printable(text), _MAX_LETTERS)


def _printable(text: str) -> str:
    """`text` without what XML forbids or a terminal would obey."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _escaped(text: str) -> str:
    return escape(_printable(text))


def _number(value: float) -> str:
    """A coordinate with at most one decimal, so that files stay small and comparable."""
    return f"{value:.1f}".removesuffix(".0")


def _style() -> str:
    """The style sheet: the light scheme, and the dark one for readers who prefer it."""
    rules = [
        f"text{{font-family:{_FONT};font-size:13px}}",
        ".title{font-size:18px;font-weight:600}.subtitle{font-size:12.5px}.caption{font-size:14px;font-weight:600}",
        ".edge{fill:none;stroke-width:1.6}",
        ".node rect{stroke-width:1.4}.node .index{font-size:10px;opacity:.62}",
    ]
    for dark in (False, True):
        paper, ink, muted = ("#0d1117", "#e6edf3", "#9aa7b5") if dark else ("#ffffff", "#1f2937", "#64748b")
        scheme = [f".paper{{fill:{paper}}}.title{{fill:{ink}}}.subtitle,.caption{{fill:{muted}}}"]
        for family, schemes in _FAMILIES.items():
            colours = schemes[dark]
            scheme.append(
                f".{family} rect{{fill:{colours.fill};stroke:{colours.border}}}.{family} text{{fill:{colours.text}}}"
                f".edge.{family}{{stroke:{colours.border}}}.tip.{family}{{fill:{colours.border}}}"
            )
        rules.append(f"@media (prefers-color-scheme:dark){{{''.join(scheme)}}}" if dark else "".join(scheme))
    return "".join(rules)


def _heading(title: str | None, subtitle: str | None) -> tuple[list[str], float, float]:
    """The lines of the title and the subtitle, and the width and height that they take."""
    lines, width, height = [], 0.0, 0.0
    for text, name, letter, size in ((title, "title", 11.0, 26.0), (subtitle, "subtitle", 7.4, 20.0)):
        if text:
            height += size
            width = max(width, letter * len(text))
            baseline = _number(_MARGIN + height - 10)
            lines.append(f'<text class="{name}" x="{_number(_MARGIN)}" y="{baseline}">{_escaped(text)}</text>')
    return lines, width, height + 16 if lines else 0.0


def _edges(routes: Sequence[Route], families: Sequence[str]) -> Iterator[str]:
    """The curve and the arrow head of each edge. What it shares with an edge before it is not drawn twice."""
    drawn: set[tuple[tuple[float, float], tuple[float, float]]] = set()
    for route in routes:
        *inner, (x, y) = route.points
        path = ""
        for number, ((x1, y1), (x2, y2)) in enumerate(pairwise([*inner, (x, y - _TIP + 1)])):
            if not path and ((x1, y1), (x2, y2)) in drawn:
                continue
            drawn.add(((x1, y1), (x2, y2)))
            path = path or f"M{_number(x1)} {_number(y1)}"
            if number % 2 or abs(x1 - x2) < 0.05:
                path += f"L{_number(x2)} {_number(y2)}"
            else:
                middle = 0.55 * (y2 - y1)  # vertical at both ends
                controls = (x1, y1 + middle, x2, y2 - middle, x2, y2)
                path += "C" + " ".join(map(_number, controls))
        family = families[route.source]
        tip = f"M{_number(x - 3.5)} {_number(y - _TIP)}h7l-3.5 {_number(_TIP)}z"
        yield f'<path class="edge {family}" data-edge="{route.source}-{route.target}" d="{path}"/>'
        yield f'<path class="tip {family}" d="{tip}"/>'


def _node(node: int, box: Box, family: str, words: str, label: str) -> str:
    """The box of a node: its number small on the left, its words in the middle of the rest."""
    left = box.x - box.width / 2
    indent = 7.0 * len(str(node)) + 4
    baseline = box.top + BOX_HEIGHT / 2 + 4.5
    return (
        f'<g class="node {family}" data-node="{node}"><title>{node}: {_escaped(label)}</title>'
        f'<rect x="{_number(left)}" y="{_number(box.top)}" width="{_number(box.width)}" height="{_number(BOX_HEIGHT)}" '
        f'rx="8"/><text class="index" x="{_number(left + 9)}" y="{_number(baseline - 1)}">{node}</text>'
        f'<text x="{_number(box.x + indent / 2)}" y="{_number(baseline)}" text-anchor="middle">'
        f"{_escaped(words)}</text></g>"
    )
