"""The plan of a network of NASNet cells: stem, stages of normal cells with reduction cells between, heads.

Zoph et al. (arXiv 1707.07012v4), section 3 and figure 2, after the authors' code (tensorflow/models,
research/slim/nets/nasnet). Which of a cell's inputs is larger than the other is known from where the cell stands, never
from the shapes of tensors, so one set of weights serves every size of image, and images of any size.
"""

from __future__ import annotations

from automl_cells.builder.cell import CellPlanner
from automl_cells.builder.head import CLASSIFIER
from automl_cells.builder.plan import Plan, PlanBuilder, strided
from automl_cells.builder.reduction import Map
from automl_cells.builder.template import CellTemplate
from automl_cells.errors import TemplateError
from automl_cells.genotypes.cell import CellGenotype

AUXILIARY = "auxiliary"
"""How the names of the layers of the auxiliary head begin."""

_LEAST = 2  # pixels a side that a map needs to be halved


def plan_cell_network(
    genotype: CellGenotype,
    template: CellTemplate,
    include_top: bool,
    pooling: str | None,
    max_params: int | None,
    features: bool = False,
    auxiliary: bool = False,
    drop_path: bool = False,
) -> Plan:
    """See `builder.plan`."""
    _check_size(template)
    net = PlanBuilder(template.input_shape, max_params)
    stages, stem = len(template.filters), template.stem
    if auxiliary and stages < 2:
        raise TemplateError(f"Expected at least two stages for an auxiliary head. Received: {stages}")
    cells = CellPlanner(
        net, template.pool_borders, stages * template.repeats + stages - 1 + len(stem.cells) if drop_path else None
    )

    filters = stem.filters or (stem.multiplier or 1) * template.filters[0]
    conv = net.conv("stem_conv", 0, filters, 3, stem.stride, padding=stem.padding)
    before, now = None, Map(net.batch_norm("stem_bn", conv), stem.stride - 1)
    for number, divisor in enumerate(stem.cells, start=1):
        net.end_stage(now.position)
        filters = max(1, template.filters[0] // divisor)
        before, now = now, cells.cell(f"stem_cell{number}", genotype.reduction, now, before, filters, reduction=True)

    beside = 0
    for stage, filters in enumerate(template.filters, start=1):
        if stage > 1:
            net.end_stage(now.position)
            reduced = cells.cell(f"reduction{stage - 1}", genotype.reduction, now, before, filters, reduction=True)
            before, now = before if template.skip_reduction else now, reduced
        for repeat in range(1, template.repeats + 1):
            name = f"stage{stage}_cell{repeat}"
            before, now = now, cells.cell(name, genotype.normal, now, before, filters, reduction=False)
        if stage == stages - 1:
            beside = now.position
    if features:
        net.stage_outputs(now.position)
        return net.plan()
    last = net.relu(now.position)
    if include_top:
        last = net.dense(CLASSIFIER, net.global_pool("average", last), template.classes)
    elif pooling is not None:
        last = net.global_pool({"avg": "average", "max": "max"}[pooling], last)
    if auxiliary:
        net.outputs("outputs", (last, _auxiliary_head(net, beside, template.classes)))
    return net.plan()


def _auxiliary_head(net: PlanBuilder, source: int, classes: int) -> int:
    """The head beside the last normal cell of the last stage but one, for training (section 4.4 of the authors' code).

    ReLU → 5×5 average pooling with stride 3, no border → 1×1 convolution, 128 → BN → ReLU → convolution over the whole
    map, 768 → BN → ReLU → linear layer. Ours: where the map is smaller than the window it is not pooled.
    """
    position = net.relu(source)
    if all(side is not None and side >= 5 for side in net.shape(position)[:2]):
        position = net.pool(f"{AUXILIARY}_pool", "avg", position, 5, 3, "valid")
    position = net.batch_norm(f"{AUXILIARY}_bn1", net.conv(f"{AUXILIARY}_conv1", position, 128, 1))
    height, width, _ = net.shape(position)
    if height is None or width is None:
        raise TemplateError(
            f"Expected an image size for the auxiliary head. Received: input_shape={net.layers[0].shape}"
        )
    conv = net.conv(f"{AUXILIARY}_conv2", net.relu(position), 768, (height, width), padding="valid")
    position = net.relu(net.batch_norm(f"{AUXILIARY}_bn2", conv))
    return net.dense(AUXILIARY, net.global_pool("average", position, f"{AUXILIARY}_flat"), classes)


def smallest_image(template: CellTemplate) -> int:
    """Pixels a side that an image needs so that no reduction meets a map of a single pixel."""
    return next(side for side in range(1, 5000) if _can_reduce(template, side))


def _can_reduce(template: CellTemplate, side: int) -> bool:
    pixels = strided(side, 3, template.stem.stride, template.stem.padding) or 0
    for _ in range(len(template.stem.cells) + len(template.filters) - 1):
        if pixels < _LEAST:
            return False
        pixels = -(-pixels // 2)
    return pixels > 0


def _check_size(template: CellTemplate) -> None:
    least = smallest_image(template)
    if any(side is not None and side < least for side in template.input_shape[:2]):
        raise TemplateError(
            f"Expected images of at least {least}x{least} for the template {template.name} with "
            f"{len(template.filters)} stages. Received: input_shape={template.input_shape}"
        )
