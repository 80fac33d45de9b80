"""The learning curve of a search: what each trial earned, the best so far, and how accurate the trials became.

With Q-learning the rolling mean should rise as the exploration rate ε falls, so the phases of ε lie behind the curves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from automl_cells.errors import SearchError
from automl_cells.files import replacing
from automl_cells.report.bounded import bounded
from automl_cells.report.phases import phase_label, phases

SUFFIXES = (".svg", ".png")

_INCHES = (9.0, 6.0)
_AXES_POINTS = 560.0  # about the width of a panel in points, to judge whether a label fits
_LETTER_POINTS = 5.0  # about the width of a letter of a label
_INK, _MUTED, _GRID = "#1f2937", "#64748b", "#e2e8f0"
_BLUE, _DEEP_BLUE, _GREEN, _DEEP_GREEN, _RED = "#60a5fa", "#1d4ed8", "#6fcf97", "#15803d", "#dc2626"
_BANDS = ("#f8fafc", "#e9eef4")


class CurvePoint(NamedTuple):
    """One trial of a search.

    Attributes:
        trial: its number, in the order in which the trials were proposed.
        reward: what the strategy was told, or None if the trial has no reward (yet).
        accuracy: per cent, or None if it was not measured.
        failed: whether the trial failed.
        epsilon: the exploration rate when it was proposed, or None if the strategy has none.
    """

    trial: int
    reward: float | None
    accuracy: float | None
    failed: bool
    epsilon: float | None


def draw_search_curve(trials: Sequence[CurvePoint], path: str | Path, title: str | None = None) -> None:
    """Draw the rewards, the best reward so far and the accuracies of a search, and write the picture.

    Args:
        trials: the trials, in any order. Those without a reward that did not fail are still running: left out.
        path: where to write; ``.svg`` or ``.png``. Written beside its place first and then renamed.
        title: written above the curves.

    Raises:
        SearchError: no trials, a reward or an accuracy that is not finite, two trials of one number, or a `path` that
            ends otherwise.
        OSError: the folder cannot be written to.
    """
    points = _checked(trials)
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise SearchError(f"Expected a path that ends in .svg or .png. Received: {path}")
    figure = Figure(figsize=_INCHES, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.06), facecolor="white")
    FigureCanvasAgg(figure)
    rewards, accuracies = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_phases(rewards, accuracies, points)
    _draw_rewards(rewards, points)
    _draw_accuracies(accuracies, points)
    _tidy(rewards, above=1.065 if any(point.epsilon is not None for point in points) else 1.0)
    _tidy(accuracies, above=1.0)
    accuracies.set_xlabel("trial")
    accuracies.set_xlim(points[0].trial - 0.5, points[-1].trial + 0.5)
    accuracies.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if title:
        figure.suptitle(title, x=0.014, ha="left", fontsize=13, fontweight="bold", color=_INK, parse_math=False)
    kind = path.suffix.lower()[1:]
    # Without a date and with fixed names the same search gives the same bytes.
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "automl_cells"}):
        figure.savefig(temporary, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)


def best_so_far(points: Sequence[CurvePoint]) -> list[tuple[int, float]]:
    """The best reward up to each trial that has one and did not fail.

    Returns:
        ``(trial, best reward)`` pairs, in the order of `points`.
    """
    found: list[tuple[int, float]] = []
    for point in points:
        if point.reward is not None and not point.failed:
            found.append((point.trial, max(point.reward, found[-1][1]) if found else point.reward))
    return found


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """For each value the mean of the last `window` values up to it (of fewer at the start)."""
    return [
        math.fsum(part) / len(part) for part in (values[max(0, i + 1 - window) : i + 1] for i in range(len(values)))
    ]


def _checked(trials: Sequence[CurvePoint]) -> list[CurvePoint]:
    """The trials in order, their numbers `bounded`.

    Raises:
        SearchError: as `draw_search_curve`.
    """
    if not trials:
        raise SearchError("Expected at least one trial to draw. Received: none")
    points = sorted(trials, key=lambda point: point.trial)
    for before, point in zip([None, *points], points, strict=False):
        if before is not None and before.trial == point.trial:
            raise SearchError(f"Expected one point a trial. Received: trial {point.trial} twice")
        for name in ("reward", "accuracy", "epsilon"):
            value = getattr(point, name)
            if value is not None and not math.isfinite(value):
                raise SearchError(f"Expected a finite {name} of trial {point.trial}. Received: {value}")
    return [
        point._replace(reward=bounded(point.reward), accuracy=bounded(point.accuracy), epsilon=bounded(point.epsilon))
        for point in points
    ]


def _draw_phases(rewards: Axes, accuracies: Axes, points: Sequence[CurvePoint]) -> None:
    number = 0
    for group in phases([(point.trial, point.epsilon) for point in points], _AXES_POINTS / _LETTER_POINTS):
        for phase in group:
            for axes in (rewards, accuracies):
                axes.axvspan(phase.first - 0.5, phase.last + 0.5, color=_BANDS[number % 2], linewidth=0, zorder=0)
            number += 1
        rewards.annotate(
            phase_label(group),
            ((group[0].first + group[-1].last) / 2, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=_MUTED,
        )


def _draw_rewards(axes: Axes, points: Sequence[CurvePoint]) -> None:
    good = [(point.trial, point.reward) for point in points if point.reward is not None and not point.failed]
    failed = [point.trial for point in points if point.failed]
    size = _dot_size(len(points))
    if good:
        axes.scatter(
            [trial for trial, _ in good],
            [reward for _, reward in good],
            s=size,
            color=_BLUE,
            alpha=0.75,
            linewidth=0,
            label="reward of a trial",
            zorder=2,
        )
        steps = best_so_far(points)
        numbers, best = [trial for trial, _ in steps], [reward for _, reward in steps]
        axes.step(
            [*numbers, points[-1].trial + 0.5],
            [*best, best[-1]],
            where="post",
            color=_DEEP_BLUE,
            linewidth=1.8,
            label=f"best so far: {best[-1]:.4g} (trial {numbers[best.index(best[-1])]})",
            zorder=3,
        )
    axes.margins(y=0.12)
    if failed:
        axes.scatter(
            failed,
            [0.035] * len(failed),
            s=size + 10,
            marker="x",
            color=_RED,
            linewidth=1.2,
            transform=axes.get_xaxis_transform(),
            label=f"failed ({len(failed)})",
            zorder=4,
        )
    if not good:
        axes.set_yticks([])
    axes.set_ylabel("reward")


def _draw_accuracies(axes: Axes, points: Sequence[CurvePoint]) -> None:
    measured = [(point.trial, point.accuracy) for point in points if point.accuracy is not None and not point.failed]
    if measured:
        numbers, accuracies = [trial for trial, _ in measured], [accuracy for _, accuracy in measured]
        window = max(5, min(100, round(len(measured) / 10)))
        axes.scatter(
            numbers,
            accuracies,
            s=_dot_size(len(points)),
            color=_GREEN,
            alpha=0.7,
            linewidth=0,
            label="accuracy of a trial",
            zorder=2,
        )
        axes.plot(
            numbers,
            running_mean(accuracies, window),
            color=_DEEP_GREEN,
            linewidth=1.8,
            label=f"mean of the last {window}",
            zorder=3,
        )
    else:
        axes.set_yticks([])
    axes.margins(y=0.12)
    axes.set_ylabel("accuracy, %")


def _dot_size(trials: int) -> float:
    """The area of a dot in square points: smaller, the more there are."""
    return max(4.0, min(28.0, 2400 / trials))


def _tidy(axes: Axes, above: float) -> None:
    """Light frame and grid, and the legend over the panel, where it hides nothing.

    Args:
        axes: the panel.
        above: how high the legend begins, in heights of the panel: over the labels of the phases.
    """
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#cbd5e1")
    axes.tick_params(colors=_MUTED, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, above),
            borderaxespad=0.0,
            scatteryoffsets=[0.5],
            ncols=3,
            columnspacing=1.4,
            handletextpad=0.5,
            fontsize=8.5,
            frameon=False,
            labelcolor=_INK,
        )
