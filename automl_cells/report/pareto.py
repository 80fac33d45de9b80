"""The trials that no other trial beats in everything: the Pareto front of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automl_cells.errors import SearchError

ALIASES = {"params": "parameters", "latency": "latency_ms"}
"""Shorter words for metrics."""


def is_maximised(metric: str) -> bool:
    """Whether more of it is better: of the reward and of accuracies; of all else less is."""
    return metric == "reward" or metric == "accuracy" or metric.endswith("_accuracy")


def metrics_of(words: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The metrics that words name.

    Args:
        words: names of metrics, or their `ALIASES`.
        rows: of trials, by which it is known what metrics there are.

    Raises:
        SearchError: none, one that no trial has, or the same twice.
    """
    there = list(dict.fromkeys(name for row in rows for name, value in row.items() if _number(value) is not None))
    metrics = [word if word in there else ALIASES.get(word, word) for word in words]
    if not metrics:
        raise SearchError(f"Expected metrics among {there}. Received: none")
    for metric in metrics:
        if metric not in there:
            raise SearchError(f"Expected metrics among {there}. Received: {metric}")
        if metrics.count(metric) > 1:
            raise SearchError(f"Expected each metric once. Received: {metric} twice")
    return metrics


def pareto_front(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> list[int]:
    """The rows that no other row dominates: is at least as good as in all metrics, and better in one.

    Args:
        rows: metrics by name; rows without all of them take no part.
        metrics: which count, at least one; see `is_maximised`.

    Returns:
        Positions of the rows, the best of the first metric first, then of the second, …, then in the order given. Rows
        that are equal in all metrics dominate each other not, so all of them are there.

    Example:
        >>> points = [(9, 80.0), (5, 70.0), (9, 85.0), (7, 60.0), (5, 70.0)]
        >>> pareto_front([{"parameters": p, "accuracy": a} for p, a in points], ["parameters", "accuracy"])
        [1, 4, 2]
    """
    points: list[tuple[tuple[float, ...], int]] = []
    for position, row in enumerate(rows):
        values = [_number(row.get(metric)) for metric in metrics]
        known = [value for value in values if value is not None]
        if len(known) == len(metrics):
            signs = [-1 if is_maximised(metric) else 1 for metric in metrics]
            points.append((tuple(sign * value for sign, value in zip(signs, known, strict=True)), position))
    front: list[tuple[tuple[float, ...], int]] = []
    for costs, position in sorted(points):  # what dominates a point comes before it
        if not any(other != costs and all(map(float.__le__, other, costs)) for other, _ in front):
            front.append((costs, position))
    return [position for _, position in front]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
