"""`automl-cells train` and `finetune-top`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from automl_cells.cli import options
from automl_cells.cli.console import command_line, error_console, say, table
from automl_cells.cli.export import images_words
from automl_cells.cli.quiet import import_framework

RecipeWord = Annotated[
    str, typer.Option(metavar="R", help="A recipe (plain, fast, blockqnn_cifar, …: see docs/training.md), or a file.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the recipe; may be given several times."),
]
Replicas = Annotated[
    int | None,
    typer.Option(help="Devices that share each batch. [default: all GPUs, or 1]", show_default=False),
]


def train(
    genotype: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE", help="A genotype file or name, a chain (C(64,3,1),SM), or the folder of a search."
        ),
    ],
    dataset: options.Data,
    out: Annotated[Path, typer.Option(help="The run folder.")],
    recipe: RecipeWord = "plain",
    change: Changes = None,
    epochs: Annotated[int | None, typer.Option(help="Other than the recipe's.", show_default=False)] = None,
    template: options.Template = None,
    repeats: options.Repeats = None,
    filters: options.Filters = None,
    filter_multiplier: options.FilterMultiplier = None,
    penultimate: options.Penultimate = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the zoo entry. [default: kind and hash]", show_default=False)
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Tag of the zoo entry. [default: the data set]", show_default=False)
    ] = None,
    replicas: Replicas = None,
    data_dir: options.DataDir = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
) -> None:
    """Train a network fully; its zoo entry is left in RUN/entry."""
    from automl_cells.builder import template as make_template
    from automl_cells.cli.entries import genotype_of
    from automl_cells.datasets import load
    from automl_cells.genotypes.ensemble import template_kind
    from automl_cells.training import recipe as make_recipe

    found, origin = genotype_of(genotype)
    changes = options.assignments(change, "--set") | ({} if epochs is None else {"epochs": epochs})
    chosen = make_recipe(recipe, **changes)
    dataset = options.in_directory(dataset, data_dir)
    data = load(dataset)
    options.classes_of(origin, data.classes, f"the classes of {dataset}")
    frame = make_template(
        template,
        kind=template_kind(found),
        repeats=repeats,
        filters=options.stage_filters(found, filters, penultimate, filter_multiplier),
        filter_multiplier=filter_multiplier,
        input_shape=data.input_shape,
        classes=data.classes,
    )
    replicas = import_framework(replicas)
    from automl_cells.training import train as run_training

    try:
        result = run_training(
            found,
            data,
            frame,
            chosen,
            out=out,
            name=name,
            tag=tag,
            provenance=origin,
            seed=seed,
            replicas=replicas,
            progress=error_console(),
            resume=resume,
        )
    except KeyboardInterrupt:
        error_console().print(f"Stopped. What is done is kept: the same command with --resume goes on. ({out})")
        raise
    _report(result.metrics, result.entry)
    say(f"Next: {command_line('zoo', 'publish', out, *images_words(dataset), '--to', 'STORE')}")
    say(f"      {_exporting(out, dataset)}")


def _exporting(run: Path, dataset: str) -> str:
    return command_line("export", run, "--format", "onnx", *images_words(dataset), "--out", "DIR")


def _report(metrics: Mapping[str, Any], entry: Path) -> None:
    say(
        f"Test accuracy {metrics['test_accuracy']:.2f} % on {metrics['test_images']} images never seen before; "
        f"{metrics['parameters']:,} parameters, {metrics['epochs']} epochs in {metrics['seconds']:.0f} s."
    )
    say(f"  entry     {entry}")


def finetune_top(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a search.")],
    top: Annotated[int, typer.Option(help="How many of the best to train.")] = 10,
    recipe: RecipeWord = "plain",
    change: Changes = None,
    epochs: Annotated[int | None, typer.Option(help="Other than the recipe's.", show_default=False)] = None,
    dataset: Annotated[str | None, typer.Option(help="Other data than the search's.", show_default=False)] = None,
    repeats: Annotated[
        int | None, typer.Option(help="N, not for chains. [default: the search's]", show_default=False)
    ] = None,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="F,F,F", help="Filters of each stage, not for chains. [default: the search's]", show_default=False
        ),
    ] = None,
    filter_multiplier: options.FilterMultiplier = None,
    seed: options.Seed = 0,
) -> None:
    """Train the best candidates of a search fully, in RUN/top; run it again to go on where it stopped.

    Sizes that are not given are those of the search's own small network.
    """
    from automl_cells.search import read_run
    from automl_cells.training import recipe as make_recipe

    read_run(run)  # a wrong folder is refused before the framework is imported
    changes = options.assignments(change, "--set") | ({} if epochs is None else {"epochs": epochs})
    chosen = make_recipe(recipe, **changes)
    import_framework()
    from automl_cells.training.top import train_top

    console = error_console()
    results = train_top(
        run,
        top,
        chosen,
        dataset=dataset,
        repeats=repeats,
        filters=options.integers(filters, "--filters"),
        filter_multiplier=filter_multiplier,
        seed=seed,
        progress=console,
        announce=lambda rank, trial: console.print(
            f"{rank}/{top}: trial {trial.number}, reward {trial.reward:.2f}", highlight=False
        ),
    )
    rows = [
        {
            "trial": result.trial.number,
            "reward": result.trial.reward,
            "validation %": result.metrics["validation_accuracy"],
            "test %": result.metrics["test_accuracy"],
            "parameters": float(result.metrics["parameters"]),
            "run": str(result.out),
        }
        for result in results
    ]
    table(list(rows[0]), rows)
    how = "reward in the search" if results[0].metrics["validation_accuracy"] is None else "validation"
    say(f"Best by {how}: {results[0].out}")
    if len(results) > 1:
        say(f"Next: {command_line('ensemble', run, '--top', len(results))}")


def ensemble(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a search, after finetune-top.")],
    top: Annotated[int, typer.Option(help="How many of the best to average.")] = 5,
    dataset: Annotated[
        str | None, typer.Option(help="The data. [default: what the networks were trained on]", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder. [default: RUN/ensemble]", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the zoo entry. [default: kind and hash]", show_default=False)
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Tag of the zoo entry. [default: the networks']", show_default=False)
    ] = None,
) -> None:
    """Average the best trained networks of a search in one network; its zoo entry is left in RUN/ensemble/entry."""
    from automl_cells.search import read_run

    read_run(run)
    import_framework()
    from automl_cells.training import ensemble as make_ensemble
    from automl_cells.training.ensembling import trained_on

    result = make_ensemble(run, top, out=out, dataset=dataset, name=name, tag=tag)
    metrics = result.metrics
    rows = [
        {
            "trial": member["trial"],
            "reward": member["reward"],
            "validation %": member["validation_accuracy"],
            "test %": member["test_accuracy"],
            "parameters": float(member["parameters"]),
        }
        for member in metrics["members"]
    ]
    table(list(rows[0]), rows)
    best = max(member["test_accuracy"] for member in metrics["members"])
    say(
        f"Ensemble of {top}: test accuracy {metrics['test_accuracy']:.2f} % on {metrics['test_images']} images "
        f"(the networks alone {best:.2f} % at best); {metrics['parameters']:,} parameters."
    )
    say(f"  entry     {result.entry}")
    say(f"Next: {_exporting(result.out, trained_on(run) if dataset is None else dataset)}")
