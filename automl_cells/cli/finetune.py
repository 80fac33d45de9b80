"""`automl-cells finetune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import command_line, error_console, say
from automl_cells.cli.entries import shelf_of
from automl_cells.cli.export import images_words
from automl_cells.cli.quiet import import_framework
from automl_cells.cli.train import Changes, RecipeWord, Replicas


def finetune(
    entry: Annotated[
        str,
        typer.Argument(metavar="ENTRY", help="name, name/tag, name/tag-vN on the shelf, or a training's folder."),
    ],
    dataset: options.Data,
    out: Annotated[Path, typer.Option(help="The run folder.")],
    recipe: RecipeWord = "finetune",
    change: Changes = None,
    epochs: Annotated[
        int | None, typer.Option(help="Of the whole network, other than the recipe's.", show_default=False)
    ] = None,
    head_epochs: Annotated[int, typer.Option(help="Of the new classifier alone, before.")] = 5,
    body_rate: Annotated[float, typer.Option(help="Factor of the learning rate for all but the classifier.")] = 0.3,
    batch_norm: Annotated[
        str, typer.Option(metavar="adapt|frozen", help="Whether its statistics follow the new images.")
    ] = "adapt",
    preprocessing: Annotated[
        str, typer.Option(metavar="body|data", help="Normalise as the entry does, or by the new images.")
    ] = "body",
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Random weights, as many epochs in all: for comparison.")
    ] = False,
    shelf: options.Shelf = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the new entry. [default: the old one's at the same image size, else kind and hash]",
            show_default=False,
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Tag of the new entry. [default: the data set]", show_default=False)
    ] = None,
    replicas: Replicas = None,
    data_dir: options.DataDir = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
) -> None:
    """Fine-tune a pretrained network on other images and classes; the new zoo entry is left in RUN/entry."""
    from automl_cells.datasets import load
    from automl_cells.training import recipe as make_recipe
    from automl_cells.zoo import resolve
    from automl_cells.zoo.finetune import finetune as run_finetuning

    place = shelf_of(shelf)
    found = resolve(entry, place)
    changes = options.assignments(change, "--set") | ({} if epochs is None else {"epochs": epochs})
    chosen = make_recipe(recipe, **changes)
    dataset = options.in_directory(dataset, data_dir)
    data = load(dataset)
    replicas = import_framework(replicas)
    try:
        result = run_finetuning(
            found,
            data,
            out=out,
            recipe=chosen,
            head_epochs=head_epochs,
            body_rate=body_rate,
            batch_norm=batch_norm,
            preprocessing=preprocessing,
            from_scratch=from_scratch,
            name=name,
            tag=tag,
            seed=seed,
            replicas=replicas,
            progress=error_console(),
            resume=resume,
        )
    except KeyboardInterrupt:
        error_console().print(f"Stopped. What is done is kept: the same command with --resume goes on. ({out})")
        raise
    metrics = result.metrics
    say(
        f"Test accuracy {metrics['test_accuracy']:.2f} % on {metrics['test_images']} images never seen before; "
        f"{metrics['training_images']} images trained on, {metrics['epochs']} epochs in {metrics['seconds']:.0f} s."
    )
    say(f"  entry     {result.entry}")
    say(f"Next: {command_line('zoo', 'publish', out, *images_words(dataset), '--to', 'STORE')}")
