"""The learning curve of a search."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from automl_cells.errors import SearchError
from automl_cells.report import CurvePoint, draw_pareto_front, draw_search_curve
from automl_cells.report.phases import phase_label, phases
from automl_cells.report.search_curve import best_so_far, running_mean

POINTS = [
    CurvePoint(0, 40.0, 42.0, False, 1.0),
    CurvePoint(1, 10.0, None, True, 1.0),
    CurvePoint(2, 70.0, 71.0, False, 0.5),
    CurvePoint(3, None, None, False, 0.5),
    CurvePoint(4, 65.0, 69.0, False, 0.1),
]


def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, points: list[CurvePoint]) -> Figure:
    """The figure that is about to be written."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **more: (figures.append(self), save(self, *args, **more))
    )
    draw_search_curve(points, tmp_path / "curve.svg")
    return figures[0]


def test_svg_and_png_are_written_and_nothing_else(tmp_path: Path) -> None:
    draw_search_curve(POINTS, tmp_path / "deep" / "curve.svg", title="a $ & <b>")
    draw_search_curve(POINTS, tmp_path / "deep" / "curve.png")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["curve.png", "curve.svg"]
    assert ElementTree.parse(tmp_path / "deep" / "curve.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "deep" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_same_search_same_bytes(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        draw_search_curve(POINTS, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_a_failed_drawing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "curve.svg"
    path.write_text("old")

    def fail(self: Figure, target: Path, **_: object) -> None:
        Path(target).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        draw_search_curve(POINTS, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewards, accuracies = drawn(monkeypatch, tmp_path, POINTS[::-1]).axes
    dots, failed = rewards.collections
    assert dots.get_offsets().tolist() == [[0, 40], [2, 70], [4, 65]]
    assert [x for x, _ in failed.get_offsets().tolist()] == [1]
    assert rewards.lines[0].get_xydata().tolist() == [[0, 40], [2, 70], [4, 70], [4.5, 70]]
    assert rewards.lines[0].get_drawstyle() == "steps-post"
    assert [text.get_text() for text in rewards.texts] == ["ε=1.0", "ε=0.5", "ε=0.1"]
    assert len(rewards.patches) == len(accuracies.patches) == 3
    assert accuracies.collections[0].get_offsets().tolist() == [[0, 42], [2, 71], [4, 69]]
    assert accuracies.lines[0].get_ydata().tolist() == pytest.approx([42, 56.5, 182 / 3])


def test_without_epsilon_there_are_no_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewards, _ = drawn(monkeypatch, tmp_path, [point._replace(epsilon=None) for point in POINTS]).axes
    assert not rewards.patches
    assert not rewards.texts


@pytest.mark.parametrize("points", [[CurvePoint(0, None, None, True, 1.0)], [CurvePoint(7, None, None, False, None)]])
def test_nothing_good_yet(tmp_path: Path, points: list[CurvePoint]) -> None:
    draw_search_curve(points, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 0


def test_best_so_far_ignores_failures() -> None:
    points = [
        CurvePoint(0, 99.0, None, True, None),
        *(CurvePoint(i, r, None, False, None) for i, r in [(1, 3.0), (2, 1.0), (5, 4.0)]),
    ]
    assert best_so_far(points) == [(1, 3.0), (2, 3.0), (5, 4.0)]


def test_running_mean_by_hand() -> None:
    assert running_mean([2.0, 4.0, 9.0, 5.0], 2) == [2.0, 3.0, 6.5, 7.0]
    assert running_mean([], 3) == []


def test_labels_that_do_not_fit_are_merged() -> None:
    schedule = list(enumerate([1.0] * 10 + [0.9, 0.8, 0.7, 0.6] + [0.1] * 10))

    def labels(letters: float) -> list[str]:
        return [phase_label(group) for group in phases(schedule, letters)]

    assert labels(1000) == ["ε=1.0", "ε=0.9", "ε=0.8", "ε=0.7", "ε=0.6", "ε=0.1"]
    # 72 letters over 24 trials are 3 a trial: ε=0.9 and a blank need 6, ε=0.9–0.8 and a blank 10, which 4 trials have.
    assert labels(72) == ["ε=1.0", "ε=0.9–0.6", "ε=0.1"]
    assert labels(5) == ["ε=1.0–0.1"]


def test_trials_without_epsilon_belong_to_no_phase() -> None:
    schedule = [(0, None), (1, 1.0), (2, 1.0), (3, None), (4, 0.05)]
    assert phases(schedule, 1000) == [[(1, 2, "1.0")], [(4, 4, "0.05")]]


@pytest.mark.parametrize(
    ("points", "name", "message"),
    [
        ([], "curve.svg", "at least one trial to draw. Received: none"),
        (POINTS, "curve.pdf", r"ends in .svg or .png. Received: .*curve.pdf"),
        ([POINTS[0], POINTS[0]], "curve.svg", "Received: trial 0 twice"),
        ([POINTS[0]._replace(reward=float("nan"))], "curve.svg", "finite reward of trial 0. Received: nan"),
        ([POINTS[0]._replace(accuracy=float("inf"))], "curve.svg", "finite accuracy of trial 0. Received: inf"),
    ],
)
def test_bad_input(tmp_path: Path, points: list[CurvePoint], name: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        draw_search_curve(points, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_numbers_near_the_largest_are_drawn(tmp_path: Path) -> None:
    points = [CurvePoint(number, 1.7e308, (-1.0) ** number * 1e308, False, None) for number in range(9)]
    draw_search_curve(points, tmp_path / "curve.svg")
    rows = [{"trial": point.trial, "accuracy": point.accuracy, "parameters": 10**300} for point in points]
    draw_pareto_front(rows, ["parameters", "accuracy"], tmp_path / "front.svg")
    assert len(list(tmp_path.iterdir())) == 2


def test_pyplot_is_not_imported() -> None:
    code = "import sys, automl_cells.report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
