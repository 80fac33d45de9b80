"""The picture of a Pareto front."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from automl_cells.errors import SearchError
from automl_cells.report import draw_pareto_front

ROWS: list[dict[str, Any]] = [
    {"trial": 0, "parameters": 2_000, "accuracy": 70.0, "reward": 1.0},
    {"trial": 3, "parameters": 1_000, "accuracy": 60.0, "reward": 1.0},
    {"trial": 5, "parameters": 90_000, "accuracy": 90.0, "reward": 1.0},
    {"trial": 6, "parameters": 80_000, "accuracy": 65.0, "reward": 1.0},
    {"trial": 7, "accuracy": 99.0, "reward": 1.0},
]


def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, metrics: list[str], rows: Any = ROWS) -> Any:
    """The axes of the figure that is about to be written."""
    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **more: (figures.append(self), save(self, *a, **more)))
    draw_pareto_front(rows, metrics, tmp_path / "front.svg")
    (axes,) = figures[0].axes
    return axes


def test_svg_and_png_are_written_and_the_same_again(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg", "three.png"):
        draw_pareto_front(ROWS, ["parameters", "accuracy"], tmp_path / name, title="a $ & <b>")
    assert ElementTree.parse(tmp_path / "one.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "three.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 3


def test_all_trials_and_the_front_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = drawn(monkeypatch, tmp_path, ["parameters", "accuracy"])
    assert axes.collections[0].get_offsets().tolist() == [[2000, 70], [1000, 60], [90_000, 90], [80_000, 65]]
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[1000, 60], [2000, 70], [90_000, 90]]
    assert line.get_drawstyle() == "steps-post"
    assert [text.get_text() for text in axes.texts] == ["3", "0", "5"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.get_xlabel() == "parameters, lower is better"
    assert axes.get_ylabel() == "accuracy, %, higher is better"


def test_what_is_maximised_across_has_its_steps_on_the_other_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = drawn(monkeypatch, tmp_path, ["accuracy", "parameters"]).lines
    assert line.get_drawstyle() == "steps-pre"
    assert line.get_xydata().tolist() == [[60, 1000], [70, 2000], [90, 90_000]]


def test_a_front_of_many_has_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [{"trial": number, "parameters": 100 + number, "accuracy": float(number)} for number in range(30)]
    axes = drawn(monkeypatch, tmp_path, ["parameters", "accuracy"], many)
    assert len(axes.lines[0].get_xydata()) == 30
    assert not axes.texts
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")


@pytest.mark.parametrize(
    ("metrics", "name", "message"),
    [
        (["accuracy"], "a.svg", r"Expected two metrics, .*Received: accuracy$"),
        (["accuracy", "parameters", "reward"], "a.svg", r"Received: accuracy, parameters, reward$"),
        (["accuracy", "parameters"], "a.pdf", r"ends in \.svg or \.png\. Received: .*a\.pdf$"),
        (["accuracy", "memory"], "a.svg", r"at least one trial with accuracy and memory to draw\. Received: none$"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, metrics: list[str], name: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        draw_pareto_front(ROWS, metrics, tmp_path / name)
    assert not list(tmp_path.iterdir())
