"""Fills the template of the page: all texts of a run are escaped, and the page's policy allows no network."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from automl_cells.files import write_atomically
from automl_cells.genotypes import dumps
from automl_cells.report.page.candidate_table import Columns
from automl_cells.report.page.commands import commands
from automl_cells.report.page.cost_table import cost_table
from automl_cells.report.page.drawings import CHUNK, drawing, drawing_style, packed
from automl_cells.report.page.epsilon_table import epsilon_table
from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.front_table import front_table
from automl_cells.report.page.learning_chart import curve_of, learning_chart
from automl_cells.report.page.numbers import named, text, title
from automl_cells.report.page.search_chart import search_chart
from automl_cells.report.page.summary import header, summary
from automl_cells.report.page.troubles import troubles
from automl_cells.report.pareto import is_maximised
from automl_cells.search.api import provenance

_ASSETS = Path(__file__).parent / "assets"
_STYLES = ("page.css", "charts.css", "tables.css")
_SCRIPTS = (
    "base.js",
    "theme.js",
    "copy.js",
    "drawings.js",
    "dialog.js",
    "table.js",
    "gallery.js",
    "marks.js",
    "front.js",
)
_NO_AXES = ("trial", "epsilon", "repeats", "reference_flops", "density")  # numbers that nobody trades off


def write_report(facts: RunFacts, out: str | Path | None = None) -> Path:
    """Write the report of a search.

    Args:
        facts: see `read_facts`.
        out: where to write; by default ``report.html`` in the run folder. Written beside its place, then renamed.

    Returns:
        Where it was written.

    Raises:
        OSError: the page cannot be written.
    """
    path = facts.run / "report.html" if out is None else Path(out)
    write_atomically(path, render(facts))
    return path


def render(facts: RunFacts) -> str:
    """The page: HTML with its style sheets, scripts, pictures and data in it."""
    style = "\n".join(_asset(name) for name in _STYLES)
    if facts.trials:
        style += drawing_style(facts.trials[0].genotype)
    script = '"use strict";\n' + "\n".join(f"(() => {{\n{_asset(name)}}})();" for name in _SCRIPTS)
    columns = Columns(facts)
    return Template(_asset("page.html")).substitute(
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; "
        "form-action 'none'",
        title=text(f"{facts.name}: search report"),
        style=style,
        script=script,
        data=_json(_data(facts, columns)),
        header=header(facts),
        summary=summary(facts),
        search_chart=search_chart(facts),
        epsilon=_section("epsilon", "Mean per ε", epsilon_table(facts)),
        front_table=front_table(facts),
        learning_chart=learning_chart(facts),
        cost=cost_table(facts),
        troubles=troubles(facts),
        best=_best(facts),
        table=columns.html(),
        count=len(facts.trials),
        commands=_commands(facts),
        settings=text_lines(json.dumps(facts.public_settings, indent=1, ensure_ascii=False)),
        written=datetime.fromtimestamp(facts.written, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def text_lines(words: str) -> str:
    """Escaped text whose lines stay."""
    return "\n".join(map(text, words.split("\n")))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    """The source expression by which a policy allows an element of just this content."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _json(document: Any) -> str:
    """JSON that ends no script element, whatever texts are in it."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _data(facts: RunFacts, columns: Columns) -> dict[str, Any]:
    """What the script needs: columns of the table, packed drawings, which metrics can be axes of the front."""
    axes = [
        {"name": name, "title": title(name), "maximised": is_maximised(name)}
        for name in columns.names
        if name not in _NO_AXES and columns.numeric(name)
    ]
    return {
        "columns": columns.data(),
        "axes": axes,
        "guesses": [trial.number for trial in facts.stopped],
        "chunk": CHUNK,
        "packed": packed(facts.trials, [curve_of(trial) for trial in facts.trials]),
    }


def _section(identifier: str, heading: str, content: str) -> str:
    if not content:
        return ""
    return (
        f'<section class=card id={identifier} aria-labelledby="{identifier}-heading">'
        f'<h2 id="{identifier}-heading">{heading}</h2>{content}</section>'
    )


def _best(facts: RunFacts) -> str:
    """The drawing of the best candidate, and its genotype to copy."""
    best = facts.best
    if best is None:
        return '<p class="none">No candidate is done yet.</p>'
    complete = {"space", "strategy", "dataset", "template", "protocol", "seed", "reward"}
    origin = provenance(facts.settings, best, facts.trials) if complete <= facts.settings.keys() else {}
    known = {"trial": str(best.number), "reward": best.reward, **best.metrics, "seconds": best.seconds, **best.info}
    pairs = [
        named(name, value)
        for name, value in known.items()
        if name not in ("reference_flops", "density") and isinstance(value, int | float | str)
    ]
    facts_of_best = "".join(f"<span><dt>{text(name)}</dt><dd>{text(value)}</dd></span>" for name, value in pairs)
    return (
        f'<div class="drawing scroll" tabindex=0 role=region aria-label="Drawing of the best genotype">'
        f"{drawing(best.genotype)}</div><dl class=facts>{facts_of_best}</dl>"
        '<div class=row><button type=button class="copy js" data-copies=best-genotype>Copy the genotype</button>'
        f'<button type=button class="js" data-opens="{best.number}">Details</button></div>'
        "<details><summary>The genotype as a file</summary><pre id=best-genotype tabindex=0>"
        f"{text_lines(dumps(best.genotype, origin).rstrip())}</pre></details>"
    )


def _commands(facts: RunFacts) -> str:
    items = "".join(
        f"<li><p>{text(command.purpose)}</p><div class=command>"
        f"<code id=command-{place} tabindex=0>{text(command.line)}</code>"
        f'<button type=button class="copy js" data-copies=command-{place} '
        f'aria-label="Copy: {text(command.purpose)}">Copy</button></div>'
        for place, command in enumerate(commands(facts))
    )
    return f"<ol class=commands>{items}</ol>"
