"""How much memory the feature maps of a network need at once, read from its plan. Needs no framework."""

from __future__ import annotations

from typing import NamedTuple

from automl_cells.builder.plan import Layer, Plan

FLOAT_BYTES = 4  # float32

# What hands its input on outside of training, and so needs no memory of its own.
_TRAINING_ONLY = ("dropout", "drop_path")
# Operations that need their inputs and their output, and nothing else of size.
_PLAIN = frozenset(
    {
        "input", "conv", "batch_norm", "relu", "max_pool", "avg_pool", "pad", "crop", "add", "concat", "flatten",
        "global_average_pool", "global_max_pool", "squeeze", "sigmoid", "multiply", "dense", "softmax", "average",
    }
)  # fmt: skip


class _Step(NamedTuple):
    """One tensor that is written: how many values it has, and the numbers of the steps that wrote what it reads."""

    values: int
    reads: tuple[int, ...]


def peak_memory(plan: Plan) -> int | None:
    """Peak activation memory: bytes of float32 of the tensors that are alive at once, for one image.

    The layers are run one by one in the order of the plan. While one runs, its inputs, its output and all earlier
    tensors that a later layer reads are alive. A tensor dies when its last reader has run, an output of the network
    never.
    The peak is the largest sum over all layers. This is the working set of Liberis & Lane ("Neural networks on
    microcontrollers: saving memory at inference via operator reordering", arXiv 1910.05110) for the order as it
    stands, and what MCUNet (Lin et al., NeurIPS 2020) bounds by the SRAM of a device, there in int8: a quarter.

    The image counts, weights do not. Nothing is done in place, nothing is fused, and no scratch space of a convolution
    algorithm is counted: every layer writes a tensor of its own, ReLU, batch normalisation and flattening too. A
    separable convolution is two layers, with the map of the depthwise one between them; self-attention writes queries,
    keys, values, the scores of all pairs of positions, their softmax, and the values so weighed, before its output;
    dropout and dropped paths write nothing, since they act in training only.

    Args:
        plan: of a network.

    Returns:
        Bytes; ``None`` where the input size is open.
    """
    if any(None in layer.shape for layer in plan):
        return None
    steps, outputs = _steps(plan)
    last = list(range(len(steps)))  # for each tensor the step after which it is dead
    for number, step in enumerate(steps):
        for source in step.reads:
            last[source] = number
    for source in outputs:
        last[source] = len(steps)
    dying = [0] * (len(steps) + 1)
    for step, end in zip(steps, last, strict=True):
        dying[end] += step.values
    alive = peak = 0
    for step, dead in zip(steps, dying, strict=False):
        alive += step.values
        peak = max(peak, alive)
        alive -= dead
    return FLOAT_BYTES * peak


def _steps(plan: Plan) -> tuple[list[_Step], tuple[int, ...]]:
    """The tensors in the order in which they are written, and the numbers of those that are outputs."""
    steps: list[_Step] = []
    written: list[int] = []  # for each layer the number of the step that wrote its output
    for layer in plan:
        reads = tuple(written[source] for source in layer.inputs)
        if layer.op == "outputs":
            return steps, reads
        if layer.op in _TRAINING_ONLY:
            written.append(reads[0])
            continue
        if layer.op == "separable_conv":
            steps.append(_Step(_pixels(layer) * plan[layer.inputs[0]].shape[2], reads))
            reads = (len(steps) - 1,)
        elif layer.op == "self_attention":
            steps += _attention(layer, reads, len(steps))
            reads = (len(steps) - 1,)
        elif layer.op not in _PLAIN:
            raise AssertionError(f"the memory of the operation {layer.op!r} is not known")
        steps.append(_Step(_pixels(layer) * layer.shape[2], reads))
        written.append(len(steps) - 1)
    return steps, (written[-1],)


def _attention(layer: Layer, reads: tuple[int, ...], start: int) -> list[_Step]:
    """Queries, keys, values, scores, softmax, and values so weighed; the first of them is step `start`."""
    inner = _pixels(layer) * layer.heads * layer.head_width
    scores = layer.heads * _pixels(layer) ** 2
    queries, keys, values, softmax = start, start + 1, start + 2, start + 4
    return [
        *(_Step(inner, reads) for _ in (queries, keys, values)),
        _Step(scores, (queries, keys)),
        _Step(scores, (softmax - 1,)),
        _Step(inner, (softmax, values)),
    ]


def _pixels(layer: Layer) -> int:
    height, width, _ = layer.shape
    return (height or 0) * (width or 0)
