import pytest

from automl_cells.errors import SearchError
from automl_cells.evaluation import REWARDS, reward
from automl_cells.evaluation.rewards import accuracy, blockqnn_early_stop


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


def test_rewards_have_names():
    assert {name: reward(name) for name in REWARDS} == {
        "accuracy": accuracy,
        "blockqnn_early_stop": blockqnn_early_stop,
    }
    with pytest.raises(SearchError, match=r"among \['accuracy', 'blockqnn_early_stop'\]\. Received: speed$"):
        reward("speed")
