"""`automl-cells search`, `trials`, `best`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import error_console, say, table
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from automl_cells.search.trials import Trial

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a search.")]


def search(
    dataset: options.Data,
    out: Annotated[Path, typer.Option(help="The run folder.")],
    space: Annotated[str, typer.Option(help="Search space: blockqnn, nasnet, metaqnn.")] = "blockqnn",
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Search strategy: q_learning, q_learning_metaqnn, q_learning_fast, ppo, evolution, random. "
            "[default: q_learning, for metaqnn q_learning_metaqnn]",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="Distinct candidates to train.")] = 24,
    budget: Annotated[str | None, typer.Option(help="Start nothing new after this time, e.g. 20m.")] = None,
    trial_time_limit: Annotated[
        str | None, typer.Option(help="Give a candidate up as failed after this time, e.g. 10m.")
    ] = None,
    trial_memory_limit: Annotated[
        int | None, typer.Option(metavar="MIB", help="Give a candidate up as failed above so many MiB.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Candidates trained at once.")] = 1,
    executor: Annotated[str, typer.Option(help="processes, or serial (in this process).")] = "processes",
    max_params: Annotated[
        int | None, typer.Option(help="Most trainable parameters of a candidate. [default: the template's]")
    ] = None,
    max_flops: Annotated[
        int | None, typer.Option(help="Most multiply-adds of a candidate. [default: the template's]")
    ] = None,
    reward: Annotated[
        str | None, typer.Option(help="accuracy, blockqnn_early_stop. [default: that of the space's paper]")
    ] = None,
    template: options.Template = None,
    repeats: Annotated[
        int | None, typer.Option(help="N of the small network, not for chains. [default: 1]", show_default=False)
    ] = None,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="F,F,F",
            help="Filters of each of its stages, not for chains. [default: half the template's, for cells a quarter]",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="How a candidate is trained: blockqnn, nasnet, nasnet_no_flip, metaqnn, metaqnn_no_flip. "
            "[default: the paper's; for grey images without mirror images, as coloured digits want it too]",
            show_default=False,
        ),
    ] = None,
    space_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the space, e.g. max_index=10, filter_multiplier=0.125."),
    ] = None,
    strategy_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the strategy, e.g. alpha=0.1.")
    ] = None,
    data_dir: options.DataDir = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
) -> None:
    """Search a block, cell or chain on a data set with small, cheap networks."""
    import automl_cells.search as searching
    from automl_cells.datasets import without_folder
    from automl_cells.search.defaults import defaults
    from automl_cells.search.progress import SearchProgress

    dataset = options.in_directory(dataset, data_dir)
    if executor == "serial":
        from automl_cells.cli.quiet import import_framework

        import_framework()
    try:
        with SearchProgress(trials, error_console()) as progress:
            result = searching.search(
                dataset,
                out=out,
                space=space,
                strategy=strategy,
                trials=trials,
                workers=workers,
                executor=executor,
                template=template,
                repeats=repeats,
                filters=options.integers(filters, "--filters"),
                reward=reward,
                protocol=protocol,
                max_params=max_params,
                max_flops=max_flops,
                seed=seed,
                budget=options.duration(budget),
                trial_time_limit=options.duration(trial_time_limit),
                trial_memory_limit=None if trial_memory_limit is None else trial_memory_limit * 2**20,
                resume=resume,
                space_options=options.assignments(space_option, "--space-option"),
                strategy_options=options.assignments(strategy_option, "--strategy-option"),
                observer=progress,
            )
    except KeyboardInterrupt:
        error_console().print(f"Stopped. What is done is kept: the same command with --resume goes on. ({out})")
        raise
    done = [trial for trial in result.trials if trial.status == "done"]
    failed = sum(trial.status == "failed" for trial in result.trials)
    say(
        f"{len(done)} of {max(trials, len(result.trials))} candidates done, {failed} failed, in {result.seconds:.0f} s."
    )
    if not done:
        raise AutoMLCellsError(f"Expected at least one candidate to succeed. Received: {failed} failures, see {out}")
    _draw(out, f"{strategy or defaults(space).strategy} on {without_folder(dataset)}, space {space}")
    _say_what_was_learnt(done)
    best = result.best
    say(
        f"Best: trial {best.number}, reward {best.reward:.2f}, accuracy {best.metrics['accuracy']:.2f} %, "
        f"{best.metrics['parameters']:,.0f} parameters."
    )
    say(f"  genotype  {out / 'best.json'}")
    say(f"  curve     {out / 'search_curve.svg'}")
    say(f"Next: automl-cells trials {out} · automl-cells show {out / 'best.json'}")


def _say_what_was_learnt(done: list[Trial]) -> None:
    """What the candidates of the first ε earned on average, and those of an ε of at most 0.3: a line, if both exist."""
    from automl_cells.report import mean_rewards

    found = mean_rewards([(trial.info.get("epsilon"), trial.reward) for trial in done])
    if found is not None:
        say(
            f"Mean reward: {found.first:.2f} of {found.first_count} candidates at ε = {found.epsilon:g}, "
            f"{found.last:.2f} of {found.last_count} at ε ≤ {found.threshold:g}."
        )


def _draw(run: Path, title: str) -> None:
    from automl_cells.report import CurvePoint, draw_search_curve
    from automl_cells.search import read_run

    points = [
        CurvePoint(
            trial.number,
            trial.reward,
            trial.metrics.get("accuracy"),
            trial.status == "failed",
            trial.info.get("epsilon"),
        )
        for trial in read_run(run)[1]
    ]
    draw_search_curve(points, run / "search_curve.svg", title)


def trials(
    run: Run,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    sort: Annotated[str, typer.Option(help="A column: large numbers first, texts from a to z.")] = "trial",
) -> None:
    """List every candidate of a search with status, reward, metrics and hash."""
    from automl_cells.search import read_run

    if format not in ("table", "csv", "json"):
        raise AutoMLCellsError(f"Expected --format table, csv or json. Received: {format}")
    rows = [trial.to_row() for trial in read_run(run)[1]]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if sort != "trial":
        if rows and sort not in columns:
            raise AutoMLCellsError(f"Expected --sort by one of {columns}. Received: {sort}")
        rows.sort(key=lambda row: _sort_key(row.get(sort)))
    match format:
        case "json":
            print(json.dumps(rows, indent=1))
        case "csv":
            import csv

            writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        case "table":
            shown = [name for name in columns if name not in ("reference_flops", "train_accuracy")]
            if all(row.get("failure") is None for row in rows):
                shown = [name for name in shown if name != "failure"]
            table(shown, rows)


def _sort_key(value: float | str | None) -> tuple[int, float, str]:
    """Large numbers first, then texts from a to z, then nothing."""
    if isinstance(value, int | float):
        return 0, -value, ""
    return (2, 0, "") if value is None else (1, 0, value)


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
