"""From a layer of a plan to the stock Keras layer that does it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from automl_cells.builder.plan import Layer

OF_SEVERAL = ("add", "concat", "multiply", "average")
"""Operations that read a list of tensors."""


class Choices(NamedTuple):
    """What a plan leaves open.

    Attributes:
        batch_norm: what makes a batch normalisation layer; called as `keras.layers.BatchNormalization`.
        batch_norm_momentum: weight of the past in its moving averages.
        batch_norm_epsilon: added to the variance.
        kernel_initializer: how kernels of convolutions start, in a form that Keras takes.
        dense_initializer: how those of fully connected layers start.
    """

    batch_norm: Callable[..., Any]
    batch_norm_momentum: float
    batch_norm_epsilon: float
    kernel_initializer: str | dict[str, Any]
    dense_initializer: str | dict[str, Any] = "glorot_uniform"


def operation(layer: Layer, choices: Choices) -> Callable[..., Any]:
    """The Keras layer for `layer`; called on a tensor, or on a list of them for the operations in `OF_SEVERAL`."""
    layers = keras.layers
    name, initializer = layer.name, choices.kernel_initializer
    match layer.op:
        case "conv":
            return layers.Conv2D(
                layer.shape[2],
                layer.kernel,
                strides=layer.stride,
                padding=layer.padding,
                dilation_rate=layer.dilation,
                use_bias=layer.bias,
                kernel_initializer=initializer,
                name=name,
            )
        case "separable_conv":
            return layers.SeparableConv2D(
                layer.shape[2],
                layer.kernel,
                strides=layer.stride,
                padding=layer.padding,
                use_bias=False,
                depthwise_initializer=initializer,
                pointwise_initializer=initializer,
                name=name,
            )
        case "batch_norm":
            return choices.batch_norm(
                momentum=choices.batch_norm_momentum, epsilon=choices.batch_norm_epsilon, name=name
            )
        case "relu":
            return layers.ReLU(name=name)
        case "max_pool":
            return layers.MaxPooling2D(layer.kernel, strides=layer.stride, padding=layer.padding, name=name)
        case "avg_pool":
            return layers.AveragePooling2D(layer.kernel, strides=layer.stride, padding=layer.padding, name=name)
        case "pad":
            return layers.ZeroPadding2D((layer.margins[:2], layer.margins[2:]), name=name)
        case "crop":
            return layers.Cropping2D((layer.margins[:2], layer.margins[2:]), name=name)
        case "add":
            return layers.Add(name=name)
        case "concat":
            return layers.Concatenate(name=name)
        case "multiply":
            return layers.Multiply(name=name)
        case "squeeze":
            return layers.GlobalAveragePooling2D(keepdims=True, name=name)
        case "sigmoid":
            return layers.Activation("sigmoid", name=name)
        case "self_attention":
            return _self_attention(layer, choices)
        case "global_average_pool":
            return layers.GlobalAveragePooling2D(name=name)
        case "global_max_pool":
            return layers.GlobalMaxPooling2D(name=name)
        case "flatten":
            return layers.Flatten(name=name)
        case "dropout":
            # With a seed of its own a layer's masks follow a variable under every backend; else torch's generator.
            return layers.Dropout(layer.rate, seed=random.randint(1, 10**9), name=name)
        case "dense":
            return layers.Dense(layer.shape[2], kernel_initializer=choices.dense_initializer, name=name)
        case "softmax":
            return layers.Activation("softmax", dtype="float32", name=name)
        case "average":
            return layers.Average(dtype="float32", name=name)
    raise AssertionError(f"a planner made the unknown operation {layer.op!r}")


def _self_attention(layer: Layer, choices: Choices) -> Callable[..., Any]:
    """Three Keras layers, the last of which has the name: a row of positions, attention, a map again.

    Keras can attend along both axes of a map, but then writes softmax and products in a dozen operations, most of them
    without an 8-bit form.
    """
    height, width, channels = layer.shape
    row = keras.layers.Reshape(((height or 0) * (width or 0), channels), name=f"{layer.name}_row")
    attention = keras.layers.MultiHeadAttention(
        layer.heads,
        layer.head_width,
        use_bias=False,
        kernel_initializer=choices.dense_initializer,
        name=f"{layer.name}_heads",
    )
    back = keras.layers.Reshape(layer.shape, name=layer.name)

    def attend(tensor: Any) -> Any:
        positions = row(tensor)
        return back(attention(positions, positions))

    return attend
