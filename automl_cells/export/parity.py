"""Parity: whether an exported file, loaded by the runtime it is meant for, says what Keras says on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from automl_cells.errors import ExportError

if TYPE_CHECKING:
    import keras

TOLERANCE = 1e-4
"""Largest absolute difference between outputs that an export may show."""

_BATCH = 32


class Parity(NamedTuple):
    """How far an exported model is from the Keras model that it came from.

    Attributes:
        max_abs_difference: largest absolute difference of any output on any image; NaN where an output is not finite.
        top1_agreement: fraction of the images (0 … 1) for which the largest output is the same one.
        images: number of images compared.
    """

    max_abs_difference: float
    top1_agreement: float
    images: int

    @property
    def holds(self) -> bool:
        """Whether the difference is a number within the tolerance."""
        return self.max_abs_difference <= TOLERANCE  # False for NaN


def measure_parity(
    model: keras.Model,
    run: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    fed: np.ndarray | None = None,
) -> Parity:
    """Compare `run` with `model` on `images`.

    The first image goes alone and the others in batches, so a file whose batch axis is not free cannot pass.

    Args:
        model: the Keras model.
        run: the exported model: (batch, height, width, channels) float32 → (batch, …), see `load_savedmodel` and
            `load_onnx`.
        images: (n, height, width, channels), as the model takes them (normalised), n ≥ 1.
        fed: the same images as the exported model takes them, if it takes them otherwise (pixels).

    Raises:
        ExportError: no images, images of a shape that the model does not take, or outputs of different shapes.
    """
    images = np.asarray(images, np.float32)
    expected = tuple(model.input_shape[1:])
    if images.ndim != 4 or not len(images) or not _fits(images.shape[1:], expected):
        raise ExportError(f"Expected at least one image of shape {expected}. Received: shape {images.shape}")
    difference, same = 0.0, 0
    for start, stop in _batches(len(images)):
        batch = images[start:stop]
        with _full_precision():
            reference = np.asarray(model(batch, training=False))
            exported = np.asarray(run(batch if fed is None else fed[start:stop]))
        if exported.shape != reference.shape:
            raise ExportError(
                f"Expected the exported model to give the shape {reference.shape}. Received: {exported.shape}"
            )
        with np.errstate(invalid="ignore"):  # infinity minus infinity: NaN, which np.maximum, unlike max(), hands on
            difference = float(np.maximum(difference, np.abs(exported - reference).max()))
        rows = len(batch)
        same += int((exported.reshape(rows, -1).argmax(1) == reference.reshape(rows, -1).argmax(1)).sum())
    return Parity(difference, same / len(images), len(images))


@contextmanager
def _full_precision() -> Iterator[None]:
    """No TensorFloat-32: on recent GPUs it would round Keras' convolutions to ten bits and blame the export."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(e is None or s == e for s, e in zip(shape, expected, strict=True))


def _batches(count: int) -> list[tuple[int, int]]:
    starts = [0, *range(1, count, _BATCH)]
    return list(zip(starts, [*starts[1:], count], strict=True))
