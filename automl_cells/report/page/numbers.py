"""Numbers as a reader of the page sees them."""

from __future__ import annotations

import math
from html import escape

TITLES = {
    "accuracy": "accuracy, %",
    "flops": "multiply-adds",
    "latency_ms": "latency, ms",
    "memory": "memory, bytes",
    "seconds": "seconds",
    "epsilon": "ε",
    "stopped_after": "stopped after",
}
"""Names of columns and axes, where they are not the metric's own."""


_GROUPED = 1e15  # from here on powers of ten are shorter


def text(value: object) -> str:
    """Any text so that HTML shows it as it is: markup escaped, what cannot be printed replaced."""
    return escape("".join(letter if letter.isprintable() else " " for letter in str(value)))


def title(column: str) -> str:
    """The heading of a column, not escaped."""
    return TITLES.get(column, column.replace("_", " "))


def named(column: str, value: object) -> tuple[str, str]:
    """What a value is called, and the value with its unit, neither escaped.

    >>> named("accuracy", 97.2213), named("parameters", 24912)
    (('accuracy', '97.22 %'), ('parameters', '24,912'))
    """
    name, _, unit = title(column).partition(", ")
    return name, f"{number(value)} {unit}".strip()


def number(value: object) -> str:
    """A number with its digits in groups: ``24,912``, ``97.22``; texts as they are, ``None`` as nothing.

    >>> number(24912.0), number(97.2213), number(0.00313), number(None)
    ('24,912', '97.22', '0.0031', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= _GROUPED:
        return f"{value:.4g}"
    if isinstance(value, int) or (value.is_integer() and abs(value) > 100):
        return f"{value:,.0f}"
    if value and abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:,.2f}"


def short(value: float) -> str:
    """A number for an axis: ``25 k``, ``1.2 M``, ``0.05``.

    >>> short(25000), short(1200000.0), short(97.5), short(0.05)
    ('25k', '1.2M', '97.5', '0.05')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 05 min``.

    >>> duration(0.31), duration(42), duration(200), duration(7500)
    ('0.31 s', '42 s', '3 min 20 s', '2 h 05 min')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02} min"
