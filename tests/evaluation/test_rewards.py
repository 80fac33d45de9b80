import math

import pytest

from automl_cells.errors import SearchError
from automl_cells.evaluation import REWARDS, metrics_needed, reward
from automl_cells.evaluation.rewards import (
    accuracy,
    blockqnn_early_stop,
    latency_constrained,
    memory_constrained,
    params_constrained,
)


def metrics(accuracy=90.0, flops=2e6, reference_flops=1e6, density=1.4):
    return {"accuracy": accuracy, "flops": flops, "reference_flops": reference_flops, "density": density}


def test_the_accuracy_is_rewarded_as_it_is():
    assert accuracy(metrics(accuracy=61.5)) == 61.5


def test_the_early_stop_reward_by_hand():
    # 90 - ln 2 - 8 ln 1.4 = 90 - 0.6931471806 - 8 * 0.3364722366
    assert blockqnn_early_stop(metrics()) == pytest.approx(86.6150749265, abs=1e-9)


def test_fewer_flops_and_a_sparser_block_earn_more():
    # 50 - ln 0.25 - 8 ln 0.75 = 50 + 1.3862943611 + 8 * 0.2876820725
    found = blockqnn_early_stop(metrics(accuracy=50.0, flops=1e6, reference_flops=4e6, density=0.75))
    assert found == pytest.approx(53.6877509408, abs=1e-9)


def test_the_reference_block_earns_its_accuracy():
    assert blockqnn_early_stop(metrics(accuracy=72.0, flops=3e5, reference_flops=3e5, density=1.0)) == 72.0


def test_mu_and_rho_weigh_the_two_terms():
    assert blockqnn_early_stop(metrics(), mu=2.0, rho=0.0) == pytest.approx(88.6137056389, abs=1e-9)
    assert blockqnn_early_stop(metrics(), mu=0.0, rho=1.0) == pytest.approx(89.6635277634, abs=1e-9)


def test_the_unit_of_the_flops_shifts_all_rewards_alike():
    small, large = metrics(accuracy=80.0, flops=1e6), metrics(accuracy=82.0, flops=9e6, density=1.1)
    gap = blockqnn_early_stop(large) - blockqnn_early_stop(small)
    small["reference_flops"] = large["reference_flops"] = 7e9
    assert blockqnn_early_stop(large) - blockqnn_early_stop(small) == pytest.approx(gap, abs=1e-9)


def cheap(accuracy=90.0, **costs):
    return {"accuracy": accuracy, **costs}


CONSTRAINED = [
    (latency_constrained, "latency_ms", "target_ms"),
    (params_constrained, "parameters", "target_params"),
    (memory_constrained, "memory", "target_bytes"),
]


@pytest.mark.parametrize(("function", "metric", "target"), CONSTRAINED)
def test_mnasnet_s_reward_by_hand(function, metric, target):
    # 2 ** -0.07 = 0.9526380101 and 0.5 ** -0.07 = 1.0497166534
    assert function(cheap(**{metric: 10.0}), **{target: 5.0}) == pytest.approx(90 * 0.9526380, abs=1e-4)
    assert function(cheap(**{metric: 2.5}), **{target: 5.0}) == pytest.approx(90 * 1.0497167, abs=1e-4)
    assert function(cheap(**{metric: 5.0}), **{target: 5.0}) == 90.0


@pytest.mark.parametrize(("function", "metric", "target"), CONSTRAINED)
def test_the_hard_variant_asks_a_price_above_the_target_only(function, metric, target):
    hard = {target: 4.0, "alpha": 0.0, "beta": -1.0}
    assert function(cheap(80.0, **{metric: 1.0}), **hard) == 80.0
    assert function(cheap(80.0, **{metric: 4.0}), **hard) == 80.0
    assert function(cheap(80.0, **{metric: 16.0}), **hard) == pytest.approx(20.0)


def test_rewards_have_names():
    assert {name: reward(name) for name in ("accuracy", "blockqnn_early_stop")} == {
        "accuracy": accuracy,
        "blockqnn_early_stop": blockqnn_early_stop,
    }
    with pytest.raises(SearchError, match=r"among \['accuracy', 'blockqnn_early_stop', .*\]\. Received: speed$"):
        reward("speed")


def test_options_are_set_by_name():
    named = reward("latency_constrained", target_ms=5, beta=-1)
    assert named(cheap(latency_ms=10.0)) == 45.0
    assert named(cheap(latency_ms=2.5)) == pytest.approx(90 * 1.0497167, abs=1e-4)
    assert reward("blockqnn_early_stop", rho=0, mu=2)(metrics()) == pytest.approx(88.6137056389, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "latency_constrained",
            {},
            "Expected target_ms, which the reward latency_constrained needs. Received: no option",
        ),
        ("memory_constrained", {"beta": -1}, "Expected target_bytes, which .* needs. Received: beta=-1"),
        ("params_constrained", {"target_ms": 5}, "target_params, alpha, beta. Received: target_ms"),
        ("accuracy", {"target_ms": 5}, "Expected options of the reward accuracy: none. Received: target_ms"),
        ("accuracy", {"metrics": {}}, "Expected options of the reward accuracy: none. Received: metrics"),
        ("latency_constrained", {"target_ms": 0}, "target_ms .* a finite number above 0. Received: 0"),
        ("latency_constrained", {"target_ms": "5ms"}, "target_ms .* a finite number above 0. Received: '5ms'"),
        ("latency_constrained", {"target_ms": True}, "a finite number above 0. Received: True"),
        ("latency_constrained", {"target_ms": math.inf}, "a finite number above 0. Received: inf"),
        ("latency_constrained", {"target_ms": 5, "alpha": 0.07}, "alpha .* number of at most 0. Received: 0.07"),
        ("params_constrained", {"target_params": 5, "beta": math.nan}, "beta .* at most 0. Received: nan"),
        ("blockqnn_early_stop", {"mu": [1]}, r"mu .* as a finite number. Received: \[1\]"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(name, options, message):
    with pytest.raises(SearchError, match=message + "$"):
        reward(name, **options)


class Noted(dict):
    """Metrics that keep in mind which of them were read."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("name", REWARDS)
def test_what_a_reward_needs_is_what_it_reads(name):
    everything = Noted({**metrics(), "latency_ms": 3.0, "memory": 100, "parameters": 50, "train_accuracy": 99.0})
    targets = {"latency_constrained": "target_ms", "memory_constrained": "target_bytes"}
    options = {targets.get(name, "target_params"): 10} if name.endswith("constrained") else {}
    reward(name, **options)(everything)
    assert everything.read == set(metrics_needed(name))


def test_what_an_unknown_reward_needs_is_not_known():
    with pytest.raises(SearchError, match=r"Expected a reward among .* Received: speed$"):
        metrics_needed("speed")
