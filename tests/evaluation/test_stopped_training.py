"""Proxy training that is stopped: what it earns, and that a rule with hope changes nothing."""

from __future__ import annotations

import pytest

from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.early_stopping import StopRule
from automl_cells.evaluation.proxy_training import ProxyTraining
from automl_cells.predictors.learning_curve import CurveModel
from tests.evaluation.test_proxy_training import FRAME, MIXED

PROTOCOL = proxy_protocol("blockqnn", epochs=3, learning_rate=0.01)
SURE = CurveModel(2, (0.0, 1.0, 0.0), 1.5, 0.1)  # the second accuracy and a bit more


@pytest.fixture(scope="module")
def training() -> ProxyTraining:
    return ProxyTraining("digits", FRAME, PROTOCOL)


@pytest.fixture(scope="module")
def whole(training: ProxyTraining):
    training.stop_rule = None
    return training.evaluate(MIXED, seed=5)


def test_a_hopeless_candidate_is_stopped_and_earns_the_guess(training: ProxyTraining, whole) -> None:
    training.stop_rule = StopRule(100.0, (SURE,))
    found = training.evaluate(MIXED, seed=5)
    assert found.failure is None
    assert found.details["curve"] == whole.details["curve"][:2]
    assert found.details["stopped_after"] == 2
    assert found.metrics["accuracy"] == pytest.approx(whole.details["curve"][1] + 1.5)
    assert found.details["guesses"] == {"2": pytest.approx(found.metrics["accuracy"], abs=1e-4)}


def test_one_with_hope_is_trained_as_without_a_rule(training: ProxyTraining, whole) -> None:
    training.stop_rule = StopRule(20.0, (SURE,))
    found = training.evaluate(MIXED, seed=5)
    assert found.metrics == whole.metrics
    assert found.details["curve"] == whole.details["curve"]
    assert "stopped_after" not in found.details
    assert found.details["guesses"] == {"2": pytest.approx(whole.details["curve"][1] + 1.5, abs=1e-4)}
    assert whole.details["guesses"] == {}


def test_after_the_last_epoch_nothing_is_guessed(training: ProxyTraining, whole) -> None:
    training.stop_rule = StopRule(100.0, (CurveModel(3, (0, 0, 1.0, 0, 0), 0.0, 0.1),))
    assert training.evaluate(MIXED, seed=5).metrics == whole.metrics


def test_where_the_best_epoch_counts_the_guess_is_no_less_than_what_was_seen(whole) -> None:
    best = ProxyTraining("digits", FRAME, proxy_protocol(PROTOCOL, measure="best"))
    seen = max(whole.details["curve"][:2])
    low = CurveModel(2, (0.0, 0.0, 0.0), 1.0, 0.1)  # expects nothing
    best.stop_rule = StopRule(seen, (low,))  # which it has reached
    assert "stopped_after" not in best.evaluate(MIXED, seed=5).details
    best.stop_rule = StopRule(seen + 1, (low,))
    assert best.evaluate(MIXED, seed=5).metrics["accuracy"] == pytest.approx(seen)
