"""From a layer of a plan to the stock Keras layer that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from automl_cells.builder.plan import Layer

BATCH_NORM_EPSILON = 1e-3


def operation(
    layer: Layer, batch_norm_momentum: float, batch_norm: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """The Keras layer for `layer`; called on one tensor, or on a list of tensors for ``add`` and ``concat``.

    Kernels start from He's initialisation (normal, fan-in), as both BlockQNN trainings do (sections 4.2, 4.3).
    """
    layers = keras.layers
    name = layer.name
    match layer.op:
        case "conv":
            return layers.Conv2D(
                layer.shape[2],
                layer.kernel,
                strides=layer.stride,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=name,
            )
        case "batch_norm":
            return (batch_norm or layers.BatchNormalization)(
                momentum=batch_norm_momentum, epsilon=BATCH_NORM_EPSILON, name=name
            )
        case "relu":
            return layers.ReLU(name=name)
        case "max_pool":
            return layers.MaxPooling2D(layer.kernel, strides=layer.stride, padding="same", name=name)
        case "avg_pool":
            return layers.AveragePooling2D(layer.kernel, strides=layer.stride, padding="same", name=name)
        case "add":
            return layers.Add(name=name)
        case "concat":
            return layers.Concatenate(name=name)
        case "global_average_pool":
            return layers.GlobalAveragePooling2D(name=name)
        case "global_max_pool":
            return layers.GlobalMaxPooling2D(name=name)
        case "dense":
            return layers.Dense(layer.shape[2], name=name)
    raise AssertionError(f"a planner made the unknown operation {layer.op!r}")
