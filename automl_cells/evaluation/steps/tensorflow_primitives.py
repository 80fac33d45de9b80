"""The primitives of `interpreter` in TensorFlow: single operations, called as directly as it lets one."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

_RAW = tf.raw_ops
_MAP = (1, 2)  # the axes of height and width


def conv(x: tf.Tensor, kernel: tf.Tensor, stride: tuple[int, int], padding: str, dilation: int) -> tf.Tensor:
    """See `Primitives`."""
    if dilation > 1:  # without oneDNN TensorFlow has no gradient of it on CPUs: this makes batches of what is apart
        return tf.nn.convolution(x, kernel, stride, padding.upper(), dilations=dilation)
    return _RAW.Conv2D(input=x, filter=kernel, strides=[1, *stride, 1], padding=padding.upper())


def depthwise_conv(x: tf.Tensor, kernel: tf.Tensor, stride: tuple[int, int]) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.DepthwiseConv2dNative(input=x, filter=kernel, strides=[1, *stride, 1], padding="SAME")


def max_pool(x: tf.Tensor, window: tuple[int, int], stride: tuple[int, int], padding: str) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.MaxPool(input=x, ksize=[1, *window, 1], strides=[1, *stride, 1], padding=padding.upper())


def avg_pool(x: tf.Tensor, window: tuple[int, int], stride: tuple[int, int], padding: str) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.AvgPool(value=x, ksize=[1, *window, 1], strides=[1, *stride, 1], padding=padding.upper())


def pad(x: tf.Tensor, margins: tuple[int, int, int, int]) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Pad(input=x, paddings=[[0, 0], [*margins[:2]], [*margins[2:]], [0, 0]])


def crop(x: tf.Tensor, margins: tuple[int, int, int, int]) -> tf.Tensor:
    """See `Primitives`."""
    above, below, left, right = margins
    return x[:, above : x.shape[1] - below, left : x.shape[2] - right]


def add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.BiasAdd(value=x, bias=bias)


def add(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.AddN(inputs=list(terms))


def concat(maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.ConcatV2(values=list(maps), axis=3)


def multiply(x: tf.Tensor, y: tf.Tensor | float) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Mul(x=x, y=y)


def matmul(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.MatMul(a=x, b=y) if len(x.shape) == 2 else _RAW.BatchMatMulV2(x=x, y=y)


def reshape(x: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Reshape(tensor=x, shape=list(shape))


def transpose(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Transpose(x=x, perm=list(axes))


def relu(x: tf.Tensor) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Relu(features=x)


def sigmoid(x: tf.Tensor) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Sigmoid(x=x)


def softmax(x: tf.Tensor) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Softmax(logits=x)


def mean(x: tf.Tensor, keep: bool) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Mean(input=x, axis=_MAP, keep_dims=keep)


def maximum(x: tf.Tensor) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.Max(input=x, axis=_MAP)


def dropout(x: tf.Tensor, rate: float, key: tf.Tensor, place: int) -> tf.Tensor:
    """See `Primitives`; `key` is a number."""
    return tf.nn.experimental.stateless_dropout(x, rate=rate, seed=tf.stack([key, tf.constant(place)]))


def normalise(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """See `Primitives`."""
    return _RAW.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    )[0]


def normalise_batch(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """See `Primitives`, but that variances are divided by n - 1: who wants them corrects all layers' at once."""
    nothing = tf.constant((), tf.float32)
    found = _RAW.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=nothing, variance=nothing, epsilon=epsilon, is_training=True
    )
    return found[0], found[1], found[2]
