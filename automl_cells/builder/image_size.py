"""Whether the weights of a network hold for images of another size.

Not where a chain flattens its map, nor where self-attention, which acts on small maps only, would act in other layers.
"""

from __future__ import annotations

from automl_cells.builder.head import is_head
from automl_cells.builder.plan import Plan
from automl_cells.builder.planners import plan
from automl_cells.builder.template import Template
from automl_cells.errors import TemplateError
from automl_cells.genotypes.base import Genotype


def check_size(genotype: Genotype, trained: Template, wanted: Template, *, head: bool) -> None:
    """Refuse images of a size that weights are not for.

    Args:
        genotype: what was trained.
        trained: its template, with the size of the images that the weights learnt.
        wanted: the template with the size of the new images.
        head: whether the weights of the head are wanted too; else those in front of it only.

    Raises:
        TemplateError: a layer that reads the whole map has other weights for that size, or the network cannot have it.
    """
    if trained.input_shape == wanted.input_shape:
        return
    new = _widths(plan(genotype, wanted), head)
    old = _widths(plan(genotype, trained), head)
    if different := [name for name in {**old, **new} if old.get(name) != new.get(name)]:
        height, width, _ = trained.input_shape
        raise TemplateError(
            f"Expected images of {height}x{width}, the size that these weights learnt, since the layer {different[0]} "
            f"reads the whole map. Received: {wanted.input_shape[0]}x{wanted.input_shape[1]}"
        )


def _widths(layers: Plan, head: bool) -> dict[str, int]:
    """How many features each layer reads that is fully connected or attends to the whole map."""
    return {
        layer.name: layers[layer.inputs[0]].shape[2]
        for layer in layers
        if layer.op in ("dense", "self_attention") and (head or not is_head(layer.name))
    }


def reads_the_whole_map(genotype: Genotype, template: Template) -> bool:
    """Whether a network has a layer whose weights depend on the size of the images."""
    return any(layer.op == "flatten" for layer in plan(genotype, template))
