import math

import keras
import numpy as np
import pytest

from automl_cells.builder import build, template
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.steps import engine_class
from automl_cells.evaluation.steps.keras_fit import KerasFitEngine
from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine
from automl_cells.genotypes import BlockGenotype

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 3, 3, 1, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0)])
FRAME = template("cifar", repeats=1, filters=(4,), input_shape=(6, 6, 2), classes=3)
ENGINES = pytest.mark.parametrize("engine", [TensorFlowEngine, KerasFitEngine])
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(60, 6, 6, 2)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 60)
ORDER = RANDOM.permutation(60)[:48].reshape(6, 8)
# An ε far from the paper's 1e-8, and odd βs: where they stand in the formula is seen.
PROTOCOL = proxy_protocol("blockqnn", epsilon=1e-3, beta_1=0.8, beta_2=0.95)


def network():
    keras.utils.set_random_seed(3)
    return build(BLOCK, FRAME, classifier_activation=None, batch_norm_momentum=0.0)


def linear():
    """Logits x·W + b of two inputs for two classes, from weights that are known."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.set_weights([np.array([[0.5, -0.25], [1.0, 0.0]]), np.array([0.1, 0.0])])
    return model


def same(ours, theirs, tolerance=1e-5):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def test_the_tensorflow_engine_trains_as_keras_does():
    models = network(), network()
    engines = [
        cls(m, IMAGES, LABELS, PROTOCOL) for cls, m in zip((TensorFlowEngine, KerasFitEngine), models, strict=True)
    ]
    fresh = models[0].get_weights()
    same(fresh, models[1].get_weights(), 0)
    for rate in (0.01, 0.002):  # twelve steps; the moments go on from one epoch to the next
        ours, theirs = (engine.epoch(ORDER, rate) for engine in engines)
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
        assert ours.accuracy == pytest.approx(theirs.accuracy, abs=1e-6)
    same(models[0].get_weights(), models[1].get_weights())  # the statistics of batch normalisation among them
    assert max(np.abs(old - new).max() for old, new in zip(fresh, models[0].get_weights(), strict=True)) > 0.01
    same([engines[0].logits(IMAGES)], [engines[1].logits(IMAGES)], 1e-4)


def adam(x, y, order, rate, protocol):
    """Adam on softmax regression in NumPy, double precision, from the paper of Kingma and Ba (2015, section 2)."""
    parameters = [np.array([[0.5, -0.25], [1.0, 0.0]]), np.array([0.1, 0.0])]
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    for step, batch in enumerate(order, start=1):
        scores = np.exp(x[batch] @ parameters[0] + parameters[1])
        error = (scores / scores.sum(1, keepdims=True) - np.eye(2)[y[batch]]) / len(batch)
        alpha = rate * math.sqrt(1 - protocol.beta_2**step) / (1 - protocol.beta_1**step)
        for i, gradient in enumerate((x[batch].T @ error, error.sum(0))):
            first[i] = protocol.beta_1 * first[i] + (1 - protocol.beta_1) * gradient
            second[i] = protocol.beta_2 * second[i] + (1 - protocol.beta_2) * gradient**2
            parameters[i] = parameters[i] - alpha * first[i] / (np.sqrt(second[i]) + protocol.epsilon)
    return parameters


@ENGINES
def test_the_optimizer_is_adam_as_the_paper_writes_it(engine):
    x, y = RANDOM.normal(size=(20, 2)).astype(np.float32), RANDOM.integers(0, 2, 20)
    order = np.arange(20).reshape(4, 5)
    model = linear()
    engine(model, x, y, PROTOCOL).epoch(order, 0.05)
    same(model.get_weights(), adam(x.astype(float), y, order, 0.05, PROTOCOL), 1e-6)


@ENGINES
def test_a_rate_of_zero_changes_no_weight(engine):
    model = network()
    before = [variable.numpy().copy() for variable in model.trainable_variables]
    statistics = [variable.numpy().copy() for variable in model.non_trainable_variables]
    engine(model, IMAGES, LABELS, PROTOCOL).epoch(ORDER, 0.0)
    same(before, [variable.numpy() for variable in model.trainable_variables], 0)
    moved = [not np.allclose(old, new) for old, new in zip(statistics, model.non_trainable_variables, strict=True)]
    assert any(moved)  # batch normalisation has looked at the batches


@ENGINES
def test_a_reset_forgets_the_moments(engine):
    model = network()
    fresh = model.get_weights()
    training = engine(model, IMAGES, LABELS, PROTOCOL)
    training.epoch(ORDER, 0.01)
    once = model.get_weights()

    model.set_weights(fresh)
    training.epoch(ORDER, 0.01)
    remembering = model.get_weights()
    model.set_weights(fresh)
    training.reset()
    training.epoch(ORDER, 0.01)
    same(model.get_weights(), once, 1e-6)
    assert max(np.abs(one - two).max() for one, two in zip(once, remembering, strict=True)) > 1e-3


@ENGINES
def test_loss_and_accuracy_are_the_means_over_the_steps(engine):
    x = np.array([[1, 0], [0, 1], [0, 0], [-1, 0]], np.float32)
    y = np.array([0, 1, 0, 1])
    # differences of the logits (class 0 - class 1): 0.85, 1.1, 0.1, -0.65; cross-entropies ln(1 + e^∓difference)
    losses = [math.log1p(math.exp(z)) for z in (-0.85, 1.1, -0.1, -0.65)]
    found = engine(linear(), x, y, PROTOCOL).epoch(np.array([[0, 1], [2, 3]]), 0.0)
    assert found.loss == pytest.approx(sum(losses) / 4, abs=1e-6)
    assert found.accuracy == pytest.approx(0.75)


@ENGINES
def test_logits_of_more_images_than_a_batch_holds(engine):
    images = RANDOM.normal(size=(2001, 2)).astype(np.float32)
    model = linear()
    expected = images @ np.array([[0.5, -0.25], [1.0, 0.0]]) + np.array([0.1, 0.0])
    np.testing.assert_allclose(
        engine(model, images[:4], np.zeros(4, int), PROTOCOL).logits(images), expected, atol=1e-5
    )


def test_each_backend_has_its_engine():
    assert engine_class("tensorflow") is TensorFlowEngine
    assert engine_class("jax") is engine_class("torch") is KerasFitEngine
