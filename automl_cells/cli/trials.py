"""`automl-cells trials`, `best`: what a search has tried."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_cells.cli.console import output_console, say, table_of
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from automl_cells.search.trials import Trial

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a search.")]

_NUMBER = "trial"
_NOT_IN_TABLES = ("reference_flops", "train_accuracy")
_ALWAYS = (_NUMBER, "status", "reward", "accuracy", "parameters", "failure", "hash")  # however narrow the terminal is


def trials(
    run: Run,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    sort: Annotated[str, typer.Option(help="A column: large numbers first, texts from a to z.")] = _NUMBER,
    pareto: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC,…",
            help="Only the candidates that no other beats in all of these, e.g. params,accuracy, sorted by the first. "
            "Of reward and accuracy more is better, of all else less.",
        ),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Draw the candidates by the two metrics of --pareto into this file.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the search until it is done or Ctrl-C is pressed.")
    ] = False,
) -> None:
    """List every candidate of a search with status, reward, metrics and hash."""
    from automl_cells.search import read_run

    if format not in ("table", "csv", "json"):
        raise AutoMLCellsError(f"Expected --format table, csv or json. Received: {format}")
    if svg is not None and pareto is None:
        raise AutoMLCellsError(f"Expected --svg with --pareto METRIC,METRIC. Received: {svg} without")
    if sort != _NUMBER and pareto is not None:
        raise AutoMLCellsError(f"Expected --pareto without --sort, since its first metric sorts. Received: {sort}")
    if watch:
        if format != "table" or pareto is not None:
            other = "--pareto" if pareto is not None else f"--format {format}"
            raise AutoMLCellsError(f"Expected --watch alone or with --sort. Received: {other}")
        _sorted([trial.to_row() for trial in read_run(run)[1]], sort)  # an unknown column is refused at once
        _watch(run, sort)
        return
    found, asked = read_run(run)[1], [sort]
    if pareto is not None:
        found, asked = _front(run, found, pareto, svg)
    _print(_sorted([trial.to_row() for trial in found], sort), format, asked)


def _sorted(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """The rows by a column, or as they are.

    Raises:
        AutoMLCellsError: no row has that column.
    """
    if column == _NUMBER:
        return rows
    columns = _columns(rows)
    if rows and column not in columns:
        raise AutoMLCellsError(f"Expected --sort by one of {columns}. Received: {column}")
    return sorted(rows, key=lambda row: _sort_key(row.get(column)))


def _sort_key(value: float | str | None) -> tuple[int, float, str]:
    """Large numbers first, then texts from a to z, then nothing."""
    if isinstance(value, int | float):
        return 0, -value, ""
    return (2, 0, "") if value is None else (1, 0, value)


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _table(rows: Sequence[dict[str, Any]], console: Console, asked: Sequence[str]) -> Table:
    """The rows with as many columns as fit; those asked for stay, of the others the last ones go first."""
    hidden = {*_NOT_IN_TABLES, *(["failure"] if all(row.get("failure") is None for row in rows) else [])} - {*asked}
    columns = [name for name in _columns(rows) if name not in hidden]
    unbounded = console.options.update(width=10_000)
    for name in [name for name in reversed(columns) if name not in (*_ALWAYS, *asked)]:
        if console.measure(table_of(columns, rows), options=unbounded).maximum <= console.width:
            break
        columns.remove(name)
    return table_of(columns, rows)


def _print(rows: list[dict[str, Any]], format: str, asked: Sequence[str]) -> None:
    match format:
        case "json":
            print(json.dumps(rows, indent=1))
        case "csv":
            import csv

            writer = csv.DictWriter(sys.stdout, _columns(rows), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        case "table" if not rows:
            say("No candidate yet.")
        case "table":
            console = output_console()
            console.print(_table(rows, console, asked))


def _front(run: Path, found: list[Trial], words: str, svg: Path | None) -> tuple[list[Trial], list[str]]:
    """The candidates that no other beats, and the metrics.

    One whose training was stopped early takes no part: its accuracy is a guess.

    Raises:
        AutoMLCellsError: no candidate is done, or an unknown metric.
    """
    from automl_cells.report import draw_pareto_front, metrics_of, pareto_front

    done = [trial for trial in found if trial.status == "done" and not trial.stopped]
    if not done:
        raise AutoMLCellsError(f"Expected a search with at least one candidate done. Received: {run} without any")
    rows = [{"reward": trial.reward, **trial.metrics, "seconds": trial.seconds} for trial in done]
    metrics = metrics_of([word.strip() for word in words.split(",") if word.strip()], rows)
    if svg is not None:
        numbered = [{_NUMBER: trial.number, **row} for trial, row in zip(done, rows, strict=True)]
        draw_pareto_front(numbered, metrics, svg, f"{run.resolve().name}: {metrics[0]} against {metrics[-1]}")
    return [done[position] for position in pareto_front(rows, metrics)], metrics


def _watch(run: Path, sort: str) -> None:
    from automl_cells.cli.watch import watch

    console = output_console()

    def draw(found: Sequence[Trial], fit: int) -> Table:
        rows = [trial.to_row() for trial in found]
        rows = rows[-fit:] if sort == _NUMBER else _sorted(rows, sort)[:fit]  # the newest, or the first
        return _table(rows, console, [sort])

    watch(run, draw, console)


def best(
    run: Run,
    out: Annotated[Path | None, typer.Option(help="Write the genotype to this file.")] = None,
) -> None:
    """Print (or write) the genotype of the largest reward."""
    from automl_cells.cli.entries import best_of
    from automl_cells.genotypes import dumps, write

    genotype, origin = best_of(run)
    if out is None:
        print(dumps(genotype, origin), end="")
    else:
        write(genotype, out, origin)
        say(f"Trial {origin['trial']}, reward {origin['reward']['value']:.2f}: {out}")
