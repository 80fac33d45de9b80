"""The plan of a MetaQNN chain.

Baker et al. (ICLR 2017, arXiv 1611.02167v2) and the authors' code: convolutions with bias and ``same`` border, poolings
without a border, ReLU after convolutions and fully connected layers, no batch normalisation. The global average is a
1×1 convolution to the classes, ReLU and the average over the map; the softmax layer of the termination follows it.

Dropout is for training only: a layer after every second layer and after each fully connected one, but none after the
global average or the termination; the i-th of n drops i / (2n). n = (L - G - F) // 2 + F, where L, the number of
layers, G, that of global averages, and F, that of fully connected layers, all count the termination, which has the kind
of the layer before it (the authors' code). With other bounds than (0, 1/2) it drops max(lowest, highest · i / n).

Without the top a network ends with the last map: fully connected layers belong to the top, as in VGG of
``keras.applications``.
"""

from __future__ import annotations

from automl_cells.builder.head import CLASS_MAPS, CLASSIFIER, TOP
from automl_cells.builder.plan import Plan, PlanBuilder
from automl_cells.builder.template import ChainTemplate
from automl_cells.errors import TemplateError
from automl_cells.genotypes.chain import (
    CONNECTED,
    CONVOLUTION,
    GLOBAL_AVERAGE,
    POOLING,
    TERMINATION,
    ChainGenotype,
    ChainLayer,
)

Rates = tuple[float, float]
"""Lowest and highest rate of the dropout layers; (0, 0) for none."""


def plan_chain_network(
    genotype: ChainGenotype,
    template: ChainTemplate,
    include_top: bool,
    pooling: str | None,
    max_params: int | None,
    features: bool = False,
    dropout: Rates = (0.0, 0.0),
) -> Plan:
    """The layers of the chain, one after the other. See `builder.plan`."""
    net = PlanBuilder(template.input_shape, max_params)
    rates = dropout_rates(genotype, *dropout)
    position, flat = 0, False
    for number, layer in enumerate(genotype.layers, start=1):
        name = f"layer{number}"
        if layer.letter in (CONNECTED, GLOBAL_AVERAGE) and not include_top:
            break
        match layer.letter:
            case "C":
                _check_window(net, position, layer, number)
                filters, kernel, stride = layer.numbers
                width = template.width(filters)
                if stride > 1:
                    net.end_stage(position)
                position = net.relu(net.conv(f"{name}_conv", position, width, kernel, stride, bias=True))
            case "P":
                _check_window(net, position, layer, number)
                kernel, stride = layer.numbers
                position = net.pool(f"{name}_pool", "max", net.end_stage(position), kernel, stride, padding="valid")
            case "FC":
                source = position if flat else net.flatten(f"{TOP}{name}_flatten", position)
                dense = net.dense(f"{TOP}{name}_dense", source, template.width(layer.numbers[0]))
                position, flat = net.relu(dense), True
            case "GAP":
                position = net.relu(net.conv(CLASS_MAPS, position, template.classes, 1, bias=True))
                position, flat = net.global_pool("average", position, name=f"{name}_average"), True
        if number in rates and rates[number] > 0:
            position = net.dropout(f"{name}_dropout", position, rates[number])
    if include_top:
        source = position if flat else net.flatten("flatten", position)
        net.dense(CLASSIFIER, source, template.classes)
    elif features:
        net.stage_outputs(position)
    elif pooling is not None:
        net.global_pool({"avg": "average", "max": "max"}[pooling], position)
    return net.plan()


def check_rates(rates: Rates) -> None:
    """Refuse what are no rates.

    Raises:
        TemplateError: not lowest and highest, from 0 to below 1.
    """
    numbers = isinstance(rates, tuple | list) and all(type(rate) in (int, float) for rate in rates)
    if not numbers or len(rates) != 2 or not 0 <= rates[0] <= rates[1] < 1:
        raise TemplateError(f"Expected chain_dropout as lowest and highest rate, 0 to below 1. Received: {rates!r:.60}")


def dropout_rates(genotype: ChainGenotype, lowest: float = 0.0, highest: float = 0.5) -> dict[int, float]:
    """For each layer, counted from 1, that a dropout layer follows, its rate.

    Example:
        >>> dropout_rates(ChainGenotype.from_text("C(64,3,1),C(64,3,1),P(2,2),C(64,3,1),FC(128),SM"))
        {2: 0.125, 4: 0.25, 5: 0.375}
    """
    letters = [layer.letter for layer in genotype.layers]
    counted = [*letters, letters[-1] if letters else TERMINATION]
    connected, averages = counted.count(CONNECTED), counted.count(GLOBAL_AVERAGE)
    most = (len(counted) - averages - connected) // 2 + connected
    places = [
        number
        for number, letter in enumerate(letters, start=1)
        if letter != GLOBAL_AVERAGE and (number % 2 == 0 or letter == CONNECTED)
    ]
    return {number: max(lowest, highest * i / most) for i, number in enumerate(places, start=1)}


def _check_window(net: PlanBuilder, source: int, layer: ChainLayer, number: int) -> None:
    """A window must fit into the map, so that no map becomes smaller than a pixel.

    Raises:
        TemplateError: it does not; the message names the layer.
    """
    height, width, _ = net.shape(source)
    kernel = layer.numbers[1] if layer.letter == CONVOLUTION else layer.numbers[0]
    if any(size is not None and kernel > size for size in (height, width)):
        what = "pooled away to nothing" if layer.letter == POOLING else "smaller than the receptive field"
        raise TemplateError(
            f"Expected a map of at least {kernel}x{kernel} for layer {number}, {layer.text()}, of the chain, on images "
            f"of {net.shape(0)}. Received: a map of {height}x{width}, {what}"
        )
