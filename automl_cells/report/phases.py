"""The phases of an ε-greedy schedule, and which of them share a label in a plot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple


class Phase(NamedTuple):
    """Neighbouring trials with the same ε, or several such phases under one label: from `first` to `last`."""

    first: int
    last: int
    label: str


def phases(schedule: Sequence[tuple[int, float | None]], letters: float) -> list[list[Phase]]:
    """The phases of the ε schedule, and the groups of neighbours that must share a label.

    Args:
        schedule: ``(trial, ε)`` pairs in the order of the trials, at least one.
        letters: how many letters of a label fit over the whole width.

    Returns:
        Groups of phases; the label of a group is that of its phases, or their range if they are several.
    """
    width = schedule[-1][0] - schedule[0][0] + 1
    runs: list[Phase] = []
    for epsilon, run in groupby(schedule, key=lambda pair: pair[1]):
        numbers = [trial for trial, _ in run]
        if epsilon is not None:
            label = f"{epsilon:.3g}" if epsilon % 1 else f"{epsilon:.1f}"
            runs.append(Phase(numbers[0], numbers[-1], label))
    groups = [[run] for run in runs]

    def room(group: list[Phase]) -> float:
        return (group[-1].last - group[0].first + 1) / width * letters - len(phase_label(group)) - 1

    while len(groups) > 1 and (tight := [number for number, group in enumerate(groups) if room(group) < 0]):
        # The tightest group joins the neighbour with the least room, so that wide phases keep their own labels.
        number = min(tight, key=lambda spot: room(groups[spot]))
        beside = [spot for spot in (number - 1, number + 1) if 0 <= spot < len(groups)]
        other = min(beside, key=lambda spot: room(groups[spot]))
        groups[min(number, other) : max(number, other) + 1] = [groups[min(number, other)] + groups[max(number, other)]]
    return groups


def phase_label(group: Sequence[Phase]) -> str:
    """``ε=1.0``, or ``ε=0.9–0.1`` for neighbours that share a label."""
    first, last = group[0].label, group[-1].label
    return f"ε={first}" if first == last else f"ε={first}–{last}"
