"""Drawings: everything is there, nothing overlaps, nothing breaks."""

from __future__ import annotations

import random
import re
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from itertools import combinations, pairwise

import pytest

from automl_cells.genotypes import BlockGenotype, Graph, load
from automl_cells.genotypes.drawing import TEXT_COLUMNS, draw_svg, draw_text
from automl_cells.genotypes.layout import BOX_HEIGHT, layout

SVG = "{http://www.w3.org/2000/svg}"


def random_graph(layers: int, seed: int) -> Graph:
    rng = random.Random(seed)
    codes = []
    for index in range(1, layers + 1):
        kind, kernel, arity = rng.choice(
            [(1, 1, 1), (1, 3, 1), (1, 5, 1), (2, 3, 1), (3, 3, 1), (4, 0, 1), (5, 0, 2), (6, 0, 2)]
        )
        codes.append((index, kind, kernel, rng.randrange(index), rng.randrange(index) if arity == 2 else 0))
    return BlockGenotype.from_codes([*codes, (layers + 1, 7, 0, 0, 0)]).graph()


CHAIN = Graph(  # 64 trunks side by side: the most that a layout has to cut
    ("input", *["add"] * 128, "output"), ((), *((i - 1, max(0, i - 64)) for i in range(1, 129)), (128,))
)
STAR = Graph(("input", *["conv 3"] * 128, "output"), ((), *[(0,)] * 128, tuple(range(1, 129))))
GRAPHS = {
    **{name: load(name).graph() for name in ("block_qnn_a", "block_qnn_b", "block_qnn_s")},
    "empty block": BlockGenotype(()).graph(),
    "one node": Graph(("input",), ((),)),
    "parallel": Graph(("input", "add", "conv 3", "concat", "output"), ((), (0, 0), (1,), (0, 0, 2), (1, 3))),
    "two inputs, loose ends": Graph(("input", "input", "add", "x", "y"), ((), (), (0, 1), (), (2,))),
    **{f"random {size}": random_graph(size, seed=size) for size in (5, 22, 23, 40, 128)},
    "chain": CHAIN,
    "star": STAR,
}
every_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())


@every_graph
def test_svg_shows_every_node_and_every_edge(graph: Graph) -> None:
    root = ElementTree.fromstring(draw_svg(graph))
    nodes = {int(group.attrib["data-node"]): group for group in root.iter(f"{SVG}g") if "data-node" in group.attrib}
    assert [nodes[node].find(f"{SVG}title").text for node in sorted(nodes)] == [
        f"{node}: {label}" for node, label in enumerate(graph.labels)
    ]
    drawn = Counter(path.attrib["data-edge"] for path in root.iter(f"{SVG}path") if "data-edge" in path.attrib)
    assert drawn == Counter(f"{s}-{node}" for node, sources in enumerate(graph.predecessors) for s in sources)
    assert "nan" not in "".join(path.attrib["d"] for path in root.iter(f"{SVG}path"))


@every_graph
def test_no_two_boxes_overlap_and_edges_go_down(graph: Graph) -> None:
    placed = layout(graph, [60.0 + 5 * (node % 7) for node in range(len(graph.labels))])
    for one, other in combinations(placed.boxes, 2):
        if one.top == other.top:
            assert abs(one.x - other.x) >= (one.width + other.width) / 2 + 20
        else:
            assert abs(one.top - other.top) > BOX_HEIGHT
    for box in placed.boxes:
        assert round(box.x - box.width / 2, 6) >= 0
        assert round(box.x + box.width / 2 - placed.width, 6) <= 0
    for source, target, points in placed.routes:
        ends = (placed.boxes[source], points[0]), (placed.boxes[target], points[-1])
        assert points[0][1] == placed.boxes[source].top + BOX_HEIGHT
        assert points[-1][1] == placed.boxes[target].top
        assert all(abs(box.x - x) <= box.width / 2 for box, (x, _) in ends)
        assert all(y1 < y2 for (_, y1), (_, y2) in pairwise(points))


@every_graph
def test_no_edge_runs_through_a_box(graph: Graph) -> None:
    placed = layout(graph, [60.0] * len(graph.labels))
    rows: dict[float, list[tuple[float, float]]] = {}
    for box in placed.boxes:
        rows.setdefault(box.top, []).append((box.x - box.width / 2, box.x + box.width / 2))
    for _, _, points in placed.routes:
        # Between a point of even and one of odd number the curve bends in a gap; then it passes a row, upright.
        for (x1, y1), (x2, y2) in zip(points[1:-1:2], points[2::2], strict=True):
            assert x1 == x2
            assert y2 - y1 == pytest.approx(BOX_HEIGHT)
            assert not any(left - 2 < x1 < right + 2 for left, right in rows[y1])


def test_parallel_edges_are_drawn_apart() -> None:
    for predecessors in [((), (0, 0)), ((), (0,), (1,), (0, 0, 2))]:  # side by side, and past other boxes
        graph = Graph(("input", "a", "b", "c")[: len(predecessors)], predecessors)
        last = len(predecessors) - 1
        routes = [route.points for route in layout(graph, [60.0] * 4).routes if route[:2] == (0, last)]
        assert len(routes) == 2
        assert all(abs(one[0] - other[0]) > 8 for one, other in zip(*routes, strict=True))


def test_crossings_are_avoided_where_a_plane_drawing_exists() -> None:
    """Two branches whose nodes alternate in the file are drawn side by side."""
    graph = Graph(("input", *"abcdef", "output"), ((), (0,), (0,), (2,), (1,), (3,), (4,), (5, 6)))
    boxes = layout(graph, [60.0] * 8).boxes
    side = {node: boxes[node].x < boxes[0].x for node in range(1, 7)}
    assert side[1] == side[4] == side[6] != side[2] == side[3] == side[5]


def test_shared_trunk_is_drawn_once() -> None:
    graph = Graph(("input", "a", "b", "c"), ((), (0,), (0, 1), (0, 2)))
    root = ElementTree.fromstring(draw_svg(graph))
    paths = {
        path.attrib["data-edge"]: path.attrib["d"] for path in root.iter(f"{SVG}path") if "data-edge" in path.attrib
    }
    start = {edge: re.match(r"M[\d.]+ ([\d.]+)", path)[1] for edge, path in paths.items()}
    assert start["0-1"] == start["0-2"] == "30"  # the lower edge of the input
    assert float(start["0-3"]) > 60  # branches off the trunk that 0-2 has drawn, below the box of a


def test_text_is_escaped_and_unprintable_letters_are_replaced() -> None:
    graph = Graph(("<b>&", "x\x00\x1b[31m\n"), ((), (0,)))
    root = ElementTree.fromstring(draw_svg(graph, title='<script>"&', subtitle="a < b"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts == ['<script>"&', "a < b", "0", "<b>&", "1", "x��[31m�"]
    assert not list(root.iter(f"{SVG}script"))
    assert not list(root.iter(f"{SVG}b"))
    assert "\x1b" not in draw_text(graph)
    assert draw_text(graph).count("\n") == 2


def test_svg_words_colours_and_schemes() -> None:
    labels = (
        "input",
        "conv 5",
        "max_pool 3",
        "sep_conv 3",
        "new",
        "dil_conv 3",
        "squeeze_excitation",
        "self_attention",
    )
    svg = draw_svg(Graph(labels, ((), *((node,) for node in range(7)))))
    assert "conv 5×5" in svg
    assert "max pool 3×3" in svg
    for words in ("sep conv 3×3", "dil conv 3×3", "squeeze excitation", "self attention", "new"):
        assert f">{words}</text>" in svg
    families = re.findall(r'<g class="node (\w+)"', svg)
    assert families == ["end", "conv5", "max", "sep3", "other", "conv3", "other", "other"]
    assert "prefers-color-scheme:dark" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in svg


def test_long_labels_are_cut_but_kept_as_tooltip() -> None:
    svg = draw_svg(Graph(("y" * 90,), ((),)))
    assert f">{'y' * 31}…</text>" in svg
    assert f"<title>0: {'y' * 90}</title>" in svg
    assert max(map(len, draw_text(Graph(("y" * 200,), ((),))).splitlines())) <= TEXT_COLUMNS


def test_graph_without_nodes() -> None:
    graph = Graph((), ())
    assert draw_text(graph) == ""
    assert not list(ElementTree.fromstring(draw_svg(graph)).iter(f"{SVG}text"))


def test_drawing_is_quick_and_repeatable() -> None:
    graph = GRAPHS["random 128"]
    assert draw_svg(graph) == draw_svg(graph)
    for graph in (GRAPHS["random 128"], CHAIN, STAR):
        start = time.process_time()
        draw_svg(graph)
        draw_text(graph)
        assert time.process_time() - start < 1.0  # a tenth of it in fact; a quadratic layout takes many seconds


def test_text_of_block_qnn_b() -> None:
    assert draw_text(load("block_qnn_b").graph()) == (
        "○           0  input\n"
        "├─●         1  conv 1      ← 0\n"
        "├─│─●       2  conv 3      ← 0\n"
        "│ │ ├─●     3  conv 5      ← 2\n"
        "│ │ ├─┼─●   4  add         ← 2, 3\n"
        "│ │ ●─╯ │   5  concat      ← 2, 3\n"
        "│ │ ●   │   6  conv 3      ← 5\n"
        "├─│─│─● │   7  conv 5      ← 0\n"
        "│ │ │ ● │   8  avg_pool 3  ← 7\n"
        "● │ │ │ │   9  conv 3      ← 0\n"
        "○─┴─┴─┴─╯  10  output      ← 1, 4, 6, 8, 9\n"
    )


@every_graph
def test_text_lists_every_node_within_the_columns(graph: Graph) -> None:
    lines = draw_text(graph).splitlines()
    assert all(len(line) <= TEXT_COLUMNS and line == line.rstrip() for line in lines)
    row = re.compile(r"(?:.*[^\w ]\W*| *)(\d+)  ([a-z]\w*(?: \d)?) *(?:← (.*))?")
    rows: list[tuple[str, str, str]] = []
    for line in lines:
        if match := row.fullmatch(line):
            rows.append((match[1], match[2], match[3] or ""))
        else:  # the rest of a long list of predecessors
            rows[-1] = (*rows[-1][:2], rows[-1][2] + line)
    assert [(int(node), label) for node, label, _ in rows] == list(enumerate(graph.labels))
    for (_, _, listed), sources in zip(rows, graph.predecessors, strict=True):
        read = Counter()
        for word in filter(None, re.split(r",\s*", listed)):
            number, _, times = word.partition(" ×")
            read[int(number)] += int(times or 1)
        assert read == Counter(sources)


def test_text_names_parallel_edges() -> None:
    assert draw_text(Graph(("input", "add"), ((), (0, 0)))) == "○  0  input\n○  1  add    ← 0 ×2\n"


def test_text_leaves_out_rails_that_do_not_fit() -> None:
    """The star's 128 rails into the output are too many; those of the input are kept."""
    lines = draw_text(STAR).splitlines()
    assert lines[1] == "├─●    1  conv 3  ← 0"
    assert lines[129].startswith("○    129  output  ← 1, 2, 3,")


class TestSeveralParts:
    """The cells of NASNet-A side by side."""

    PARTS = load("nasnet_a").parts()

    def test_each_part_is_a_group_with_its_name_and_its_own_numbers(self) -> None:
        root = ElementTree.fromstring(draw_svg(self.PARTS, "nasnet_a"))
        groups = [group for group in root.iter(f"{SVG}g") if group.get("data-part") is not None]
        assert [group.get("data-part") for group in groups] == ["0", "1"]
        for group, (name, graph) in zip(groups, self.PARTS, strict=True):
            assert [text.text for text in group.iter(f"{SVG}text") if text.get("class") == "caption"] == [name]
            nodes = [node.get("data-node") for node in group.iter(f"{SVG}g") if node.get("data-node")]
            assert nodes == [str(node) for node in range(len(graph.labels))]
            edges = [path for path in group.iter(f"{SVG}path") if path.get("data-edge")]
            assert len(edges) == graph.edges

    def test_they_do_not_overlap(self) -> None:
        root = ElementTree.fromstring(draw_svg(self.PARTS))
        extents = []
        for group in root.iter(f"{SVG}g"):
            if group.get("data-part") is not None:
                left = float(re.findall(r"translate\(([\d.]+) ", group.get("transform", ""))[0])
                boxes = [(float(box.get("x", 0)), float(box.get("width", 0))) for box in group.iter(f"{SVG}rect")]
                extents.append((left + min(x for x, _ in boxes), left + max(x + width for x, width in boxes)))
        (first, end), (start, last) = extents
        assert 0 < first < end < start < last < float(root.get("width", 0))

    def test_operations_of_cells_in_words_and_colours(self) -> None:
        text = draw_svg(self.PARTS)
        for words in ("hᵢ", "hᵢ₋₁", "sep conv 5×5", "sep conv 7×7", "avg pool 3×3", "max pool 3×3"):
            assert f">{words}</text>" in text
        for family in ("sep3", "sep5", "sep7", "avg", "max", "identity", "add", "end"):
            assert f'class="node {family}"' in text
        others = Graph(("conv_1x7_7x1", "dil_conv_3x3", "conv_1x1", "max_pool_7x7"), ((), (), (), ()))
        text = draw_svg(others)
        for words in ("conv 1×7 7×1", "dil conv 3×3", "conv 1×1", "max pool 7×7"):
            assert f">{words}</text>" in text
        for family in ("conv5", "conv3", "conv1", "max"):
            assert f'class="node {family}"' in text

    def test_one_part_is_drawn_as_its_graph(self) -> None:
        block = load("block_qnn_s")
        assert draw_svg(block.parts(), "x") == draw_svg(block.graph(), "x")
        assert draw_text(block.parts()) == draw_text(block.graph())

    def test_as_text_each_has_its_name_above(self) -> None:
        (one, first), (other, second) = self.PARTS
        assert draw_text(self.PARTS) == f"{one}\n{draw_text(first)}\n{other}\n{draw_text(second)}"
