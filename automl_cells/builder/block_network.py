"""The plan of a network of BlockQNN blocks.

Where the paper is silent: an *Add* of outputs of different widths widens the narrower one with ReLU → 1×1 convolution →
BN (zero-padding it instead would need no parameters but a layer that Keras does not have); *Identity* and pooling with
kernel 1 at stride 1 are no layers at all; a ReLU in front of the head, as in every pre-activation network.
"""

from __future__ import annotations

from collections.abc import Callable

from automl_cells.builder.head import CLASSIFIER
from automl_cells.builder.plan import Plan, PlanBuilder
from automl_cells.builder.template import BlockTemplate
from automl_cells.genotypes.block import (
    ADD,
    AVERAGE_POOLING,
    CONCAT,
    CONVOLUTION,
    IDENTITY,
    MAX_POOLING,
    BlockGenotype,
    Code,
)


def plan_block_network(
    genotype: BlockGenotype,
    template: BlockTemplate,
    include_top: bool,
    pooling: str | None,
    max_params: int | None,
    features: bool = False,
) -> Plan:
    """Stem, stages of ``template.repeats`` blocks with a 2×2 max pooling between, head. See `builder.plan`."""
    net = PlanBuilder(template.input_shape, max_params)
    position = _stem(net, template)
    for stage, filters in enumerate(template.filters, start=1):
        if stage > 1:
            position = net.pool(f"stage{stage}_pool", "max", net.end_stage(position), kernel=2, stride=2)
        for repeat in range(1, template.repeats + 1):
            position = _block(net, f"stage{stage}_block{repeat}", genotype, position, filters)
    if features:
        net.stage_outputs(position)
        return net.plan()
    position = net.relu(position)
    if include_top:
        net.dense(CLASSIFIER, net.global_pool("average", position), template.classes)
    elif pooling is not None:
        net.global_pool({"avg": "average", "max": "max"}[pooling], position)
    return net.plan()


def _stem(net: PlanBuilder, template: BlockTemplate) -> int:
    position = 0
    for number, layer in enumerate(template.stem, start=1):
        if layer.op == "conv":
            conv = net.conv(f"stem{number}_conv", position, template.filters[0], layer.kernel)
            position = net.batch_norm(f"stem{number}_bn", conv)
        else:
            position = net.pool(f"stem{number}_pool", "max", net.end_stage(position), layer.kernel, stride=2)
    return position


def _block(net: PlanBuilder, name: str, genotype: BlockGenotype, source: int, filters: int) -> int:
    """One block: its layers in order, then the concatenation of its leaves."""
    outputs = [source]  # outputs[i]: position of the output of layer i of the block
    for code in genotype.layers:
        outputs.append(_OPERATIONS[code.type](net, f"{name}_layer{code.index}", code, outputs, filters))
    leaves = tuple(outputs[index] for index in genotype.leaves)
    return leaves[0] if len(leaves) == 1 else net.concat(f"{name}_output", leaves)


def _conv(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    return net.preactivation_conv(name, outputs[code.predecessor1], filters, code.kernel)


def _max_pool(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    source = outputs[code.predecessor1]
    return source if code.kernel == 1 else net.pool(f"{name}_max_pool", "max", source, code.kernel)


def _avg_pool(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    source = outputs[code.predecessor1]
    return source if code.kernel == 1 else net.pool(f"{name}_avg_pool", "avg", source, code.kernel)


def _identity(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    return outputs[code.predecessor1]


def _add(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    sources = (outputs[code.predecessor1], outputs[code.predecessor2])
    width = max(net.channels(source) for source in sources)
    return net.add(f"{name}_add", tuple(net.widened(f"{name}_widen", source, width) for source in sources))


def _concat(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    return net.concat(f"{name}_concat", (outputs[code.predecessor1], outputs[code.predecessor2]))


_OPERATIONS: dict[int, Callable[[PlanBuilder, str, Code, list[int], int], int]] = {
    CONVOLUTION: _conv,
    MAX_POOLING: _max_pool,
    AVERAGE_POOLING: _avg_pool,
    IDENTITY: _identity,
    ADD: _add,
    CONCAT: _concat,
}
