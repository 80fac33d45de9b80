"""What the commands print: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def say(text: str = "") -> None:
    """Print one line of result."""
    print(text, flush=True)


def command_line(*words: object) -> str:
    """An ``automl-cells`` command as it is typed, quoted where a shell needs it."""
    return shlex.join(("automl-cells", *map(str, words)))


def printable(text: str) -> str:
    """`text` without characters that a terminal would obey; lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def error_console() -> Console:
    """The console for progress."""
    from rich.console import Console

    return Console(stderr=True)


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table that fits a terminal; a hash is shortened, numbers are rounded."""
    output_console().print(table_of(columns, rows))


def output_console() -> Console:
    """The console for results; where they go to no terminal, lines may be long."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=200)


def table_of(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    """What `table` prints."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        numeric = any(isinstance(row.get(column), int | float) for row in rows)
        shown.add_column(column, justify="right" if numeric else "left", no_wrap=column not in ("failure", "changes"))
    for row in rows:
        shown.add_row(*[escape(_cell(column, row.get(column))) for column in columns])
    return shown


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "hash":
        return str(value).removeprefix("sha256:")[:8]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) > 100 else f"{value:.2f}"
    return str(value)
