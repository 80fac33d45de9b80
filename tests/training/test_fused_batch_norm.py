"""TensorFlow's fused batch normalisation against the stock layer."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("about TensorFlow", allow_module_level=True)

import tensorflow as tf

from automl_cells.training.engines.fused_batch_norm import FusedBatchNormalization

SHAPE = (8, 5, 4, 6)
ARGUMENTS = {"momentum": 0.7, "epsilon": 1e-3}


def pair(**arguments):
    """The fused and the stock layer, with the same scales, offsets and averages."""
    random = np.random.default_rng(0)
    layers = (
        FusedBatchNormalization(**ARGUMENTS, **arguments),
        keras.layers.BatchNormalization(**ARGUMENTS, **arguments),
    )
    values = [random.uniform(0.5, 2, SHAPE[-1]) for _ in range(4)]
    for layer in layers:
        layer.build((None, *SHAPE[1:]))
        layer.set_weights(values)
    return layers


def batch(seed):
    return np.random.default_rng(seed).normal(3, 2, SHAPE).astype(np.float32)


def outputs_and_gradients(layer, images, training):
    """Gradients of a sum in which every output has its own weight: a plain sum has none with respect to the images."""
    images = tf.constant(images)
    weights = tf.constant(batch(99))
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=training)
        total = tf.reduce_sum(weights * outputs)
    sources = [images, layer.gamma.value, layer.beta.value]
    return [outputs.numpy(), *(gradient.numpy() for gradient in tape.gradient(total, sources))]


def same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1.0, np.abs(other).max()))


def test_steps_of_training_are_those_of_the_stock_layer():
    fused, stock = pair()
    fresh = stock.get_weights()
    for step in range(4):
        same(*(outputs_and_gradients(layer, batch(step), True) for layer in (fused, stock)))
        same(fused.get_weights(), stock.get_weights())
    assert np.abs(fresh[2] - stock.get_weights()[2]).max() > 0.1  # the averages have moved


def test_inference_uses_the_averages_and_leaves_them():
    fused, stock = pair()
    before = fused.get_weights()
    same(*(outputs_and_gradients(layer, batch(7), False)[:1] for layer in (fused, stock)))
    same(fused.get_weights(), before)


def test_a_frozen_layer_keeps_its_averages_in_training():
    fused, stock = pair()
    fused.trainable = stock.trainable = False
    before = fused.get_weights()
    same(*(outputs_and_gradients(layer, batch(3), True)[:1] for layer in (fused, stock)))
    same(fused.get_weights(), before)


def test_in_bfloat16_averages_are_kept_in_float32():
    fused, stock = pair(dtype="mixed_bfloat16")
    outputs = [layer(batch(1), training=True) for layer in (fused, stock)]
    assert outputs[0].dtype == outputs[1].dtype == tf.bfloat16
    difference = np.abs(tf.cast(outputs[0], tf.float32) - tf.cast(outputs[1], tf.float32))
    assert difference.max() < 0.1
    assert {variable.dtype for variable in fused.variables} == {"float32"}
    for ours, theirs in zip(fused.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02)
