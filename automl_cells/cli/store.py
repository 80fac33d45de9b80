"""`automl-cells zoo publish` and `zoo pull`: what moves entries between runs, shelves and stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli.console import command_line, error_console, say
from automl_cells.cli.export import ImagesOption, images_of, images_words, watching
from automl_cells.cli.quiet import import_framework
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from automl_cells.datasets import Dataset
    from automl_cells.zoo import Entry


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training.")],
    to: Annotated[str, typer.Option(metavar="STORE", help="A folder, or s3://, gs://, hf:// …")],
    name: Annotated[str | None, typer.Option(help="Another name.", show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(help="Another tag.", show_default=False)] = None,
    version: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Refuse any other version.", show_default=False)
    ] = None,
    changes: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What changed since the version before.", show_default=False)
    ] = None,
    derived: Annotated[
        bool, typer.Option("--derived", help="Upload the files that zoo build made of RUN too (to a store).")
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="SEARCH", help="A random search to compare the one of RUN with.", show_default=False),
    ] = None,
    dataset: ImagesOption = None,
    exports: Annotated[
        bool, typer.Option("--exports/--no-exports", help="Measure how exports agree with Keras, for the card.")
    ] = True,
) -> None:
    """Put a trained model on a shelf as the next version of its name and tag.

    Its card states how exports agree with Keras on images of the data set it learnt, if they are at hand.
    """
    from automl_cells.zoo import Entry, RemoteShelf, open_shelf
    from automl_cells.zoo.address import check_word
    from automl_cells.zoo.publishing import changes_line
    from automl_cells.zoo.shelf import entry_folder

    shelf = open_shelf(to)
    if derived and not isinstance(shelf, RemoteShelf):
        raise AutoMLCellsError(
            f"Expected --derived with a store; zoo build --shelf {to} makes them. Received: a folder"
        )
    entry = Entry.read(entry_folder(run))  # a wrong folder is refused before the framework is imported
    # what can be refused at once is, before anything is measured and written into the run
    check_word(name or entry.name, "name")
    check_word(tag or entry.tag, "tag")
    changes_line(changes)
    data = images_of(dataset)
    import_framework()  # a shelf takes only what loads
    if entry.manifest is None:
        _prove(entry, baseline, exports, data)
    if isinstance(shelf, RemoteShelf):
        with _shown("publishing") as progress:
            publication = shelf.publish(run, name, tag, version, changes, progress)
            if derived:
                shelf.add_derived(entry, publication.address, progress)
    else:
        publication = shelf.publish(run, name, tag, version, changes)
    if publication.created:
        say(f"Published {publication.address}: {publication.place}")
    else:
        say(f"Published before, byte for byte, as {publication.address}: {publication.place}")
    if isinstance(shelf, RemoteShelf):
        say(f"Next: {command_line('zoo', 'pull', publication.address, '--from', to)}")
    else:
        say(f"Next: {command_line('zoo', 'build', publication.address, *images_words(dataset), '--shelf', to)}")


def _prove(entry: Entry, baseline: Path | None, exports: bool, data: Dataset | None) -> None:
    """Measure what the card shall state, unless it was measured before."""
    from automl_cells.zoo import add_baseline, add_exports
    from automl_cells.zoo.data import MissingDataError
    from automl_cells.zoo.evidence import EXPORTS, FLOAT_FORMATS

    if baseline is not None:
        add_baseline(entry.folder, baseline)
    if not exports or (EXPORTS in entry.metrics and data is None):
        return
    if not os.access(entry.folder, os.W_OK):
        raise AutoMLCellsError(
            f"Expected a run that can be written to, for what is measured (--no-exports does without). "
            f"Received: {entry.folder}"
        )
    import keras

    if keras.backend.backend() != "tensorflow":
        say("The card will not state how exports agree with Keras: that needs KERAS_BACKEND=tensorflow.")
        return
    try:
        with watching("Measuring exports", len(FLOAT_FORMATS) + 2) as watch:
            add_exports(entry.folder, data, watch)
    except MissingDataError as error:
        say(f"The card will not state how exports agree with Keras. {error}")


def pull(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="name, name/tag or name/tag-vN.")],
    source: Annotated[
        str, typer.Option("--from", metavar="STORE", help="A folder, or https://, s3://, gs://, hf:// …")
    ],
    to: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="The shelf that gets a copy. [default: the cache]", show_default=False),
    ] = None,
    derived: Annotated[bool, typer.Option("--derived", help="Pull SavedModel and ONNX files too.")] = False,
) -> None:
    """Bring a trained model from a store to this machine; every file is checked against its SHA-256."""
    from automl_cells.zoo import pull as pull_entry

    with _shown(entry) as progress:
        found = pull_entry(entry, source, to, derived, progress)
    say(f"{found.address}: {found.folder}")
    say(f"Next: {command_line('zoo', 'show', found.address, '--shelf', source if to is None else to)}")


@contextmanager
def _shown(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar of bytes, speed and time left on standard error, if that is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = error_console()
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
