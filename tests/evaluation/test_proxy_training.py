import json

import numpy as np
import pytest

from automl_cells.builder import build, cost, plan, template
from automl_cells.datasets import from_arrays, load
from automl_cells.errors import TrainingError
from automl_cells.evaluation import Limits, from_spec, known_metrics, proxy_protocol
from automl_cells.evaluation.proxy_training import ProxyTraining
from automl_cells.evaluation.rewards import blockqnn_early_stop
from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine
from automl_cells.genotypes import Block, BlockGenotype, Cell, CellGenotype, ChainGenotype
from automl_cells.genotypes import load as load_genotype

CONV = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)])
MIXED = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 2, 3, 0, 0), (3, 6, 0, 1, 2), (4, 7, 0, 0, 0)])
OURS = BlockGenotype.from_codes(  # every operation that is not in table 1
    [
        (1, 8, 3, 0, 0),
        (2, 9, 3, 1, 0),
        (3, 10, 0, 2, 0),
        (4, 11, 0, 3, 0),
        (5, 8, 5, 4, 0),
        (6, 5, 0, 1, 5),
        (7, 7, 0, 0, 0),
    ]
)
FRAME = template("cifar", repeats=1, filters=(8,), input_shape=(8, 8, 1), classes=10)
SHORT = proxy_protocol("blockqnn", epochs=3, learning_rate=0.01)


@pytest.fixture(scope="module")
def digits():
    return ProxyTraining("digits", FRAME, SHORT)


@pytest.fixture(scope="module")
def evaluation(digits):
    return digits.evaluate(MIXED, seed=5)


def test_a_tiny_block_learns_digits(digits, evaluation):
    assert (digits.chance, evaluation.failure) == (10.0, None)
    assert evaluation.metrics["accuracy"] > 40
    assert evaluation.metrics["train_accuracy"] > 40
    assert len(evaluation.details["curve"]) == 3
    assert evaluation.details["batch_size"] == 70  # 1,122 images left to train on, in 16 steps
    assert evaluation.seconds > 0


def test_the_same_seed_gives_the_same_metrics_and_another_does_not(digits, evaluation):
    again = digits.evaluate(MIXED, seed=5)
    assert (again.metrics, again.details) == (evaluation.metrics, evaluation.details)
    assert digits.evaluate(MIXED, seed=6).details["curve"] != evaluation.details["curve"]


def test_the_metrics_hold_what_was_known_before(digits, evaluation):
    known = digits.known(MIXED)
    assert {name: evaluation.metrics[name] for name in known} == known
    assert set(evaluation.metrics) - set(known) == {"accuracy", "train_accuracy"}


def test_a_block_of_separable_convolutions_and_attention_learns_digits_and_is_the_same_again(digits):
    found = digits.evaluate(OURS, seed=5)
    assert found.failure is None
    assert found.metrics["accuracy"] > 40
    again = digits.evaluate(OURS, seed=5)
    assert (again.metrics, again.details) == (found.metrics, found.details)


@pytest.mark.parametrize(
    "genotype", [CONV, MIXED, OURS, load_genotype("block_qnn_s")], ids=["conv", "mixed", "ours", "block_qnn_s"]
)
def test_what_is_known_is_the_cost_of_the_plan_and_of_the_model(digits, genotype):
    expected = cost(plan(genotype, FRAME))
    known = digits.known(genotype)
    assert (known["parameters"], known["flops"]) == (expected.parameters, expected.flops)
    assert known["density"] == genotype.density
    model = build(genotype, FRAME)
    assert known["parameters"] == sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_the_reference_is_the_same_network_with_one_convolution_a_block():
    frame = template("cifar", repeats=2, filters=(4, 8), input_shape=(8, 8, 1), classes=10)
    training = ProxyTraining("digits", frame)
    stem = 3 * 3 * 1 * 4 * 64
    first = 2 * (3 * 3 * 4 * 4 * 64)
    second = 3 * 3 * 4 * 8 * 16 + 3 * 3 * 8 * 8 * 16
    assert training.known(MIXED)["reference_flops"] == stem + first + second + 8 * 10
    known = training.known(CONV)
    assert known["flops"] == known["reference_flops"]
    assert blockqnn_early_stop({**known, "density": 1.0, "accuracy": 55.0}) == 55.0


def test_latency_is_a_metric_if_it_is_asked_for_in_other_processes_too(monkeypatch):
    def refused(*arguments, **options):
        raise ArithmeticError("no training here")

    monkeypatch.setattr("automl_cells.evaluation.steps.tensorflow.TensorFlowEngine.__init__", refused)
    seen = []
    monkeypatch.setattr(known_metrics.KnownMetrics, "latency_ms", lambda known, genotype: seen.append(genotype) or 2.5)
    for asked in (False, True):
        training = from_spec(json.loads(json.dumps(ProxyTraining("digits", FRAME, SHORT, latency=asked).spec())))
        assert training.latency is asked
        with pytest.raises(ArithmeticError):
            training.evaluate(CONV, seed=0)
        assert seen == [CONV] * asked


def test_the_latency_is_measured_before_the_training():
    training = ProxyTraining("digits", FRAME, proxy_protocol(SHORT, epochs=1), latency=True)
    found = training.evaluate(CONV, seed=0)
    assert found.failure is None
    assert set(found.metrics) == {*training.known(CONV), "latency_ms", "accuracy", "train_accuracy"}
    assert 0 < found.metrics["latency_ms"] < 1000


def test_without_a_reference_of_its_kind_a_template_has_no_reference_flops(monkeypatch):
    monkeypatch.setattr(known_metrics, "_REFERENCES", {"cell": CONV})
    known = ProxyTraining("digits", FRAME).known(MIXED)
    assert known["flops"] == cost(plan(MIXED, FRAME)).flops
    assert "reference_flops" not in known


def test_nasnet_s_protocol_learns_digits_and_is_the_same_again():
    protocol = proxy_protocol("nasnet_no_flip", epochs=6, learning_rate=0.1)
    training = ProxyTraining("digits", FRAME, protocol)
    found = training.evaluate(MIXED, seed=5)
    assert found.failure is None
    assert found.metrics["accuracy"] > 40
    assert (found.details["batch_size"], found.details["restarts"]) == (32, 0)
    again = training.evaluate(MIXED, seed=5)
    assert (again.metrics, again.details) == (found.metrics, found.details)
    plain = ProxyTraining("digits", FRAME, proxy_protocol(protocol, augmentation=())).evaluate(MIXED, seed=5)
    assert plain.metrics["train_accuracy"] != found.metrics["train_accuracy"]


def test_a_protocol_goes_to_another_process_as_it_is():
    training = ProxyTraining("digits", FRAME, proxy_protocol("nasnet", l2=0.1))
    again = from_spec(json.loads(json.dumps(training.spec())))
    assert again.protocol == training.protocol
    assert again.protocol.augmentation


def test_an_augmentation_that_does_not_suit_the_images_is_refused():
    protocol = proxy_protocol("nasnet", augmentation=[{"op": "upsample_crop", "size": 7}])
    with pytest.raises(TrainingError, match=r"upsample_crop to a size of at least 8, .*Received: 7$"):
        ProxyTraining("digits", FRAME, protocol)


def test_a_loss_that_is_not_finite_fails_the_candidate():
    training = ProxyTraining("digits", FRAME, proxy_protocol(SHORT, learning_rate=1e38))
    found = training.evaluate(CONV, seed=0)
    assert found.failure == "the loss became nan in epoch 1"
    assert found.metrics == training.known(CONV)
    assert found.details["curve"] == []


def test_the_test_images_are_never_looked_at():
    data = load("digits")
    garbled = from_arrays(data.x_train, data.y_train, data.x_test * 0 - 7, data.y_test, data.class_names)
    one_epoch = proxy_protocol(SHORT, epochs=1)
    metrics = [ProxyTraining(each, FRAME, one_epoch).evaluate(CONV, 1).metrics for each in (data, garbled)]
    assert metrics[0] == metrics[1]


def test_what_is_allowed_is_what_is_known_to_keep_the_limits():
    evaluator = ProxyTraining("digits", template("cifar", repeats=1, filters=(4, 8), input_shape=(8, 8, 1)))
    block = load_genotype("block_qnn_s")
    parameters = int(evaluator.known(block)["parameters"])
    assert evaluator.allows(block, Limits(parameters))
    assert not evaluator.allows(block, Limits(parameters - 1))  # found at the end of the plan
    assert not evaluator.allows(block, Limits(100))  # found long before
    assert not evaluator.allows(block, Limits(max_flops=10))


def test_cells_have_a_reference_too_and_are_trained():
    frame = template("cifar", kind="cell", repeats=1, filters=(2, 4), input_shape=(8, 8, 1), classes=10)
    training = ProxyTraining("digits?train=200", frame, proxy_protocol("nasnet_no_flip", epochs=2))
    cell = Cell((Block(0, 1, "conv_3x3", "conv_3x3", "add"),))
    known = training.known(CellGenotype(cell, cell))
    assert known["flops"] == known["reference_flops"]
    genotype = load_genotype("nasnet_a")
    expected = cost(plan(genotype, frame))
    found = training.evaluate(genotype, seed=1)
    assert (found.metrics["parameters"], found.metrics["flops"]) == (expected.parameters, expected.flops)
    assert found.failure is None
    assert 0 < found.metrics["accuracy"] <= 100


def test_a_chain_learns_digits_and_its_best_epoch_counts():
    frame = template("chain", kind="chain", input_shape=(8, 8, 1), classes=10)
    chain = ChainGenotype.from_text("C(8,3,1),C(8,3,1),P(2,2),FC(32),SM")
    protocol = proxy_protocol("metaqnn_no_flip", epochs=6, learning_rate=0.01, decay_factor=0.5, decay_epochs=2)
    found = ProxyTraining("digits", frame, protocol).evaluate(chain, seed=1)
    assert found.failure is None
    assert found.metrics["accuracy"] == pytest.approx(max(found.details["curve"]))
    assert found.metrics["accuracy"] > 60
    without = proxy_protocol(protocol, chain_dropout=(0, 0))
    assert ProxyTraining("digits", frame, without).evaluate(chain, seed=1).details["curve"] != found.details["curve"]


def test_without_batch_normalisation_there_is_nothing_to_observe():
    frame = template("chain", kind="chain", input_shape=(8, 8, 1), classes=10)
    protocol = proxy_protocol("metaqnn_no_flip", epochs=1, max_restarts=0)
    found = ProxyTraining("digits", frame, protocol).evaluate(ChainGenotype.from_text("P(2,2),SM"), seed=1)
    assert found.failure is None
    assert found.metrics["accuracy"] == pytest.approx(found.details["curve"][0], abs=1e-4)


def test_no_keras_model_is_made(digits, monkeypatch):
    monkeypatch.setattr("keras.Model.__init__", lambda *arguments, **options: pytest.fail("a Keras model"))
    assert digits.evaluate(CONV, seed=0).failure is None


def test_the_training_images_are_put_on_the_device_once(monkeypatch):
    held = []
    hold = TensorFlowEngine.hold
    monkeypatch.setattr(TensorFlowEngine, "hold", staticmethod(lambda *given: held.append(hold(*given)) or held[-1]))
    training = ProxyTraining("digits?train=200", FRAME, proxy_protocol(SHORT, epochs=1))
    for genotype in (CONV, MIXED):
        training.evaluate(genotype, seed=0)
    assert len(held) == 1
