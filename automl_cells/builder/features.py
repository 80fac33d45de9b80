"""The feature maps of several scales that a plan with ``features=True`` hands out."""

from __future__ import annotations

from typing import NamedTuple

from automl_cells.builder.plan import Plan, Shape, pair


class FeatureMap(NamedTuple):
    """One of the outputs of a network for detection or segmentation.

    Attributes:
        name: of the layer whose output it is, a ReLU.
        stride: image pixels a pixel of the map, in each direction.
        shape: (height, width, channels); height and width are the image's divided by the stride and rounded up, save
            that of a stem without a border (cells in ``imagenet``), of n pixels (n - 3) // 2 + 1, and that of the
            poolings of chains, which have none either.
    """

    name: str
    stride: int
    shape: Shape


def feature_maps(plan: Plan) -> tuple[FeatureMap, ...]:
    """The outputs of a plan made with ``features=True``, the largest map first.

    They are the last map before each downsampling and the last map of the network, so for blocks and cells the strides
    double from map to map: 1, 2, 4 in the template ``cifar``; 1, 2, 4, 8, 16, 32 in ``imagenet``, whose first two are
    of the stem.
    """
    strides: list[int] = []
    for layer in plan:
        strides.append(pair(layer.stride)[0] * (strides[layer.inputs[0]] if layer.inputs else 1))
    return tuple(FeatureMap(plan[i].name, strides[i], plan[i].shape) for i in plan[-1].inputs)
