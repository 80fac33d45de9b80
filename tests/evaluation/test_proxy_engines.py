import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from automl_cells.augmentation import augment
from automl_cells.builder import plan, template
from automl_cells.builder.plan import PlanBuilder
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.steps import engine_class
from automl_cells.evaluation.steps.batches import augmented_batches
from automl_cells.evaluation.steps.keras_fit import KerasFitEngine
from automl_cells.evaluation.steps.network import Network
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


MOMENTUM = proxy_protocol("nasnet", momentum=0.7, l2=0.05, augmentation=())
AUGMENTED = proxy_protocol(
    MOMENTUM, augmentation=[{"op": "upsample_crop", "scale": 1.5}, {"op": "mixup", "alpha": 0.5}]
)
PROTOCOLS = pytest.mark.parametrize("protocol", [PROTOCOL, MOMENTUM, AUGMENTED], ids=["adam", "sgd", "augmented"])
FALLING = np.linspace(0.05, 0.01, len(ORDER))


def same_rate(rate, steps=6):
    return np.full(steps, rate)


def engine_of(cls, network, images, labels, protocol, weights=None):
    classes = network.plan[-1].shape[2]
    fresh = network.first_weights(3) if weights is None else np.float32(weights)
    return cls(network, cls.hold(images, labels, classes, protocol), protocol, fresh)


def block(cls, protocol, images=IMAGES):
    """An engine of a small network with batch normalisation, of the same first weights every time."""
    return engine_of(cls, Network(plan(BLOCK, FRAME)), images, LABELS, protocol)


def linear(cls, x, y, protocol):
    """An engine of logits x·W + b of two inputs for two classes, from weights that are known."""
    net = PlanBuilder((1, 1, 2))
    net.dense("predictions", net.flatten("flatten", 0), 2)
    return engine_of(cls, Network(net.plan()), x.reshape(-1, 1, 1, 2), y, protocol, [0.5, -0.25, 1.0, 0.0, 0.1, 0.0])


def both(engine):
    """Kernel and bias of a linear network."""
    weights = engine.weights()
    return weights[:4].reshape(2, 2), weights[4:]


def same(ours, theirs, tolerance=1e-5):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("rates", [same_rate(0.01), FALLING], ids=["one rate", "many rates"])
@pytest.mark.parametrize(
    "protocol",
    [PROTOCOL, proxy_protocol(PROTOCOL, l2=0.05), MOMENTUM, proxy_protocol(MOMENTUM, momentum=0.0), AUGMENTED],
    ids=["adam", "adam and l2", "momentum", "no momentum", "augmented"],
)
def test_the_tensorflow_engine_trains_as_keras_does(protocol, rates):
    engines = [block(cls, protocol) for cls in (TensorFlowEngine, KerasFitEngine)]
    fresh = engines[0].weights()
    same([fresh], [engines[1].weights()], 0)
    for factor in (1, 0.2):  # twelve steps; the moments go on from one epoch to the next
        ours, theirs = (engine.epoch(ORDER, factor * rates, (1, 2)) for engine in engines)
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
        assert ours.accuracy == pytest.approx(theirs.accuracy, abs=1e-6)
    same([engines[0].weights()], [engines[1].weights()], 2e-5)
    same([engines[0].statistics()], [engines[1].statistics()], 2e-5)
    assert np.abs(fresh - engines[0].weights()).max() > 0.01
    same([engines[0].logits(IMAGES)], [engines[1].logits(IMAGES)], 1e-4)


@pytest.mark.parametrize("l2", [0.0, 0.02])
@pytest.mark.parametrize("base", ["adam", "sgd"])
def test_fifty_steps_are_those_of_keras_own_optimizer(base, l2):
    """Keras' own optimizer and gradients, with a rate that changes: TensorFlow's other momentum would differ."""
    x, y = RANDOM.normal(size=(20, 2)).astype(np.float32), RANDOM.integers(0, 2, 20)
    order, rates = (
        np.concatenate([RANDOM.permutation(20).reshape(5, 4) for _ in range(10)]),
        np.geomspace(0.4, 0.01, 50),
    )
    protocol = proxy_protocol(PROTOCOL if base == "adam" else MOMENTUM, l2=l2)
    optimizer = keras.optimizers.SGD(momentum=0.7)
    if base == "adam":
        optimizer = keras.optimizers.Adam(beta_1=0.8, beta_2=0.95, epsilon=1e-3)
    ours = linear(TensorFlowEngine, x, y, protocol)
    inputs = keras.Input((2,))
    penalty = keras.regularizers.L2(l2 / 2)
    theirs = keras.Model(inputs, keras.layers.Dense(2, kernel_regularizer=penalty)(inputs))
    theirs.set_weights(both(ours))
    ours.epoch(order[:25], rates[:25])
    ours.epoch(order[25:], rates[25:])
    theirs.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for rate, batch in zip(rates, order, strict=True):
        optimizer.learning_rate = rate
        theirs.train_on_batch(x[batch], y[batch])
    same(both(ours), theirs.get_weights(), 1e-6)


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


def momentum(x, y, order, rates, protocol):
    """SGD with momentum and the penalty ½·l2·‖W‖² on softmax regression in NumPy, double precision."""
    parameters = [np.array([[0.5, -0.25], [1.0, 0.0]]), np.array([0.1, 0.0])]
    velocities = [np.zeros_like(p) for p in parameters]
    for rate, batch in zip(rates, order, strict=True):
        scores = np.exp(x[batch] @ parameters[0] + parameters[1])
        error = (scores / scores.sum(1, keepdims=True) - np.eye(2)[y[batch]]) / len(batch)
        gradients = x[batch].T @ error + protocol.l2 * parameters[0], error.sum(0)  # none of the bias
        for i, gradient in enumerate(gradients):
            velocities[i] = protocol.momentum * velocities[i] - rate * gradient
            parameters[i] = parameters[i] + velocities[i]
    return parameters


@ENGINES
def test_the_optimizer_is_adam_as_the_paper_writes_it(engine):
    x, y = RANDOM.normal(size=(20, 2)).astype(np.float32), RANDOM.integers(0, 2, 20)
    order = np.arange(20).reshape(4, 5)
    training = linear(engine, x, y, PROTOCOL)
    training.epoch(order, same_rate(0.05, 4))
    same(both(training), adam(x.astype(float), y, order, 0.05, PROTOCOL), 1e-6)


@ENGINES
def test_the_optimizer_is_sgd_with_momentum_and_coupled_l2_along_a_cosine(engine):
    x, y = RANDOM.normal(size=(40, 2)).astype(np.float32), RANDOM.integers(0, 2, 40)
    order = np.arange(40).reshape(8, 5)
    protocol = proxy_protocol(MOMENTUM, l2=0.3, epochs=2, learning_rate=0.5)
    rates = 0.5 * (1 + np.cos(np.pi * np.arange(8) / 8)) / 2
    training = linear(engine, x, y, protocol)
    for epoch in range(2):
        training.epoch(order[4 * epoch : 4 * epoch + 4], protocol.learning_rates(epoch, 4))
    expected = momentum(x.astype(float), y, order, rates, protocol)
    same(both(training), expected, 1e-6)
    without = momentum(x.astype(float), y, order, rates, proxy_protocol(protocol, l2=0.0))
    assert np.abs(expected[0] - without[0]).max() > 0.05


@ENGINES
def test_l2_is_of_all_kernels_and_of_nothing_else(engine):
    """Where the loss has no gradient (black images: the biases alone have one), only what decays moves."""
    net = PlanBuilder((4, 4, 2))
    maps = net.batch_norm("norm", net.separable_conv("separable", net.conv("conv", 0, 2, 3), 3, 3))
    net.dense("predictions", net.flatten("flatten", maps), 2)
    network = Network(net.plan())
    protocol = proxy_protocol(MOMENTUM, momentum=0.0, l2=0.5)
    training = engine_of(engine, network, np.zeros((4, 4, 4, 2), np.float32), np.array([0, 1, 0, 1]), protocol)
    before = training.weights()
    training.epoch(np.array([[0, 1]]), np.array([0.2]))
    shrunk = np.where(np.arange(before.size) < network.kernels, 0.9, 1.0)
    np.testing.assert_allclose(training.weights(), shrunk * before, rtol=1e-5, atol=1e-7)
    assert network.kernels == 9 * 2 * 2 + 9 * 2 + 2 * 3 + 48 * 2 == before.size - 3 - 3 - 2


@ENGINES
def test_augmented_batches_are_those_of_augment_for_the_seed(engine):
    """An engine that augments trains as one that is given the augmented images, batch after batch."""
    steps = [{"op": "upsample_crop", "scale": 1.5}, {"op": "horizontal_flip"}, {"op": "cutout", "size": 2}]
    protocol = proxy_protocol(MOMENTUM, augmentation=steps)
    ready = IMAGES.copy()
    for number, batch in enumerate(ORDER):
        rng = np.random.default_rng([5, 0, 2, number])
        ready[batch] = augment(IMAGES[batch], np.zeros((8, 3), np.float32), protocol.augmentation, rng)[0]
    engines = [block(engine, MOMENTUM, ready), *(block(engine, protocol) for _ in range(3))]
    seeds = [None, (5, 0, 2), (5, 0, 3), (5, 0, 2)]
    results = [each.epoch(ORDER, FALLING, seed) for each, seed in zip(engines, seeds, strict=True)]
    assert results[0].loss == pytest.approx(results[1].loss, abs=1e-5)
    assert results[0].accuracy == pytest.approx(results[1].accuracy, abs=1e-6)
    same([engines[0].weights()], [engines[1].weights()])
    assert abs(results[0].loss - results[2].loss) > 1e-3
    same([engines[1].weights()], [engines[3].weights()], 1e-6)


@ENGINES
def test_without_a_seed_nothing_is_augmented(engine):
    ours, plain = block(engine, AUGMENTED), block(engine, MOMENTUM)
    found, expected = ours.epoch(ORDER, FALLING), plain.epoch(ORDER, FALLING)
    assert found.loss == pytest.approx(expected.loss, abs=1e-5)
    same([ours.weights()], [plain.weights()])


def test_batches_come_with_their_targets_and_are_mixed_alike():
    rng = np.random.default_rng([4, 1])
    expected = augment(IMAGES[ORDER[1]], np.eye(3, dtype=np.float32)[LABELS[ORDER[1]]], AUGMENTED.augmentation, rng)
    made = list(augmented_batches(IMAGES, LABELS, 3, ORDER, AUGMENTED.augmentation, (4,)))
    assert len(made) == len(ORDER)
    for found, wanted in zip(made[1], expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted)
    assert (made[1][1].max(axis=1) < 1).any()


@ENGINES
@PROTOCOLS
def test_observing_changes_no_weight_and_no_moment(engine, protocol):
    engines = [block(engine, protocol), block(engine, protocol)]
    for each in engines:
        each.epoch(ORDER, FALLING, (1,))
    before, statistics = engines[0].weights(), engines[0].statistics()
    engines[0].observe(ORDER[:2])
    same([before], [engines[0].weights()], 0)
    assert not np.allclose(statistics, engines[0].statistics())  # batch normalisation has looked at the batches
    for each in engines:
        each.epoch(ORDER, FALLING, (2,))
    same([engines[0].weights()], [engines[1].weights()], 1e-6)


@ENGINES
def test_what_is_observed_is_not_augmented(engine):
    net = PlanBuilder((6, 6, 2))
    net.dense("predictions", net.flatten("flatten", net.batch_norm("norm", 0)), 3)
    training = engine_of(engine, Network(net.plan()), IMAGES, LABELS, AUGMENTED)
    np.testing.assert_array_equal(training.statistics(), [0, 0, 1, 1])
    training.observe(ORDER[2:3])
    batch = IMAGES[ORDER[2]].astype(np.float64)
    same(np.split(training.statistics(), 2), [batch.mean((0, 1, 2)), batch.var((0, 1, 2))])


@ENGINES
@PROTOCOLS
def test_a_reset_forgets_the_moments(engine, protocol):
    training = block(engine, protocol)
    fresh = training.weights()
    training.epoch(ORDER, same_rate(0.01))
    once = training.weights()
    training.epoch(ORDER, same_rate(0.01))
    twice = training.weights()
    training.reset(fresh)
    same([training.weights()], [fresh], 0)
    training.epoch(ORDER, same_rate(0.01))
    same([training.weights()], [once], 1e-6)
    training.epoch(ORDER, same_rate(0.01))
    same([training.weights()], [twice], 1e-5)
    training.reset(once)  # the weights without the moments
    training.epoch(ORDER, same_rate(0.01))
    assert np.abs(training.weights() - twice).max() > 1e-3


@ENGINES
def test_loss_and_accuracy_are_the_means_over_the_steps(engine):
    x = np.array([[1, 0], [0, 1], [0, 0], [-1, 0]], np.float32)
    y = np.array([0, 1, 0, 1])
    # differences of the logits (class 0 - class 1): 0.85, 1.1, 0.1, -0.65; cross-entropies ln(1 + e^∓difference)
    losses = [math.log1p(math.exp(z)) for z in (-0.85, 1.1, -0.1, -0.65)]
    found = linear(engine, x, y, PROTOCOL).epoch(np.array([[0, 1], [2, 3]]), same_rate(0.0, 2))
    assert found.loss == pytest.approx(sum(losses) / 4, abs=1e-6)
    assert found.accuracy == pytest.approx(0.75)


@ENGINES
def test_logits_of_more_images_than_a_batch_holds(engine):
    images = RANDOM.normal(size=(2001, 2)).astype(np.float32)
    expected = images @ np.array([[0.5, -0.25], [1.0, 0.0]]) + np.array([0.1, 0.0])
    training = linear(engine, images[:4], np.zeros(4, int), PROTOCOL)
    np.testing.assert_allclose(training.logits(images.reshape(-1, 1, 1, 2)), expected, atol=1e-5)


def test_each_backend_has_its_engine():
    assert engine_class("tensorflow") is TensorFlowEngine
    assert engine_class("torch") is KerasFitEngine


def test_tensorflow_is_left_as_it_was():
    """Its passes over graphs are off for our graph only."""
    seen = []
    data = TensorFlowEngine.hold(IMAGES, LABELS, 3, PROTOCOL)
    inside = data.batches
    data.batches = lambda *given: seen.append(tf.config.optimizer.get_experimental_options()) or inside(*given)
    network = Network(plan(BLOCK, FRAME))
    TensorFlowEngine(network, data, PROTOCOL, network.first_weights(0)).epoch(ORDER, FALLING)
    assert seen[0]["disable_meta_optimizer"]
    assert not tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"]
