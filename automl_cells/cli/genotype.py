"""`automl-cells show` and `build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import say

if TYPE_CHECKING:
    from automl_cells.builder import Template
    from automl_cells.genotypes import Genotype

GenotypeWord = Annotated[
    str,
    typer.Argument(
        metavar="GENOTYPE",
        help="A genotype file, a published name (block_qnn_s), a chain (C(64,3,1),SM), a run or an entry.",
    ),
]


def show(
    genotype: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|ENTRY", help="A genotype file or name, a chain (C(64,3,1),SM), a run, or a zoo entry."
        ),
    ],
    svg: Annotated[Path | None, typer.Option(help="Draw it into this SVG file.")] = None,
    shelf: options.Shelf = None,
) -> None:
    """Show a genotype as text, and draw it."""
    from automl_cells.cli.entries import genotype_of
    from automl_cells.files import write_atomically
    from automl_cells.genotypes import ChainGenotype
    from automl_cells.genotypes.drawing import draw_svg, draw_text

    found, origin = genotype_of(genotype, shelf)
    graph = found.graph()
    say(f"{found.kind}, {len(graph.labels)} nodes, {graph.edges} edges, density {graph.density:.3f}, {found.hash}")
    if origin.get("source"):
        say(str(origin["source"]))
    if isinstance(found, ChainGenotype):
        say(found.text(origin.get("classes")))
    say(draw_text(found.parts()).rstrip("\n"))
    if svg is not None:
        subtitle = f"{found.kind} {found.hash[7:15]}"
        write_atomically(svg, draw_svg(found.parts(), title=Path(genotype).stem, subtitle=subtitle))
        say(f"Drawn: {svg}")


def _size(genotype: Genotype, frame: Template) -> str:
    """The size of a network of cells as NASNet writes it."""
    from automl_cells.builder.template import CellTemplate
    from automl_cells.genotypes import CellGenotype

    if not isinstance(genotype, CellGenotype) or not isinstance(frame, CellTemplate):
        return ""
    return f" ({frame.repeats} @ {genotype.normal.output_width * frame.filters[-1]})"


def build(
    genotype: GenotypeWord,
    template: options.Template = None,
    repeats: options.Repeats = None,
    filters: options.Filters = None,
    filter_multiplier: options.FilterMultiplier = None,
    penultimate: options.Penultimate = None,
    input_shape: Annotated[
        str | None, typer.Option(metavar="H,W,C", help="Shape of the images. [default: the template's]")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(help="Number of classes. [default: the template's]", show_default=False)
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="List every Keras layer too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Save the untrained model as a .keras file.")] = None,
) -> None:
    """Build a network of any size and print its parameters and FLOPs."""
    from automl_cells.builder import cost, plan
    from automl_cells.builder import template as make_template
    from automl_cells.cli.entries import genotype_of
    from automl_cells.cli.quiet import import_framework
    from automl_cells.genotypes.ensemble import template_kind

    found, origin = genotype_of(genotype)
    frame = make_template(
        template,
        kind=template_kind(found),
        repeats=repeats,
        filters=options.stage_filters(found, filters, penultimate, filter_multiplier),
        filter_multiplier=filter_multiplier,
        input_shape=options.image_shape(input_shape),
        classes=options.classes_of(origin, classes, "--classes"),
    )
    price = cost(plan(found, frame))
    say(f"{genotype}: {frame.name}, {frame.size}{_size(found, frame)}")
    say(f"  input {frame.input_shape}, {frame.classes} classes")
    say(f"  parameters        {price.parameters:>16,}")
    say(f"  with BN statistics{price.total_parameters:>16,}")
    if price.flops is not None:
        say(f"  multiply-adds     {price.flops:>16,}")

    import_framework()
    from automl_cells.builder import build as build_model
    from automl_cells.files import replacing

    model = build_model(found, frame)
    say(f"  Keras layers      {len(model.layers):>16,}   (built)")
    if summary:
        model.summary(print_fn=lambda line, **_: say(line))
    if out is not None:
        with replacing(out.with_suffix(".keras")) as temporary:
            model.save(temporary)
        say(f"Saved, untrained: {out.with_suffix('.keras')}")
