"""What the curves of a search make of a rule: who teaches, and which accuracy a candidate needs."""

from __future__ import annotations

import numpy as np
import pytest

from automl_cells.evaluation.rewards import accuracy, blockqnn_early_stop
from automl_cells.search.early_stopping import EarlyStopping
from automl_cells.search.trials import Trial
from tests.search.synthetic import block

EPOCHS = 12


def trial(number: int, end: float, epochs: int = EPOCHS, status: str = "done") -> Trial:
    """A trial whose curve rises to `end` after all epochs, and stops after some."""
    curve = [end * (1 - 0.7**epoch) / (1 - 0.7**EPOCHS) for epoch in range(1, epochs + 1)]
    return Trial(number, block(number), (), {}, number, status, end, {"accuracy": end}, 1.0, details={"curve": curve})


TRIALS = [trial(number, end) for number, end in enumerate(np.linspace(40, 90, 30))]


def test_after_a_quarter_and_half_of_the_epochs() -> None:
    rule = EarlyStopping(accuracy, EPOCHS).rule(TRIALS, {})
    assert rule is not None
    assert [model.epochs for model in rule.models] == [3, 6]
    assert EarlyStopping(accuracy, 20).checkpoints == (5, 10)
    assert EarlyStopping(accuracy, 1).checkpoints == ()


def test_too_few_curves_make_no_rule() -> None:
    stopping = EarlyStopping(accuracy, EPOCHS)
    assert stopping.rule(TRIALS[:11], {}) is None
    stopped = [trial(number + 50, 30.0, epochs=3) for number in range(20)]
    failed = [trial(number + 80, 30.0, status="failed") for number in range(20)]
    assert stopping.rule([*TRIALS[:11], *stopped, *failed], {}) is None
    assert stopping.rule([*TRIALS[:12], *stopped, *failed], {}) is not None
    assert EarlyStopping(accuracy, 1).rule(TRIALS, {}) is None


def test_the_threshold_is_the_best_reward() -> None:
    rule = EarlyStopping(accuracy, EPOCHS).rule(TRIALS, {})
    assert rule is not None
    assert rule.threshold == pytest.approx(90.0)
    good, bad = (trial(99, end).details["curve"][:3] for end in (89.0, 60.0))
    assert not rule.hopeless([*good[:2], good[2] + 5])
    assert rule.hopeless(bad)
    assert rule.guess(bad) == pytest.approx(60.0, abs=1.0)


def test_the_threshold_is_the_accuracy_at_which_the_candidate_would_be_the_best() -> None:
    # reward = accuracy − ln(FLOPs / reference) − 8 ln(density); e² times the reference costs 2 points.
    known = {"flops": np.e**2, "reference_flops": 1.0, "density": 1.0}
    rule = EarlyStopping(blockqnn_early_stop, EPOCHS).rule(TRIALS, known)
    assert rule is not None
    assert rule.threshold == pytest.approx(92.0)
    hopeless = EarlyStopping(blockqnn_early_stop, EPOCHS).rule(TRIALS, {**known, "flops": np.e**20})
    assert hopeless is not None
    assert hopeless.threshold == 100.0


def test_a_reward_that_needs_what_is_not_known_yet_stops_nothing() -> None:
    assert EarlyStopping(blockqnn_early_stop, EPOCHS).rule(TRIALS, {"flops": 1.0}) is None


def test_it_learns_from_new_curves() -> None:
    stopping = EarlyStopping(accuracy, EPOCHS)
    first = stopping.rule(TRIALS[:15], {})
    assert stopping.rule(TRIALS[:15], {}) == first
    second = stopping.rule(TRIALS, {})
    assert first is not None
    assert second is not None
    assert (second.threshold, second.models) != (first.threshold, first.models)
