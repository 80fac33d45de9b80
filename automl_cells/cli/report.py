"""`automl-cells report`: a search as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_cells.cli.console import say
from automl_cells.cli.trials import Run
from automl_cells.errors import AutoMLCellsError


def report(
    run: Run,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write; missing folders are made. [default: RUN/report.html]",
            show_default=False,
        ),
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a search as one HTML page, which needs no network: curves, Pareto front, every candidate with its drawing.

    Also while the search runs; run it again for what came since.
    """
    from automl_cells.report.page import read_facts, write_report

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise AutoMLCellsError(f"Expected --out as a file that ends in .html. Received: {out}")
    facts = read_facts(run)
    path = run / "report.html" if out is None else out
    if path.is_dir():
        raise AutoMLCellsError(f"Expected a file that can be written. Received: {path}, a folder")
    try:
        write_report(facts, path)
    except OSError as error:
        raise AutoMLCellsError(
            f"Expected a file that can be written. Received: {path} ({error.strerror or error})"
        ) from None
    say(f"{facts.progress}: {path}")
    if open:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            raise AutoMLCellsError(f"Expected a browser to open {path} in. Received: none on this machine")
