"""Every candidate of a search as a row, and the same columns as data for the page's script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.numbers import number, text, title
from automl_cells.search.trials import Trial

_FIRST = ("trial", "status", "reward", "accuracy", "parameters", "flops", "memory", "latency_ms", "density", "seconds")
_LAST = ("repeats", "hash", "note")
_LEFT_OUT = ("reference_flops", "train_accuracy", "failure", "stopped_after")  # the last two are in the note
_HASH_LETTERS = 8


class Columns:
    """The table of a search by columns.

    Attributes:
        names: of the columns that have a value in any row.
        rows: values by name, one mapping a trial.
    """

    def __init__(self, facts: RunFacts) -> None:
        self.rows: list[Mapping[str, Any]] = [_row(trial, facts) for trial in facts.trials]
        there = dict.fromkeys(name for row in self.rows for name, value in row.items() if value is not None)
        others = [name for name in there if name not in (*_FIRST, *_LAST, *_LEFT_OUT)]
        self.names = [name for name in (*_FIRST, *others, *_LAST) if name in there]

    def numeric(self, name: str) -> bool:
        """Whether a column holds numbers."""
        return any(isinstance(row.get(name), int | float) for row in self.rows)

    def data(self) -> dict[str, list[Any]]:
        """The values by column, ``None`` where a trial has none."""
        return {name: [row.get(name) for row in self.rows] for name in self.names}

    def html(self) -> str:
        """Head and body of the table."""
        heads = "".join(
            f"<th scope=col{'' if self.numeric(name) else ' class=words'}"
            f'{" aria-sort=ascending" if name == "trial" else ""} data-column="{text(name)}">{text(title(name))}'
            for name in self.names
        )
        body = "".join(self._line(row) for row in self.rows)
        return f"<thead><tr>{heads}</thead><tbody>{body}</tbody>"

    def _line(self, row: Mapping[str, Any]) -> str:
        cells = []
        for name in self.names:
            value = row.get(name)
            if name == "trial":
                cells.append(f"<th scope=row>{value}")
            elif name == "status":
                kind = text(value).replace(" ", "-")
                cells.append(f'<td class=words><span class="status {kind}">{text(value)}</span>')
            elif name == "hash":
                cells.append(f'<td class=words><code title="{text(value)}">{text(value)[7 : 7 + _HASH_LETTERS]}</code>')
            elif isinstance(value, int | float):
                cells.append(f"<td>{number(value)}")
            else:
                cells.append(f'<td class="words{" note" if name == "note" else ""}">{text(number(value))}')
        return f'<tr id="trial-{row["trial"]}">{"".join(cells)}'


def _row(trial: Trial, facts: RunFacts) -> dict[str, Any]:
    row = {name: value for name, value in trial.to_row().items() if name not in _LEFT_OUT}
    if not facts.running and trial.status in ("proposed", "running"):
        row["status"] = "interrupted"
    elif trial.stopped:
        row["status"] = "stopped early"
    notes: Sequence[str | None] = [
        trial.failure,
        f"after {trial.stopped_after} epochs" if trial.stopped else None,
    ]
    row["note"] = "; ".join(note for note in notes if note) or None
    return row
