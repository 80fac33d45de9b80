"""The plan of a network of BlockQNN blocks.

Where the paper is silent: an *Add* of outputs of different widths widens the narrower one with ReLU → 1×1 convolution →
BN (zero-padding it instead would need no parameters but a layer that Keras does not have); *Identity* and pooling with
kernel 1 at stride 1 are no layers at all; a ReLU in front of the head, as in every pre-activation network.

The operations that no table of the paper has (`blockqnn_fast`), all with stride 1 and ``same`` border:

- *Separable convolution*: ReLU → depthwise k×k → 1×1 → BN, with nothing between the two convolutions.
- *Dilated convolution*: ReLU → 3×3 with rate 2 → BN.
- *Squeeze-and-excitation* (Hu et al., CVPR 2018): the map times sigmoid(1×1(ReLU(1×1(average of the map)))), both 1×1
  convolutions with bias, the first with a sixteenth of the channels (theirs), at least four (ours). It reads the map as
  it is.
- *Self-attention*: of four heads with a quarter of the stage's filters each, between all positions of the map as it is
  and without their coordinates; then BN. As many channels come out as go in, and the input is not added to them (an
  *Add* of the block can do that). It costs the square of the positions, so above 64 of them (8×8) it is an identity, no
  layer at all: in the template ``cifar``, with 32×32 images, it acts in the third stage alone. So which weights there
  are depends on the size of the images, and a network with self-attention cannot have an open one.
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
    DILATED_CONVOLUTION,
    IDENTITY,
    MAX_POOLING,
    SELF_ATTENTION,
    SEPARABLE_CONVOLUTION,
    SQUEEZE_EXCITATION,
    BlockGenotype,
    Code,
)

SQUEEZE_RATIO = 16  # the usual one of Hu et al.
LEAST_SQUEEZED = 4  # channels; the networks of a search are narrow
HEADS = 4
MOST_POSITIONS = 64  # of a map that self-attention acts on
DILATION = 2


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
        outputs.append(OPERATIONS[code.type](net, f"{name}_layer{code.index}", code, outputs, filters))
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


def _separable_conv(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    source = net.relu(outputs[code.predecessor1])
    return net.batch_norm(f"{name}_bn", net.separable_conv(f"{name}_sep_conv", source, filters, code.kernel))


def _dilated_conv(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    return net.preactivation_conv(name, outputs[code.predecessor1], filters, code.kernel, dilation=DILATION)


def _squeeze_excitation(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    source = outputs[code.predecessor1]
    channels = net.channels(source)
    average = net.squeeze(f"{name}_squeeze", source)
    fewer = net.relu(net.conv(f"{name}_reduce", average, max(LEAST_SQUEEZED, channels // SQUEEZE_RATIO), 1, bias=True))
    factors = net.sigmoid(f"{name}_sigmoid", net.conv(f"{name}_expand", fewer, channels, 1, bias=True))
    return net.multiply(f"{name}_scale", source, factors)


def _self_attention(net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int) -> int:
    source = outputs[code.predecessor1]
    height, width, _ = net.shape(source)
    if height is not None and width is not None and height * width > MOST_POSITIONS:
        return source
    attention = net.self_attention(f"{name}_attention", source, HEADS, max(1, filters // HEADS))
    return net.batch_norm(f"{name}_bn", attention)


OPERATIONS: dict[int, Callable[[PlanBuilder, str, Code, list[int], int], int]] = {
    CONVOLUTION: _conv,
    MAX_POOLING: _max_pool,
    AVERAGE_POOLING: _avg_pool,
    IDENTITY: _identity,
    ADD: _add,
    CONCAT: _concat,
    SEPARABLE_CONVOLUTION: _separable_conv,
    DILATED_CONVOLUTION: _dilated_conv,
    SQUEEZE_EXCITATION: _squeeze_excitation,
    SELF_ATTENTION: _self_attention,
}
"""What plans a layer of each type; `register_operation` adds those of extensions."""
