"""Rank correlations by hand."""

from __future__ import annotations

import pytest

from automl_cells.report import Ranking, ranking, rankings
from automl_cells.search.trials import Trial
from tests.search.synthetic import block


@pytest.mark.parametrize(
    ("guesses", "truths", "correlation"),
    [
        ([1, 2, 3, 4, 5], [10, 20, 30, 40, 500], 1.0),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4, 5, 6], [2, 1, 3, 4, 6, 5], 0.8857),  # 1 − 6 · 4 / (6 · 35)
    ],
)
def test_by_hand(guesses: list[float], truths: list[float], correlation: float) -> None:
    assert ranking(zip(guesses, truths, strict=True)) == Ranking(correlation, len(guesses))


def test_what_has_no_guess_or_no_truth_is_passed_over() -> None:
    pairs = [(1.0, 1.0), (2.0, 2.0), (None, 9.0), (3.0, 3.0), (4.0, 4.0), (9.0, None), (5.0, 5.0)]
    assert ranking(pairs) == Ranking(1.0, 5)


def test_too_few_or_all_alike_say_nothing() -> None:
    assert ranking([(1.0, 1.0)] * 4) is None
    assert ranking([(1.0, float(number)) for number in range(9)]) is None
    assert ranking([(float(number), 1.0) for number in range(9)]) is None
    assert ranking([]) is None


def test_guesses_count_where_a_training_went_to_its_end():
    """The predictor ranks the right way round, learning curves the wrong way; what was stopped says nothing."""

    def trial(number: int, predicted: object, guess: float, **details: object) -> Trial:
        metrics = {"accuracy": 50.0 + number}
        info = {"predicted": predicted}
        known = {"guesses": {"3": guess, "6": 1.0}, **details}
        return Trial(number, block(number), (), info, number, "done", 40.0 + number, metrics, 1.0, None, known)

    whole = [trial(number, float(number), -float(number)) for number in range(6)]
    stopped = [trial(6, -100.0, 100.0, stopped_after=3)]
    assert rankings([*whole, *stopped]) == (Ranking(1.0, 6), Ranking(-1.0, 6))
    words = [trial(number, "much", -float(number)) for number in range(6)]
    assert rankings(words) == (None, Ranking(-1.0, 6))
    assert rankings([]) == (None, None)
