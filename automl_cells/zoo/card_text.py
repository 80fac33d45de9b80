"""How a card writes values: numbers with their units, words without Markdown in them, what is not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

UNKNOWN = "not known"


def named(value: Any) -> str:
    """A word of the provenance, or a name with its value or options."""
    if not isinstance(value, Mapping):
        return text(UNKNOWN if value is None else value)
    name, measured = text(value.get("name", UNKNOWN)), number(value.get("value"))
    if measured is not None:
        return f"{measured:.6g} ({name})"
    options = value.get("options")
    return f"{name}, options {text(json.dumps(options))}" if options else name


def number(value: Any) -> float | None:
    """`value` if it is a number."""
    wanted = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if wanted else None


def decimal(value: Any) -> str:
    """With two places."""
    return _written(value, "{:.2f}")


def small(value: Any) -> str:
    """With an exponent."""
    return _written(value, "{:.1e}")


def percent(value: Any) -> str:
    """A value that is in per cent already."""
    return _written(value, "{:.2f} %")


def seconds(value: Any) -> str:
    """In whole seconds."""
    return _written(value, "{:,.0f} s")


def count(value: Any) -> str:
    """A whole number, or the word that stands for it."""
    return text(UNKNOWN if value is None else value) if number(value) is None else _written(value, "{:,.0f}")


def floats(values: tuple[float, ...]) -> str:
    """Numbers in a row."""
    return ", ".join(f"{value:.6g}" for value in values)


def text(value: Any, length: int = 300) -> str:
    """`value` on one line, without characters that Markdown would take for a table, code or HTML."""
    return " ".join("".join(c if c.isprintable() and c not in "|`<>[]" else " " for c in str(value)).split())[:length]


def _written(value: Any, form: str) -> str:
    found = number(value)
    return UNKNOWN if found is None else form.format(found)
