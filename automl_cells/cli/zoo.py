"""`automl-cells zoo …`: what looks at a shelf or makes derived files. `publish` and `pull` are in `cli.store`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import printable, say, table
from automl_cells.cli.entries import shelf_of
from automl_cells.cli.export import EntryWord, ImagesOption, images_of, print_results, watching
from automl_cells.cli.quiet import import_framework
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from automl_cells.zoo import RemoteShelf, Shelf

zoo = typer.Typer(no_args_is_help=True, help="The versioned shelf of trained models.", rich_markup_mode=None)


@zoo.command("list")
def list_(
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help='Part of a name, or with *, as in "nasnet*".', show_default=False)
    ] = "*",
    trained: Annotated[bool, typer.Option("--trained", help="Only entries with weights.")] = False,
    changes: Annotated[bool, typer.Option("--changes", help="Say what changed in each version.")] = False,
    shelf: options.Shelf = None,
) -> None:
    """List the trained versions on a shelf, and the structures that can be built without weights."""
    from automl_cells.zoo import list_models, structures

    found = shelf_of(shelf)
    wanted = set(list_models(pattern, shelf=found))
    rows = []
    for item in found.list():
        if str(item.address) not in wanted:
            continue
        rows.append(
            {
                "entry": str(item.address),
                "test accuracy %": item.test_accuracy,
                "parameters": item.parameters,
                "published": item.published.strftime("%Y-%m-%d"),
                "hash": item.genotype,
                **({"changes": item.changes} if changes else {}),
            }
        )
    say(f"Shelf: {found.place}")
    if rows:
        table(list(rows[0]), rows)
    elif pattern == "*":
        say("  nothing published yet: automl-cells zoo publish RUN --to STORE")
    names = [] if trained else [name for name in structures() if name in wanted]
    if names:
        say("Structures (from automl_cells.zoo import …):")
    elif not rows and pattern != "*":
        raise AutoMLCellsError(f"Expected a part of a name, or a pattern with *. Received: {pattern!r:.80}, nothing")
    for name in names:
        structure = structures()[name]
        price = structure.cost()
        say(f"  {name:<26}{price.parameters:>14,} parameters{price.flops or 0:>18,} multiply-adds")


@zoo.command()
def show(entry: EntryWord, shelf: options.Shelf = None) -> None:
    """Show the card of an entry, or what is known of a structure that has no weights yet."""
    from automl_cells.zoo import info, resolve, structures
    from automl_cells.zoo.entry import CARD
    from automl_cells.zoo.manifest import read_bytes
    from automl_cells.zoo.verify import check_files

    if entry in structures() and not any(item.name == entry for item in shelf_of(shelf).list()):
        known = info(entry, shelf=shelf_of(shelf))
        say(f"{known.title}: a structure, of which the shelf has no weights")
        say(f"  parameters       {known.parameters:,}\n  multiply-adds    {known.flops:,}")
        say(f"  image            {known.input_shape}\n  classes          {known.classes}")
        say(f"  genotype         {known.genotype}\n  from automl_cells.zoo import {entry}")
        return
    found = resolve(entry, shelf_of(shelf))
    if found.manifest is not None and (record := found.manifest.files.get(CARD)):
        if problems := check_files(found.folder, {CARD: record}):
            raise AutoMLCellsError(f"Expected the card of {found.address} as published. Received: {problems[0]}")
        say(printable(read_bytes(found.folder / CARD).decode(errors="replace").rstrip()))
        return
    say(f"{found.name}/{found.tag}, not published: {found.folder}")
    for name, value in found.metrics.items():
        say(printable(f"  {name:<22}{value}"))


@zoo.command()
def verify(
    entry: Annotated[str | None, typer.Argument(metavar="[ENTRY]", help="One entry; all by default.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with the data sets as NAME.npz. [default: $AUTOML_CELLS_DATA]",
            show_default=False,
        ),
    ] = None,
    files_only: Annotated[bool, typer.Option("--files-only", help="Do not measure accuracies again.")] = False,
    shelf: options.Shelf = None,
) -> None:
    """Hash every file of the shelf again, and measure every accuracy again whose data set is at hand."""
    from automl_cells.zoo import Shelf

    found = shelf_of(shelf)
    if isinstance(found, Shelf) and not found.folder.is_dir():
        raise AutoMLCellsError(f"Expected the folder of a shelf. Received: {found.folder} (no such folder)")
    problems = [str(problem) for problem in found.verify(entry)]
    if not problems:
        say(f"{found.place}: all files as published.")
    if not (files_only or problems):
        problems = _remeasure_all(found, entry, data)
    for problem in problems:
        say(problem)
    if problems:
        raise AutoMLCellsError(f"Expected a shelf as it was published. Received: {len(problems)} problems, see above")


def _remeasure_all(shelf: Shelf | RemoteShelf, query: str | None, data: Path | None) -> list[str]:
    """Measure the accuracy of every entry again whose data are at hand; returns what does not agree."""
    from automl_cells.zoo.address import Query
    from automl_cells.zoo.data import MissingDataError
    from automl_cells.zoo.remeasure import remeasure

    import_framework()
    problems = []
    for address in shelf.addresses():
        if query is not None and not Query.parse(query).matches(address):
            continue
        entry = shelf.find(str(address))
        try:
            result = remeasure(entry, data)
        except MissingDataError as error:
            say(f"  {address}: accuracy not measured again. {error}")
            continue
        except AutoMLCellsError as error:
            problems.append(f"{address}: {error}")
            continue
        text = f"{address}: test accuracy {result.measured:.2f} % on {result.images} images"
        if result.agrees:
            say(f"  {text}, as published ({result.published:.2f} %)")
        else:
            problems.append(f"{text}, but {result.published:.2f} % was published")
    return problems


@zoo.command()
def build(
    entry: EntryWord,
    opset: Annotated[int, typer.Option(help="ONNX operator set.")] = 17,
    dataset: ImagesOption = None,
    shelf: options.Shelf = None,
) -> None:
    """Derive SavedModel, ONNX and int8 files beside an entry, with the parity measured on real images.

    From an entry of a store that can be written to, they are made in the cache and uploaded.
    """
    from automl_cells.zoo import RemoteShelf, build_entry, resolve
    from automl_cells.zoo.derive import BUILT

    place = shelf_of(shelf)
    found = resolve(entry, place)
    data = images_of(dataset)
    import_framework()
    with watching("Building", len(BUILT)) as watch:
        results = build_entry(found, data=data, opset=opset, watch=watch)
    print_results(results)
    if isinstance(place, RemoteShelf) and found.address is not None and not Path(entry).exists():
        if place.store.writable:
            place.add_derived(found)
            say(f"Uploaded to {place.place}")
        else:
            say(f"They stay on this machine: {place.place} can only be read.")
