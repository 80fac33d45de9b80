"""The head of the page: which search this is, how far it is, and its numbers at a glance."""

from __future__ import annotations

from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.numbers import duration, number, text


def header(facts: RunFacts) -> str:
    """Name, state, and what is searched where and how."""
    parts = [
        f"<span><dt>{name}</dt><dd>{text(value)}</dd></span>"
        for name, value in (
            ("space", facts.space),
            ("strategy", facts.strategy),
            ("data", facts.dataset),
            ("reward", facts.reward),
            ("seed", facts.settings.get("seed", "")),
        )
        if value != ""
    ]
    again = "<p class=hint>The search is running: the same command writes this page anew.</p>"
    return (
        f'<h1>{text(facts.name)} <span class="state {facts.state}">{facts.progress}</span></h1>'
        f"<dl class=about>{''.join(parts)}</dl>{again if facts.state == 'running' else ''}"
    )


def summary(facts: RunFacts) -> str:
    """The tiles; a sentence of a search without a trial."""
    if not facts.trials:
        rest = "Ask again in a while." if facts.running else "Nothing is searching in this folder."
        return f'<p class="card none">The journal of this search has no candidate yet. {rest}</p>'
    tiles: list[tuple[str, str, str]] = []
    best = facts.best
    if best is not None:
        tiles.append(("best reward", number(best.reward), f'<a href="#trial-{best.number}">trial {best.number}</a>'))
        if "accuracy" in best.metrics:
            guess = ", a guess" if best.stopped else ""
            tiles.append(("its accuracy", f"{number(best.metrics['accuracy'])} %", f"validation{guess}"))
        if "parameters" in best.metrics:
            flops = best.metrics.get("flops")
            rest = "" if flops is None else f"{number(flops)} multiply-adds"
            tiles.append(("its parameters", number(best.metrics["parameters"]), rest))
    tiles.append(("candidates", number(len(facts.finished)), f"of {number(facts.total)}"))
    if facts.per_hour:
        busy = f"in {duration(facts.busy_seconds)}"
        tiles.append(("an hour", f"{facts.per_hour:,.0f}", f"candidates, {busy}"))
    others = [
        f"{count} {words}"
        for count, words in (
            (len(facts.stopped), "stopped early"),
            (sum(trial.repeats for trial in facts.trials), "repeats"),
            (sum(trial.status == "stale" for trial in facts.trials), "stale"),
        )
        if count
    ]
    tiles.append(("failed", number(len(facts.failed)), ", ".join(others)))
    items = "".join(
        f"<div class=tile><dt>{name}</dt><dd><b>{value}</b><small>{rest}</small></dd></div>"
        for name, value, rest in tiles
    )
    return f"<dl class=tiles>{items}</dl>"
