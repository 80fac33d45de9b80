"""Rewards over the trials of a search, the best so far and the phases of ε behind them."""

from __future__ import annotations

from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.frame import Frame
from automl_cells.report.page.numbers import number
from automl_cells.report.page.scale import Scale, without_outliers
from automl_cells.report.phases import phase_label, phases
from automl_cells.report.search_curve import CurvePoint, best_so_far, running_mean
from automl_cells.search.trials import Trial

_WIDE, _NARROW = 120, 36  # letters of labels that fit above the plot on a desk and on a telephone


def search_chart(facts: RunFacts) -> str:
    """The chart as HTML; a sentence where no candidate has a reward yet."""
    rewarded = [trial for trial in facts.done if trial.reward is not None]
    best = facts.best
    if not rewarded or best is None:
        return '<p class="none">No candidate has a reward yet.</p>'
    rewards = [trial.reward or 0.0 for trial in rewarded]
    least = without_outliers(rewards)
    first, last = facts.trials[0].number, facts.trials[-1].number
    frame = Frame(
        "search-chart",
        f"Rewards of {len(rewarded)} candidates over the trials {first} to {last}. "
        f"The best is {number(best.reward)}, of trial {best.number}.",
        Scale(first - 0.5, last + 0.5),
        Scale.around([least, *(reward for reward in rewards if reward >= least)], 0.08),
        300,
    )
    _bands(frame, facts)
    window = max(5, min(100, round(len(rewarded) / 10)))
    means = running_mean([max(reward, least) for reward in rewards], window)
    frame.curve(list(zip((trial.number for trial in rewarded), means, strict=True)), "mean")
    candidates = facts.measured or rewarded  # a guess is no best one as long as there are measurements
    steps = best_so_far([CurvePoint(trial.number, trial.reward, None, False, None) for trial in candidates])
    frame.curve([*steps, (last + 0.5, steps[-1][1])], "best", steps=True)
    size = 4.2 if len(rewarded) <= 150 else 3.2 if len(rewarded) <= 600 else 2.3
    for trial in rewarded:
        frame.mark(_dot(frame, trial, least, best, size))
    name = "cross many" if len(facts.trials) > 300 else "cross"
    for trial in facts.failed:
        frame.mark(
            f'<text class="{name}" data-trial="{trial.number}" x="{frame.across(trial.number)}" '
            f'y="{frame.floor - 5}">×</text>'
        )
    below = sum(reward < least for reward in rewards)
    return _legend(facts, window, below) + frame.svg("trial", "reward")


def _dot(frame: Frame, trial: Trial, least: float, best: Trial, size: float) -> str:
    reward = trial.reward or 0.0
    name = "top" if trial is best else "guess" if trial.stopped else "low" if reward < least else ""
    return (
        f'<circle{f" class={name}" if name else ""} data-trial="{trial.number}" cx="{frame.across(trial.number)}" '
        f'cy="{frame.up(reward)}" r="{size + 1.8 if trial is best else size:g}"/>'
    )


def _bands(frame: Frame, facts: RunFacts) -> None:
    schedule = [(trial.number, epsilon_of(trial)) for trial in facts.trials]
    odd = False
    for group in phases(schedule, _WIDE):
        for phase in group:
            frame.band(phase.first - 0.5, phase.last + 0.5, odd)
            odd = not odd
    for letters, name in ((_WIDE, "phase wide"), (_NARROW, "phase narrow")):
        for group in phases(schedule, letters):
            frame.above_plot((group[0].first + group[-1].last) / 2, phase_label(group), name)


def epsilon_of(trial: Trial) -> float | None:
    """The ε under which a trial was proposed, where its strategy has one."""
    epsilon = trial.info.get("epsilon")
    return float(epsilon) if isinstance(epsilon, int | float) else None


def _legend(facts: RunFacts, window: int, below: int) -> str:
    entries = [
        ("dot", "a candidate"),
        ("line best", "best so far"),
        ("line mean", f"mean of the last {window}"),
    ]
    if facts.stopped:
        entries.append(("dot guess", f"stopped early, a guess ({len(facts.stopped)})"))
    if facts.failed:
        entries.append(("cross", f"failed ({len(facts.failed)})"))
    if below:
        entries.append(("dot low", f"below the axis ({below})"))
    return legend(entries)


def legend(entries: list[tuple[str, str]]) -> str:
    """Signs with their meanings, above a chart."""
    items = "".join(f'<li><i class="{sign}" aria-hidden="true"></i>{words}</li>' for sign, words in entries)
    return f'<ul class="legend">{items}</ul>'
