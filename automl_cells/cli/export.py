"""`automl-cells export`, and what it shares with `automl-cells zoo build`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import error_console, say
from automl_cells.cli.entries import shelf_of
from automl_cells.cli.quiet import import_framework
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from automl_cells.datasets import Dataset
    from automl_cells.export import ExportResult
    from automl_cells.zoo.derive import Size

EntryWord = Annotated[
    str, typer.Argument(metavar="RUN|ENTRY", help="A training's folder, or name, name/tag, name/tag-vN on the shelf.")
]
ImagesOption = Annotated[
    str | None,
    typer.Option("--dataset", help="Measure parity on these images, not on the entry's own data set."),
]


def images_words(dataset: str | None) -> tuple[str, ...]:
    """The option by which a command that is named next gets the data; what the package has itself needs none."""
    from automl_cells.datasets import embedded

    return () if dataset is None or embedded(dataset) else ("--dataset", dataset)


def images_of(words: str | None) -> Dataset | None:
    """The data set that ``--dataset`` names, if it was given."""
    from automl_cells.datasets import load

    return None if words is None else load(words)


@contextmanager
def watching(what: str, formats: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal's standard error: which step is under way, how long it has taken, and what is left.

    Args:
        what: a word for all of it.
        formats: how many files are made; a trace of the network comes before them.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = error_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=1 + formats)
        begun: list[str] = []

        def watch(step: str) -> None:
            progress.update(task, description=f"{what}: {step}", completed=len(begun))
            begun.append(step)

        yield watch


def print_results(results: Mapping[str, ExportResult]) -> None:
    """A line about each exported file, with the parity that was measured."""
    for form, result in results.items():
        parity = result.parity
        say(
            f"{form:<11}{result.path}  {result.bytes / 1e6:.2f} MB, {result.seconds:.1f} s; against Keras on "
            f"{parity.images} images: largest difference {parity.max_abs_difference:.1e}, "
            f"top-1 agreement {100 * parity.top1_agreement:.1f} %"
        )
        if (accuracies := result.accuracies) is not None:
            say(
                f"{'':<11}accuracy on {accuracies.images} test images: {accuracies.int8:.2f} % in int8, "
                f"{accuracies.float32:.2f} % in float32"
            )


def export(
    entry: EntryWord,
    format: Annotated[
        list[str] | None,
        typer.Option("--format", help="savedmodel, onnx or litert; may be given several times.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for the exported files.")] = Path("exported"),
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Also an int8 ONNX file, calibrated on training images, judged by test images."),
    ] = False,
    with_preprocessing: Annotated[
        bool,
        typer.Option("--with-preprocessing", help="Files take raw pixels as uint8; the normalisation is in them."),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(help="probabilities or logits. [default: what the model gives]", show_default=False),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="H,W|any", help="Size of the images. [default: the entry's]", show_default=False),
    ] = None,
    opset: Annotated[int, typer.Option(help="ONNX operator set, 14 to 18.")] = 17,
    dataset: ImagesOption = None,
    shelf: options.Shelf = None,
) -> None:
    """Export a trained model, load the files again and print how far they agree with Keras on real images."""
    from automl_cells.export import FORMATS, OUTPUTS
    from automl_cells.zoo import export_entry, resolve

    formats = [*(format or []), *(["int8"] if int8 else [])]
    if unknown := [name for name in formats if name not in FORMATS]:
        raise AutoMLCellsError(f"Expected --format among {sorted(FORMATS)}. Received: {unknown[0]}")
    if not formats:
        raise AutoMLCellsError("Expected --format savedmodel, onnx or litert, or --int8. Received: none of them")
    if output not in (None, *OUTPUTS):
        raise AutoMLCellsError(f"Expected --output among {list(OUTPUTS)}. Received: {output}")
    wanted = _size(size)
    found = resolve(entry, shelf_of(shelf))
    data = images_of(dataset)
    import_framework()
    with watching("Exporting", len(set(formats))) as watch:
        results = export_entry(
            found,
            formats,
            out,
            data=data,
            opset=opset,
            output=output,
            with_preprocessing=with_preprocessing,
            size=wanted,
            watch=watch,
        )
    print_results(results)


def _size(text: str | None) -> Size:
    """What ``--size`` means.

    Raises:
        AutoMLCellsError: neither two numbers nor ``any``.
    """
    if text is None or text == "any":
        return text  # type: ignore[return-value]  # the one word that is allowed
    try:
        height, width = (int(number) for number in text.split(","))
    except ValueError:
        raise AutoMLCellsError(f"Expected --size H,W or any. Received: {text:.60}") from None
    return height, width
