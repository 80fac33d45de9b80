"""What the candidates of a search cost: time, parameters, multiply-adds, memory, latency, and how these spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.numbers import duration, number, text, title

_COSTS = ("seconds", "parameters", "flops", "memory", "latency_ms")
_BINS = 24
_HEIGHT = 26  # pixels of a histogram


def cost_table(facts: RunFacts) -> str:
    """Sums in a sentence, and a row a cost with its range over the candidates that are done."""
    rows = []
    for name in _COSTS:
        source = [trial.seconds if name == "seconds" else trial.metrics.get(name) for trial in facts.done]
        values = sorted(value for value in source if value is not None)
        if values:
            best = facts.best
            of_best = None if best is None else best.seconds if name == "seconds" else best.metrics.get(name)
            median = statistics.median_high(values)
            rows.append(
                f"<tr><th scope=row>{text(title(name))}<td>{number(values[0])}<td>{number(median)}"
                f"<td>{number(values[-1])}<td class=histogram>{_histogram(values)}<td>{number(of_best)}"
            )
    if not rows:
        return '<p class="none">Nothing has been measured yet.</p>'
    return (
        f"<p class=lead>{_sums(facts)}</p><div class=scroll tabindex=0 role=region aria-label=Cost><table class=plain>"
        "<thead><tr><th scope=col>of a candidate<th scope=col>least<th scope=col>median<th scope=col>most"
        "<th scope=col class=histogram>spread<th scope=col>the best one</thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _sums(facts: RunFacts) -> str:
    spent = sum(trial.seconds or 0.0 for trial in facts.finished)
    rate = f", <b>{facts.per_hour:,.0f}</b> candidates an hour" if facts.per_hour else ""
    lost = sum(trial.seconds or 0.0 for trial in facts.failed)
    wasted = f"; {duration(lost)} of it on candidates that failed" if lost else ""
    return (
        f"{len(facts.finished)} evaluations took <b>{duration(spent)}</b> together{wasted}, "
        f"in {duration(facts.busy_seconds)} of wall-clock time{rate}."
    )


def _histogram(values: Sequence[float]) -> str:
    """How many values lie where between the least and the most; on a logarithmic axis where they span decades."""
    places = [math.log(value) for value in values] if values[0] > 0 and values[-1] > 20 * values[0] else list(values)
    low, width = places[0], (places[-1] - places[0]) or 1.0
    counts = [0] * _BINS
    for place in places:
        counts[min(_BINS - 1, int((place - low) / width * _BINS))] += 1
    bars = "".join(
        f'<rect x="{index * 100 / _BINS:.2f}%" width="{80 / _BINS:.2f}%" y="{_HEIGHT - height:.1f}" '
        f'height="{height:.1f}"/>'
        for index, count in enumerate(counts)
        if (height := count and max(2.0, _HEIGHT * count / max(counts)))
    )
    return f'<svg width="100%" height="{_HEIGHT}" aria-hidden="true">{bars}</svg>'
