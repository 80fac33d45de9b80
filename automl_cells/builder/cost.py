"""What a network costs, read from its plan: parameters and multiply-adds. Needs no framework and nothing built."""

from __future__ import annotations

from typing import NamedTuple

from automl_cells.builder.plan import Plan, pair


class Cost(NamedTuple):
    """The cost of one network.

    Attributes:
        parameters: trainable parameters: kernels, biases, γ and β of batch normalisation.
        total_parameters: with the moving mean and variance of batch normalisation, as ``model.count_params()``.
        flops: multiply-adds of the convolutions and dense layers for one image, Σ n_in·k²·n_out·m² (the "time cost" of
            He & Sun 2015 that BlockQNN's reward uses); a separable convolution is a depthwise and a 1×1 one, both over
            the map that comes out; self-attention is four projections of every position and two products of every
            position with every other. ``None`` where the input size is open.
    """

    parameters: int
    total_parameters: int
    flops: int | None


def cost(plan: Plan) -> Cost:
    """Parameters and multiply-adds of a plan.

    Args:
        plan: of one network, with or without its top; see `automl_cells.builder.plan`.
    """
    parameters = statistics = 0
    flops: int | None = 0
    for layer in plan:
        height, width, channels = layer.shape
        if layer.op in ("conv", "separable_conv"):
            tall, wide = pair(layer.kernel)
            before = plan[layer.inputs[0]].shape[2]
            kernel = tall * wide * before * channels if layer.op == "conv" else before * (tall * wide + channels)
            parameters += kernel
            flops = None if flops is None or height is None or width is None else flops + kernel * height * width
            parameters += channels if layer.bias else 0
        elif layer.op == "self_attention":
            inner, positions = layer.heads * layer.head_width, (height or 0) * (width or 0)
            parameters += 4 * channels * inner
            flops = None if flops is None else flops + (4 * channels + 2 * positions) * inner * positions
        elif layer.op == "batch_norm":
            parameters += 2 * channels
            statistics += 2 * channels
        elif layer.op == "dense":
            kernel = plan[layer.inputs[0]].shape[2] * channels
            parameters += kernel + channels
            flops = None if flops is None else flops + kernel
    return Cost(parameters, parameters + statistics, flops)
