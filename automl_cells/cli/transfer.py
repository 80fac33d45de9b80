"""`automl-cells transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import error_console, say, table
from automl_cells.cli.entries import shelf_of
from automl_cells.cli.quiet import import_framework
from automl_cells.cli.train import Changes, RecipeWord, Replicas


def transfer(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="RUN|ENTRY",
            help="A search after finetune-top (its best network), a training's folder, or name/tag on the shelf.",
        ),
    ],
    dataset: options.Data,
    out: Annotated[Path, typer.Option(help="The folder for both run folders.")],
    recipe: RecipeWord = "finetune",
    change: Changes = None,
    epochs: Annotated[
        int | None, typer.Option(help="Of the whole network, other than the recipe's.", show_default=False)
    ] = None,
    head_epochs: Annotated[
        int, typer.Option(help="Of the new classifier alone, before; from scratch as many more of everything.")
    ] = 5,
    body_rate: Annotated[float, typer.Option(help="Factor of the learning rate for all but the classifier.")] = 0.3,
    preprocessing: Annotated[
        str, typer.Option(metavar="body|data", help="Normalise as the entry does, or by the new images.")
    ] = "body",
    shelf: options.Shelf = None,
    replicas: Replicas = None,
    data_dir: options.DataDir = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
) -> None:
    """Train a network of one data set on another, from scratch and fine-tuned, and compare."""
    from automl_cells.datasets import load
    from automl_cells.training import recipe as make_recipe
    from automl_cells.zoo.transferring import source_entry
    from automl_cells.zoo.transferring import transfer as run_transfer

    entry = source_entry(source, None if shelf is None else shelf_of(shelf))
    changes = options.assignments(change, "--set") | ({} if epochs is None else {"epochs": epochs})
    chosen = make_recipe(recipe, **changes)
    data = load(options.in_directory(dataset, data_dir))
    replicas = import_framework(replicas)
    try:
        result = run_transfer(
            entry,
            data,
            out=out,
            recipe=chosen,
            head_epochs=head_epochs,
            body_rate=body_rate,
            preprocessing=preprocessing,
            seed=seed,
            replicas=replicas,
            progress=error_console(),
            resume=resume,
        )
    except KeyboardInterrupt:
        error_console().print(f"Stopped. What is done is kept: the same command with --resume goes on. ({out})")
        raise
    rows = [
        {
            "start": name.replace("_", " "),
            "test error %": found.metrics["test_error"],
            "epochs": found.metrics["epochs"],
            "seconds": found.metrics["seconds"],
            "run": str(found.out),
        }
        for name, found in zip(result._fields, result, strict=True)
    ]
    say(f"{entry.name} ({entry.document.dataset.name}) on {data.name}:")
    table(list(rows[0]), rows)
