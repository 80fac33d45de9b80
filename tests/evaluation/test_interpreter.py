"""A network straight from its plan does what the Keras model of the same plan does."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from automl_cells.builder import build, operations, plan, template
from automl_cells.builder.plan import PlanBuilder
from automl_cells.errors import TemplateError
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.steps import interpreter
from automl_cells.evaluation.steps.keras_fit import KerasFitEngine, keras_model
from automl_cells.evaluation.steps.network import Network
from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine
from automl_cells.genotypes import load
from automl_cells.genotypes.ensemble import EnsembleGenotype
from automl_cells.spaces import space
from automl_cells.strategies.base import proposal, uniform_decisions

SHAPE, BATCH = (8, 8, 2), 6
# The gradient itself: one step of a rate of 1 without momentum.
GRADIENT = proxy_protocol("nasnet", momentum=0.0, l2=0.0, augmentation=())
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(BATCH, *SHAPE)).astype(np.float32)
LABELS = RANDOM.integers(0, 5, BATCH)


def frame_of(genotype):
    sizes = {} if genotype.kind == "chain" else {"repeats": 1, "filters": (4, 8)}
    return template(None, kind=genotype.kind, input_shape=SHAPE, classes=5, **sizes)


def network_of(genotype):
    frame = frame_of(genotype)
    return Network(plan(genotype, frame), frame.epsilon, frame.kernel_initializer)


def drawn(name, seed):
    where = space(name, input_shape=SHAPE, classes=5, **({"filter_multiplier": 1 / 16} if name == "metaqnn" else {}))
    return proposal(where, uniform_decisions(where, np.random.default_rng(seed))).genotype


def by_hand():
    """Operations and sizes that no space of today draws together: oblong windows, strides, margins, both borders."""
    net = PlanBuilder(SHAPE)
    place = net.conv("oblong", 0, 6, (1, 3), (2, 1), padding="valid", bias=True)
    place = net.crop("crop", net.pad("pad", place, (0, 1, 2, 1)), (1, 0, 0, 2))
    place = net.batch_norm("norm", net.separable_conv("separable", place, 4, 3, stride=2))
    pooled = net.pool("average", "avg", place, 3, 1), net.pool("maximum", "max", place, 3, 1)
    place = net.self_attention("attention", net.concat("concat", pooled), heads=2, head_width=3)
    factors = net.sigmoid("sigmoid", net.squeeze("squeeze", place))
    place = net.pool("valid", "avg", net.multiply("multiply", place, factors), 2, 2, padding="valid")
    net.dense("predictions", net.global_pool("max", net.add("add", (place, net.relu(place), place))), 5)
    return Network(net.plan(), 1e-2)


CASES = [(name, seed) for name in ("blockqnn", "blockqnn_fast", "nasnet", "metaqnn") for seed in (1, 2, 3)]


@pytest.fixture(params=[*CASES, "by hand", "nasnet_a"], ids=str)
def network(request):
    if request.param == "by hand":
        return by_hand()
    if request.param == "nasnet_a":
        return network_of(load("nasnet_a"))
    return network_of(drawn(*request.param))


def test_logits_statistics_and_gradients_are_those_of_keras(network):
    weights = network.first_weights(1)
    weights[network.kernels :] += RANDOM.normal(0, 0.2, weights.size - network.kernels).astype(np.float32)
    theirs = KerasFitEngine(network, KerasFitEngine.hold(IMAGES, LABELS, 5, GRADIENT), GRADIENT, weights)
    ours = TensorFlowEngine(network, TensorFlowEngine.hold(IMAGES, LABELS, 5, GRADIENT), GRADIENT, weights)
    with tf.GradientTape() as tape:
        logits = theirs.model(IMAGES, training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(LABELS, logits, from_logits=True))
    gradients = np.concatenate(
        [np.ravel(part) for part in tape.gradient(loss, [variable.value for variable in theirs._variables])]
    )
    ours.observe(np.arange(BATCH)[None])
    np.testing.assert_allclose(ours.statistics(), theirs.statistics(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.logits(IMAGES), theirs.model(IMAGES, training=False), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ours.weights(), weights)
    result = ours.epoch(np.arange(BATCH)[None], np.ones(1))
    assert result.loss == pytest.approx(float(loss), abs=1e-5)
    assert result.accuracy == pytest.approx((np.argmax(logits, 1) == LABELS).mean())
    np.testing.assert_allclose(weights - ours.weights(), gradients, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(ours.statistics(), theirs.statistics(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["blockqnn_fast", "nasnet", "metaqnn"])
def test_variables_are_those_that_build_makes_and_start_alike(name):
    genotype = drawn(name, 4)
    frame = frame_of(genotype)
    network = Network(plan(genotype, frame), frame.epsilon, frame.kernel_initializer)
    weights, place = network.first_weights(0), 0
    np.testing.assert_array_equal(weights, network.first_weights(0))
    assert not np.array_equal(weights, network.first_weights(1))
    model = build(genotype, frame, classifier_activation=None)
    assert {variable.path for variable in model.variables} == {v.path for v in keras_model(network).variables}
    theirs = {variable.path: variable.numpy() for variable in model.trainable_variables}
    keys = {"query_kernel": "_heads/query/kernel", "key_kernel": "_heads/key/kernel"}
    keys |= {"value_kernel": "_heads/value/kernel", "output_kernel": "_heads/attention_output/kernel"}
    for variable in network.variables:
        ours = weights[place : place + variable.size]
        place += variable.size
        other = theirs.pop(variable.layer + keys.get(variable.name, f"/{variable.name}"))
        assert other.shape == variable.shape
        if len(variable.shape) == 1:
            np.testing.assert_array_equal(ours, other)
        elif ours.size >= 500:
            assert ours.std() == pytest.approx(other.std(), rel=0.15), variable
            assert np.abs(ours).max() == pytest.approx(np.abs(other).max(), rel=0.15), variable
            assert abs(ours.mean()) < 0.2 * ours.std()
    assert not theirs
    assert place == weights.size


def test_dropout_drops_its_share_in_training_only_and_anew_in_every_step():
    net = PlanBuilder((1, 1, 4000))
    net.dense("predictions", net.dropout("dropout", net.flatten("flatten", 0), 0.3), 2)
    network = Network(net.plan())
    weights = np.concatenate([np.tile(np.float32([1, -1]), 4000), np.zeros(2, np.float32)])
    images, labels = np.ones((2, 1, 1, 4000), np.float32), np.array([0, 1])
    engine = TensorFlowEngine(network, TensorFlowEngine.hold(images, labels, 2, GRADIENT), GRADIENT, weights)

    def kept(seed):
        """Of each image the features that the step's gradient reached: x · (p - y), with p 0 or 1."""
        engine.reset(weights)
        engine.epoch(np.array([[1]]), np.ones(1), seed)
        return (weights - engine.weights())[:8000:2]

    one, again, other = kept((1, 0, 0)), kept((1, 0, 0)), kept((1, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert 0.27 < (one == 0).mean() < 0.33
    np.testing.assert_allclose(one[one != 0], 1 / 0.7, rtol=1e-4)
    engine.reset(weights)
    np.testing.assert_allclose(engine.logits(images), [[4000, -4000]] * 2)


def test_statistics_are_observed_without_dropout():
    net = PlanBuilder((2, 2, 3))
    dropped = net.dropout("dropout", 0, 0.5)
    net.dense("predictions", net.flatten("flatten", net.batch_norm("norm", dropped)), 2)
    network = Network(net.plan())
    images = RANDOM.normal(size=(8, 2, 2, 3)).astype(np.float32)
    expected = [images.mean((0, 1, 2)), images.var((0, 1, 2))]
    for make in (TensorFlowEngine, KerasFitEngine):
        held = make.hold(images, np.arange(8) % 2, 2, GRADIENT)
        engine = make(network, held, GRADIENT, network.first_weights(0))
        before = engine.weights()
        engine.observe(np.arange(8).reshape(2, 4))
        np.testing.assert_allclose(np.split(engine.statistics(), 2), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(engine.weights(), before)


def test_dilated_convolutions_are_trained_on_any_processor():
    """Without oneDNN, so on a Mac and on a processor without VNNI, TensorFlow has no gradient of its own operation."""
    script = (
        "import numpy as np\n"
        "from automl_cells.builder.plan import PlanBuilder\n"
        "from automl_cells.evaluation import proxy_protocol\n"
        "from automl_cells.evaluation.steps.network import Network\n"
        "from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine as Engine\n"
        "net, protocol = PlanBuilder((6, 6, 2)), proxy_protocol('blockqnn')\n"
        "net.dense('predictions', net.flatten('flatten', net.conv('conv', 0, 3, 3, dilation=2)), 2)\n"
        "network = Network(net.plan())\n"
        "held = Engine.hold(np.ones((2, 6, 6, 2), np.float32), np.arange(2), 2, protocol)\n"
        "first = network.first_weights(0)\n"
        "engine = Engine(network, held, protocol, first)\n"
        "engine.epoch(np.array([[0]]), np.full(1, 1e-3))\n"
        "print(np.abs(engine.weights() - first).max() > 0)\n"
    )
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_every_operation_that_keras_models_are_built_from_is_known_here():
    """All but what ensembles and dropped paths need; see the last two tests."""
    source = ast.parse(Path(operations.__file__).read_text())
    cases = {node.value.value for node in ast.walk(source) if isinstance(node, ast.MatchValue)}
    handled = {*interpreter._OPERATIONS, "batch_norm", "dropout", "self_attention"}
    assert len(cases) > 20
    assert cases - {"softmax", "average", "drop_path"} == handled


def test_an_ensemble_is_not_trained_as_one():
    chain = drawn("metaqnn", 1)
    frame = template(None, kind="chain", input_shape=SHAPE, classes=5)
    with pytest.raises(TemplateError, match=r"ends in a fully connected layer\. Received: \(8, 8, 2\), average"):
        Network(plan(EnsembleGenotype((chain, drawn("metaqnn", 2))), frame))


def test_an_operation_for_training_of_other_kinds_is_refused():
    net = PlanBuilder(SHAPE)
    net.dense("predictions", net.flatten("flatten", net.drop_path("path", 0, 0.5)), 5)
    network, data = Network(net.plan()), TensorFlowEngine.hold(IMAGES, LABELS, 5, GRADIENT)
    with pytest.raises(TemplateError, match=r"Received: 'drop_path'$"):
        TensorFlowEngine(network, data, GRADIENT, network.first_weights(0)).logits(IMAGES)


def test_an_unknown_initializer_is_refused():
    with pytest.raises(TemplateError, match=r"Received: 'orthogonal'$"):
        Network(by_hand().plan, kernel_initializer="orthogonal").first_weights(0)
