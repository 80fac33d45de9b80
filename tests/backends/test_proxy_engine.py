"""The backend's own proxy engine does what Keras' `fit` does under the same backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from automl_cells.builder import plan, template
from automl_cells.builder.plan import PlanBuilder
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.steps import engine_class
from automl_cells.evaluation.steps.keras_fit import KerasFitEngine
from automl_cells.evaluation.steps.network import Network
from automl_cells.genotypes import BlockGenotype

BACKEND = keras.backend.backend()
FAST = BlockGenotype.from_codes(  # every operation that is not in table 1 of BlockQNN, and poolings
    [
        (1, 8, 3, 0, 0),
        (2, 9, 3, 1, 0),
        (3, 10, 0, 2, 0),
        (4, 11, 0, 3, 0),
        (5, 2, 3, 4, 0),
        (6, 3, 3, 1, 0),
        (7, 5, 0, 5, 6),
        (8, 7, 0, 0, 0),
    ]
)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(24, 8, 8, 2)).astype(np.float32)
LABELS = RANDOM.integers(0, 5, 24)
ORDER = RANDOM.permutation(24).reshape(4, 6)
ADAM = proxy_protocol("blockqnn", epsilon=1e-3, l2=0.05)
SGD = proxy_protocol("nasnet", momentum=0.7, augmentation=[{"op": "horizontal_flip"}])


def by_hand():
    """Oblong windows, strides, margins, both borders; a dropout that drops nothing worth speaking of."""
    net = PlanBuilder((8, 8, 2))
    place = net.conv("oblong", 0, 6, (1, 3), (2, 1), padding="valid", bias=True)
    place = net.crop("crop", net.pad("pad", place, (0, 1, 2, 1)), (1, 0, 0, 2))
    place = net.batch_norm("norm", net.separable_conv("separable", place, 4, 3, stride=2))
    place = net.pool("valid", "max", place, 2, 1, padding="valid")
    net.dense("predictions", net.dropout("dropout", net.global_pool("max", place), 1e-7), 5)
    return net.plan()


def block():
    return plan(FAST, template("cifar", repeats=1, filters=(8,), input_shape=(8, 8, 2), classes=5))


@pytest.mark.skipif(engine_class(BACKEND) is KerasFitEngine, reason="no engine of its own")
@pytest.mark.parametrize("protocol", [ADAM, SGD], ids=["adam and l2", "sgd, augmented"])
@pytest.mark.parametrize("layers", [by_hand, block])
def test_it_trains_as_keras_does(layers, protocol):
    network, engines = Network(layers()), []
    weights = network.first_weights(1)
    for make in (engine_class(BACKEND), KerasFitEngine):
        engines.append(make(network, make.hold(IMAGES, LABELS, 5, protocol), protocol, weights))
    rates = np.array([0.01, 0.02, 0.01, 0.005])
    ours, theirs = (engine.epoch(ORDER, rates, (1, 2)) for engine in engines)
    assert ours.loss == pytest.approx(theirs.loss, abs=1e-4)
    assert ours.accuracy == pytest.approx(theirs.accuracy, abs=1e-6)
    np.testing.assert_allclose(engines[0].weights(), engines[1].weights(), atol=1e-4)
    np.testing.assert_allclose(engines[0].statistics(), engines[1].statistics(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(engines[0].logits(IMAGES), engines[1].logits(IMAGES), rtol=1e-3, atol=1e-3)
    assert np.abs(engines[0].weights() - weights).max() > 1e-3
    kept = engines[0].weights()
    for engine in engines:
        engine.observe(ORDER[:3])
    np.testing.assert_array_equal(engines[0].weights(), kept)
    np.testing.assert_allclose(engines[0].statistics(), engines[1].statistics(), rtol=1e-3, atol=1e-4)
