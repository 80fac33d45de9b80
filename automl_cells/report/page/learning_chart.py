"""Validation accuracies after each epoch, of all candidates in one chart, the best ones marked."""

from __future__ import annotations

from collections.abc import Sequence

from automl_cells.report.bounded import bounded
from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.frame import Frame
from automl_cells.report.page.numbers import number
from automl_cells.report.page.scale import Scale
from automl_cells.report.page.search_chart import legend
from automl_cells.search.trials import Trial, best_trials

_MARKED = 5  # best candidates that get colours of their own
_DRAWN = 400  # curves drawn at most: every so many, as they were tried


def curve_of(trial: Trial) -> list[float]:
    """Validation accuracy in per cent after each epoch, as far as the journal has it."""
    curve = trial.details.get("curve")
    if not isinstance(curve, Sequence) or isinstance(curve, str):
        return []
    return [float(bounded(value)) for value in curve if isinstance(value, int | float)]


def learning_chart(facts: RunFacts) -> str:
    """The chart as HTML; a sentence where no candidate has a curve."""
    curves = {trial.number: curve for trial in facts.done if (curve := curve_of(trial))}
    if not curves:
        return '<p class="none">The journal has no learning curves of this search.</p>'
    longest = max(map(len, curves.values()))
    marked = [trial for trial in best_trials(facts.done, _MARKED) if trial.number in curves]
    values = [value for curve in curves.values() for value in curve]
    frame = Frame(
        "learning-chart",
        f"Validation accuracy after each of {longest} epochs, of {len(curves)} candidates.",
        Scale(1, max(2, longest)),
        Scale.around(values, 0.05),
        240,
    )
    every = -(-len(curves) // _DRAWN)
    name = "faint many" if len(curves) > 100 else "faint"
    drawn = {*list(curves)[::every], *(trial.number for trial in marked)}
    for trial_number in list(curves)[::every]:
        frame.curve(_points(curves[trial_number]), name, data=f' data-curve="{trial_number}"')
    for place, trial in reversed([*enumerate(marked)]):
        frame.curve(_points(curves[trial.number]), f"series s{place}", data=f' data-curve="{trial.number}"')
    stopped = {trial.number for trial in facts.stopped}
    marks = drawn | stopped
    for trial_number, curve in curves.items():  # where it ends, for the pointer and the arrows, is seen of some only
        if trial_number in marks:
            looks = "end" if trial_number in stopped else "end ghost"
            frame.mark(
                f'<circle class="{looks}" data-trial="{trial_number}" cx="{frame.across(len(curve))}" '
                f'cy="{frame.up(curve[-1])}" r="2.5"/>'
            )
    entries = [
        (
            f"line s{place}",
            f"trial {trial.number} ({number(trial.metrics.get('accuracy', curves[trial.number][-1]))} %)",
        )
        for place, trial in enumerate(marked)
    ]
    if len(curves) > len(marked):
        entries.append(("line faint", f"the others, one of {every} drawn" if every > 1 else "the others"))
    if facts.stopped:
        entries.append(("dot end", "stopped early"))
    return legend(entries) + frame.svg("epoch", "validation accuracy, %")


def _points(curve: Sequence[float]) -> list[tuple[float, float]]:
    points = [(float(epoch), value) for epoch, value in enumerate(curve, start=1)]
    return points if len(points) > 1 else [*points, (points[0][0] + 0.01, points[0][1])]
