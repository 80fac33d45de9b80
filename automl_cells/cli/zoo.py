"""`automl-cells export` and `automl-cells zoo …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import say, table
from automl_cells.cli.quiet import import_framework
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl_cells.datasets import Dataset
    from automl_cells.export import ExportResult
    from automl_cells.zoo import Shelf

EntryWord = Annotated[
    str, typer.Argument(metavar="RUN|ENTRY", help="A training's folder, or name, name/tag, name/tag-vN on the shelf.")
]
ImagesOption = Annotated[
    str | None,
    typer.Option("--dataset", help="Measure parity on these images, not on the entry's own data set."),
]

zoo = typer.Typer(no_args_is_help=True, help="The versioned shelf of trained models.", rich_markup_mode=None)


def _shelf(folder: Path | None) -> Shelf:
    from automl_cells.zoo import Shelf, default_shelf

    return default_shelf() if folder is None else Shelf(folder)


def _images(words: str | None) -> Dataset | None:
    from automl_cells.datasets import load

    return None if words is None else load(words)


def _print_results(results: Mapping[str, ExportResult]) -> None:
    for form, result in results.items():
        parity = result.parity
        say(
            f"{form:<11}{result.path}  {result.bytes / 1e6:.2f} MB, {result.seconds:.1f} s; against Keras on "
            f"{parity.images} images: largest difference {parity.max_abs_difference:.1e}, "
            f"top-1 agreement {100 * parity.top1_agreement:.1f} %"
        )


def export(
    entry: EntryWord,
    format: Annotated[list[str], typer.Option("--format", help="savedmodel or onnx; may be given several times.")],
    out: Annotated[Path, typer.Option(help="The folder for the exported files.")],
    opset: Annotated[int, typer.Option(help="ONNX operator set.")] = 17,
    dataset: ImagesOption = None,
    shelf: options.Shelf = None,
) -> None:
    """Export a trained model, load the file again and print how far it agrees with Keras on real images."""
    from automl_cells.export import FORMATS
    from automl_cells.zoo import export_entry, resolve

    if unknown := [name for name in format if name not in FORMATS]:
        raise AutoMLCellsError(f"Expected --format among {sorted(FORMATS)}. Received: {unknown[0]}")
    found = resolve(entry, _shelf(shelf))
    data = _images(dataset)
    import_framework()
    _print_results(export_entry(found, format, out, images=None if data is None else data.x_test[:64], opset=opset))


@zoo.command("list")
def list_(shelf: options.Shelf = None) -> None:
    """List the trained versions on a shelf, and the structures that can be built without weights."""
    from automl_cells.zoo import structures

    found = _shelf(shelf)
    rows = []
    for item in found.list():
        rows.append(
            {
                "entry": str(item.address),
                "test accuracy %": item.test_accuracy,
                "parameters": item.parameters,
                "published": item.published.strftime("%Y-%m-%d"),
                "hash": item.genotype,
            }
        )
    say(f"Shelf: {found.folder}")
    if rows:
        table(list(rows[0]), rows)
    else:
        say("  nothing published yet: automl-cells zoo publish RUN --to STORE")
    say("Structures (from automl_cells.zoo import …):")
    for name, structure in structures().items():
        price = structure.cost()
        say(f"  {name:<26}{price.parameters:>14,} parameters{price.flops or 0:>18,} multiply-adds")


@zoo.command()
def show(entry: EntryWord, shelf: options.Shelf = None) -> None:
    """Show the card of an entry."""
    from automl_cells.zoo import resolve

    found = resolve(entry, _shelf(shelf))
    card = found.folder / "README.md"
    if card.is_file():
        say(card.read_text(encoding="utf-8").rstrip())
        return
    say(f"{found.name}/{found.tag}, not published: {found.folder}")
    for name, value in found.metrics.items():
        say(f"  {name:<22}{value}")


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
    found = _shelf(shelf)
    problems = [str(problem) for problem in found.verify(entry)]
    if not problems:
        say(f"{found.folder}: all files as published.")
    if not (files_only or problems):
        problems = _remeasure_all(found, entry, data)
    for problem in problems:
        say(problem)
    if problems:
        raise AutoMLCellsError(f"Expected a shelf as it was published. Received: {len(problems)} problems, see above")


def _remeasure_all(shelf: Shelf, query: str | None, data: Path | None) -> list[str]:
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
    """Derive SavedModel and ONNX beside an entry, with the parity measured on real images."""
    from automl_cells.zoo import build_entry, resolve

    found = resolve(entry, _shelf(shelf))
    data = _images(dataset)
    import_framework()
    _print_results(build_entry(found, images=None if data is None else data.x_test[:64], opset=opset))


@zoo.command()
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
