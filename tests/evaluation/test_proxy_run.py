"""The training of one candidate: restarts with an engine that is told what to see, statistics with a real one."""

import numpy as np
import pytest

from automl_cells.builder.plan import PlanBuilder
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.proxy_training import _Run, _Shared
from automl_cells.evaluation.steps.base import EpochResult
from automl_cells.evaluation.steps.network import Network
from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine

CHANCE = 25.0
LABELS = np.array([0, 1, 2, 3])
GUESSED = np.eye(4)[[0, 0, 0, 0]]  # logits that are right for one image of four: chance
LEARNT = np.eye(4)[LABELS]


class Scripted:
    """An engine that hands out a script, one (loss, logits) an epoch, and notes what it is asked."""

    def __init__(self, script):
        self.script = list(script)
        self.all_rates, self.orders, self.seeds, self.calls = [], [], [], []

    @property
    def rates(self):
        """The rate of each epoch, which is that of all its steps."""
        assert all(len(set(rates)) == 1 for rates in self.all_rates)
        return [rates[0] for rates in self.all_rates]

    def epoch(self, order, rates, seed=None):
        assert len(order) == len(rates)
        self.all_rates.append(rates)
        self.orders.append(order)
        self.seeds.append(seed)
        loss, self.seen = self.script.pop(0)
        return EpochResult(loss, 0.5)

    def observe(self, order):
        self.calls.append(order)

    def logits(self, images):
        return self.seen

    def reset(self, weights):
        self.calls.append(weights)


def scripted(script, base="blockqnn", seed=0, **changes):
    stub = Scripted(script)
    protocol = proxy_protocol(base, batch_size=4, min_steps=1, **changes)
    return _Run(stub, "fresh", protocol, _Shared(None, 10, np.zeros((4, 1)), LABELS), CHANCE, seed=seed), stub


def test_a_training_better_than_chance_is_not_restarted():
    run, stub = scripted([(1.0, LEARNT)] * 12)
    assert run.train() is None
    assert (run.restarts, stub.calls, run.curve) == (0, [], [100.0] * 12)
    assert stub.rates == pytest.approx([0.001] * 5 + [0.0002] * 5 + [0.00004] * 2)


def test_at_chance_it_restarts_from_the_first_weights_at_two_fifths_of_the_rate():
    run, stub = scripted([(1.0, GUESSED), (1.0, GUESSED), (1.0, LEARNT), (1.0, LEARNT)], epochs=2)
    assert run.train() is None
    assert (run.restarts, run.curve) == (2, [100.0, 100.0])  # the curve is that of the last try
    assert stub.calls == ["fresh"] * 2
    assert stub.rates == pytest.approx([0.001, 0.0004, 0.00016, 0.00016])


def test_it_restarts_three_times_at_most_and_then_goes_on():
    run, stub = scripted([(1.0, GUESSED)] * 15)
    assert run.train() is None
    assert (run.restarts, len(stub.calls), run.curve) == (3, 3, [CHANCE] * 12)
    last = 0.001 * 0.4**3
    expected = [0.001, 0.0004, 0.00016] + [last] * 5 + [last / 5] * 5 + [last / 25] * 2
    assert stub.rates == pytest.approx(expected)
    assert not stub.script


def test_a_cosine_goes_on_from_epoch_to_epoch():
    run, stub = scripted([(1.0, LEARNT)] * 3, "nasnet", epochs=3)
    run.train()
    expected = 0.01 * (1 + np.cos(np.pi * np.arange(6) / 6)) / 2
    np.testing.assert_allclose(np.concatenate(stub.all_rates), expected, rtol=1e-12)


def test_every_epoch_of_every_try_has_its_own_seed_of_the_augmentation():
    run, stub = scripted([(1.0, GUESSED), (1.0, LEARNT), (1.0, LEARNT)], "nasnet", seed=8, epochs=2, max_restarts=1)
    run.train()
    assert stub.seeds == [(8, 0, 0), (8, 1, 0), (8, 1, 1)]


def test_before_validation_batch_normalisation_sees_images_that_are_not_augmented():
    run, stub = scripted([(1.0, LEARNT)] * 2, "nasnet", epochs=2)
    run.train()
    assert [seen.tolist() for seen in stub.calls] == [order[-1:].tolist() for order in stub.orders]
    plain, stub = scripted([(1.0, LEARNT)] * 2, "nasnet", epochs=2, augmentation=())
    plain.train()
    assert stub.calls == []  # the last batch of the training was one


def test_only_the_first_epoch_decides():
    run, stub = scripted([(1.0, LEARNT), (1.0, GUESSED), (1.0, GUESSED)], epochs=3)
    run.train()
    assert (run.restarts, stub.calls, run.curve) == (0, [], [100.0, CHANCE, CHANCE])


def test_no_restarts_if_the_protocol_has_none():
    run, stub = scripted([(1.0, GUESSED)], epochs=1, max_restarts=0)
    run.train()
    assert (run.restarts, stub.calls) == (0, [])


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training(loss):
    run, stub = scripted([(1.0, LEARNT), (0.5, LEARNT), (loss, LEARNT), (1.0, LEARNT)], epochs=4)
    assert run.train() == f"the loss became {loss} in epoch 3"
    assert len(stub.script) == 1


def test_logits_that_are_not_finite_count_as_wrong():
    broken = LEARNT.copy()
    broken[2, 2] = np.inf
    broken[3, 0] = np.nan
    run, _ = scripted([(1.0, broken)], epochs=1)
    run.train()
    assert run.curve == [50.0]


def test_every_epoch_sees_every_image_once_but_for_a_last_part_in_another_order():
    run, stub = scripted([(1.0, LEARNT)] * 2, epochs=2)
    run.train()
    for order in stub.orders:
        assert order.shape == (2, 4)  # of ten images
        assert len(set(order.ravel())) == 8
        assert set(order.ravel()) <= set(range(10))
    assert not np.array_equal(*stub.orders)


def normalised(images, steps, base="blockqnn", **changes):
    """A run over one layer of batch normalisation, which the images reach untouched."""
    net = PlanBuilder(images.shape[1:])
    net.dense("predictions", net.global_pool("average", net.batch_norm("norm", 0)), 2)
    network = Network(net.plan())
    protocol = proxy_protocol(base, batch_size=len(images) // steps, min_steps=1, **changes)
    labels, weights = np.arange(len(images)) % 2, network.first_weights(0)
    shared = _Shared(TensorFlowEngine.hold(images, labels, 2, protocol), len(images), images, labels)
    engine = TensorFlowEngine(network, shared.held, protocol, weights)
    return _Run(engine, weights, protocol, shared, 50.0, seed=1)


def drifting(count):
    """Images whose mean and spread grow with their number: batches differ a lot."""
    random = np.random.default_rng(2)
    drift = np.linspace(0, 4, count).reshape(-1, 1, 1, 1)
    return (random.normal(size=(count, 2, 3, 2)) * (1 + drift) + drift + np.array([0.0, 10.0])).astype(np.float32)


def mean_and_variance(images):
    return np.concatenate([images.mean((0, 1, 2), np.float64), images.var((0, 1, 2), np.float64)])


def test_the_statistics_are_the_true_mean_and_variance_of_the_training_images():
    images = drifting(60)
    run = normalised(images, steps=12)
    run.set_statistics()
    # Twelve batches of five hold all images, so that the law of total variance gives the variance of them all.
    np.testing.assert_allclose(run.engine.statistics(), mean_and_variance(images), rtol=1e-4)
    np.testing.assert_array_equal(run.engine.weights(), run.fresh)


@pytest.mark.parametrize(
    "changes",
    [
        {"base": "blockqnn", "l2": 0.5, "epochs": 1},
        {"base": "nasnet", "augmentation": (), "l2": 0.5, "epochs": 1},
        # if these images were augmented, too, their mean would be halved
        {"base": "nasnet", "augmentation": [{"op": "translation", "pixels": 256}], "l2": 0.5, "epochs": 1},
    ],
    ids=["adam", "sgd", "augmented"],
)
def test_after_a_training_too_they_are_those_of_images_that_are_not_augmented_and_no_weight_moves(changes):
    images = drifting(60)
    run = normalised(images, steps=12, **changes)
    assert run.train() is None
    weights = run.engine.weights()
    assert not np.allclose(weights[:4], run.fresh[:4])  # so that there are moments, which could go on
    run.set_statistics()
    np.testing.assert_allclose(run.engine.statistics(), mean_and_variance(images), rtol=1e-4)
    np.testing.assert_array_equal(run.engine.weights(), weights)


def test_sixteen_batches_are_enough(monkeypatch):
    images = drifting(100)
    run = normalised(images, steps=20)
    seen = []
    observe = run.engine.observe
    monkeypatch.setattr(run.engine, "observe", lambda order: (seen.extend(order), observe(order)))
    run.set_statistics()
    looked_at = images[np.concatenate(seen)]
    assert looked_at.shape[0] == 16 * 5
    np.testing.assert_allclose(run.engine.statistics(), mean_and_variance(looked_at), rtol=1e-4)


def test_outputs_that_are_not_finite_are_noticed_and_count_as_wrong():
    run, stub = scripted([])
    stub.seen = LEARNT.copy()
    stub.seen[2, 2] = np.nan
    assert run.validation_accuracy() == 75.0
    assert not run.finite
    stub.seen = LEARNT
    assert run.validation_accuracy() == 100.0
    assert run.finite
