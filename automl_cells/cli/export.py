"""`automl-cells export`, and what it shares with `automl-cells zoo build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import say
from automl_cells.cli.entries import shelf_of
from automl_cells.cli.quiet import import_framework
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl_cells.datasets import Dataset
    from automl_cells.export import ExportResult

EntryWord = Annotated[
    str, typer.Argument(metavar="RUN|ENTRY", help="A training's folder, or name, name/tag, name/tag-vN on the shelf.")
]
ImagesOption = Annotated[
    str | None,
    typer.Option("--dataset", help="Measure parity on these images, not on the entry's own data set."),
]


def images_of(words: str | None) -> Dataset | None:
    """The data set that ``--dataset`` names, if it was given."""
    from automl_cells.datasets import load

    return None if words is None else load(words)


def print_results(results: Mapping[str, ExportResult]) -> None:
    """A line about each exported file, with the parity that was measured."""
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
    found = resolve(entry, shelf_of(shelf))
    data = images_of(dataset)
    import_framework()
    print_results(export_entry(found, format, out, images=None if data is None else data.x_test[:64], opset=opset))
