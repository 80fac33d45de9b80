"""`automl-cells zoo publish` and `zoo pull`: what moves entries between runs, shelves and stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_cells.cli.console import say
from automl_cells.cli.quiet import import_framework


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training.")],
    to: Annotated[Path, typer.Option(help="The shelf.")],
    name: Annotated[str | None, typer.Option(help="Another name.", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(help="Another tag.", show_default=False)] = None,
) -> None:
    """Put a trained model on a shelf as the next version of its name and tag."""
    from automl_cells.zoo import Shelf
    from automl_cells.zoo.locate import resolve

    resolve(run)  # a wrong folder is refused before the framework is imported
    import_framework()  # a shelf takes only what loads
    publication = Shelf(to).publish(run, name=name, tag=tag)
    if publication.created:
        say(f"Published {publication.address}: {publication.folder}")
    else:
        say(f"Published before, byte for byte, as {publication.address}: {publication.folder}")
    say(f"Next: automl-cells zoo build {publication.address} --shelf {to}")
