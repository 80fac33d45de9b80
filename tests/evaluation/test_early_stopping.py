"""The rule that ends a training: by hand, and there and back as JSON."""

from __future__ import annotations

import json

import pytest

from automl_cells.errors import SearchError
from automl_cells.evaluation.early_stopping import StopRule
from automl_cells.predictors.learning_curve import CurveModel

# After two epochs: the second accuracy plus 20; after four: the fourth plus 5, twice as sure.
RULE = StopRule(80.0, (CurveModel(2, (0.0, 1.0, 0.0), 20.0, 4.0), CurveModel(4, (0, 0, 0, 1, 0, 0, 0), 5.0, 2.0)))


@pytest.mark.parametrize(
    ("curve", "guess"),
    [([], None), ([50.0], None), ([50.0, 55.0], 75.0), ([50.0, 55.0, 58.0], None), ([1.0, 2.0, 3.0, 60.0], 65.0)],
)
def test_guesses_at_its_checkpoints_only(curve: list[float], guess: float | None) -> None:
    assert RULE.guess(curve) == guess


@pytest.mark.parametrize(
    ("second", "hopeless"),
    # Below 80 with probability 0.95 is a guess of 80 − 1.645 · 4 = 73.42, a second accuracy of 53.42.
    [(80.0, False), (60.0, False), (53.43, False), (53.41, True), (10.0, True)],
)
def test_hopeless_is_below_the_threshold_with_95_per_cent(second: float, hopeless: bool) -> None:
    assert RULE.hopeless([20.0, second]) is hopeless
    assert RULE.hopeless([20.0, second, second]) is False  # not a checkpoint


def test_guesses_are_percentages() -> None:
    assert RULE.guess([0.0, 99.0]) == 100.0
    assert StopRule(50.0, (CurveModel(1, (1.0,), -30.0, 1.0),)).guess([10.0]) == 0.0


def test_there_and_back() -> None:
    assert StopRule.from_document(json.loads(json.dumps(RULE.to_document()))) == RULE


@pytest.mark.parametrize(
    "document", [{}, {"threshold": "x", "models": []}, {"threshold": 1, "models": [[1]]}, {"threshold": 1}]
)
def test_what_is_no_rule(document: dict) -> None:
    with pytest.raises(SearchError, match=r"a rule of early stopping\. Received: "):
        StopRule.from_document(document)
