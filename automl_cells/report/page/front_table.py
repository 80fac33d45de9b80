"""The Pareto front as a table, for readers without JavaScript; others get a chart with a slider in its place."""

from __future__ import annotations

from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.numbers import number, text, title
from automl_cells.report.pareto import pareto_front

_METRICS = ("parameters", "accuracy")


def front_table(facts: RunFacts) -> str:
    """The candidates that no other beats in parameters and accuracy; those stopped early take no part."""
    rows = [{"trial": trial.number, **trial.metrics} for trial in facts.measured]
    front = [rows[position] for position in pareto_front(rows, _METRICS)]
    if not front:
        return '<p class="none without-script">No candidate has both parameters and an accuracy.</p>'
    heads = "".join(f"<th scope=col>{text(title(name))}" for name in _METRICS)
    body = "".join(
        f'<tr><th scope=row><a href="#trial-{row["trial"]}">trial {row["trial"]}</a>'
        + "".join(f"<td>{number(row[name])}" for name in _METRICS)
        for row in front
    )
    return (
        "<div class=without-script><p class=lead>What no other candidate beats in both. The chart with its "
        f"slider needs JavaScript.</p><table class=plain><thead><tr><th scope=col>{heads}</thead><tbody>{body}</tbody>"
        "</table></div>"
    )
