"""The Pareto front of a search as a picture: all trials by two metrics, and those that no other beats in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from automl_cells.errors import SearchError
from automl_cells.files import replacing
from automl_cells.report.bounded import bounded
from automl_cells.report.pareto import is_maximised, pareto_front
from automl_cells.report.search_curve import SUFFIXES

_INCHES = (8.0, 5.0)
_LABELLED = 20  # points of the front that get the numbers of their trials, at most
_MANY_TIMES = 20  # largest over smallest value from which an axis is logarithmic
_INK, _MUTED, _GRID, _GREY, _BLUE = "#1f2937", "#64748b", "#e2e8f0", "#94a3b8", "#1d4ed8"
_UNITS = {
    "accuracy": "accuracy, %",
    "flops": "multiply-adds",
    "latency_ms": "latency, ms",
    "memory": "activation memory, bytes",
    "seconds": "evaluation, s",
}


def draw_pareto_front(
    rows: Sequence[Mapping[str, Any]], metrics: Sequence[str], path: str | Path, title: str | None = None
) -> None:
    """Draw all trials and their front, and write the picture.

    Args:
        rows: of trials, each with its number, ``trial``, and metrics; those without both metrics are left out.
        metrics: two, along the x axis and along the y axis.
        path: where to write; ``.svg`` or ``.png``. Written beside its place first and then renamed.
        title: written above.

    Raises:
        SearchError: not two metrics, no trial that has both, or a `path` that ends otherwise.
        OSError: the folder cannot be written to.
    """
    path = Path(path)
    if len(metrics) != 2:
        raise SearchError(f"Expected two metrics, for the axes of a picture. Received: {', '.join(metrics)}")
    if path.suffix.lower() not in SUFFIXES:
        raise SearchError(f"Expected a path that ends in .svg or .png. Received: {path}")
    across, up = metrics
    numbers = [{**row, across: bounded(row.get(across)), up: bounded(row.get(up))} for row in rows]
    known = [row for row in numbers if row[across] is not None and row[up] is not None]
    if not known:
        raise SearchError(f"Expected at least one trial with {across} and {up} to draw. Received: none")
    front = sorted((known[position] for position in pareto_front(known, metrics)), key=lambda row: row[across])
    figure = Figure(figsize=_INCHES, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.scatter(
        [row[across] for row in known],
        [row[up] for row in known],
        s=18,
        color=_GREY,
        alpha=0.7,
        linewidth=0,
        label=f"trials ({len(known)})",
        zorder=2,
    )
    axes.step(
        [row[across] for row in front],
        [row[up] for row in front],
        where="pre" if is_maximised(across) else "post",
        color=_BLUE,
        linewidth=1.5,
        marker="o",
        markersize=5,
        label=f"beaten by none in both ({len(front)})",
        zorder=3,
    )
    _label(axes, front, across, up)
    _tidy(axes, known, across, up)
    if title:
        figure.suptitle(title, x=0.014, ha="left", fontsize=13, fontweight="bold", color=_INK, parse_math=False)
    kind = path.suffix.lower()[1:]
    # Without a date and with fixed names the same search gives the same bytes.
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "automl_cells"}):
        figure.savefig(temporary, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)


def _label(axes: Axes, front: Sequence[Mapping[str, Any]], across: str, up: str) -> None:
    """The numbers of the trials, on the side of the front where no trial can be."""
    right = is_maximised(across)
    above = is_maximised(up)
    if len(front) > _LABELLED:
        return
    for row in front:
        axes.annotate(
            str(row["trial"]),
            (row[across], row[up]),
            xytext=(5 if right else -5, 4 if above else -4),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if above else "top",
            fontsize=8,
            color=_BLUE,
        )


def _tidy(axes: Axes, known: Sequence[Mapping[str, Any]], across: str, up: str) -> None:
    axes.margins(0.08)
    for name, axis, scale in ((across, axes.xaxis, axes.set_xscale), (up, axes.yaxis, axes.set_yscale)):
        values = [row[name] for row in known]
        if min(values) > 0 and max(values) > _MANY_TIMES * min(values):
            scale("log")
        elif 10_000 <= max(values) < 1e15:  # beyond, powers of ten are shorter than digits in groups
            axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_label_text(f"{_UNITS.get(name, name)}, {'higher' if is_maximised(name) else 'lower'} is better")
        axis.label.set_color(_INK)
    axes.set_axisbelow(True)
    axes.grid(color=_GRID, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#cbd5e1")
    axes.tick_params(colors=_MUTED, labelsize=9)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8.5, frameon=False, labelcolor=_INK)
