"""How well guesses rank what came true."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from automl_cells.search.trials import Trial

LEAST = 5  # pairs of which a rank correlation is worth printing


class Ranking(NamedTuple):
    """Spearman's rank correlation of `size` guesses with the truth, from −1 to 1."""

    correlation: float
    size: int


def ranking(pairs: Iterable[tuple[float | None, float | None]]) -> Ranking | None:
    """How the guesses rank.

    Args:
        pairs: a guess, made before the truth was known, and the truth; pairs that lack one are passed over.

    Returns:
        ``None`` of fewer than `LEAST` pairs, or where all guesses or all truths are alike.

    Example:
        >>> ranking([(1.0, 10.0), (2.0, 20.0), (3.0, 30.0), (4.0, 50.0), (5.0, 40.0), (None, 7.0)])
        Ranking(correlation=0.9, size=5)
    """
    from scipy.stats import spearmanr

    known = [(guess, truth) for guess, truth in pairs if guess is not None and truth is not None]
    guesses, truths = [guess for guess, _ in known], [truth for _, truth in known]
    if len(known) < LEAST or len(set(guesses)) == 1 or len(set(truths)) == 1:
        return None
    return Ranking(round(float(spearmanr(guesses, truths).statistic), 4), len(known))


def rankings(done: Iterable[Trial]) -> tuple[Ranking | None, Ranking | None]:
    """How the predictor, and the rule that stops trainings early, ranked what they had not seen.

    Args:
        done: trials that succeeded; those that were stopped early, whose accuracy is itself a guess, do not count.

    Returns:
        Of the predictor, with the rewards; of the first guesses from learning curves, with the accuracies.
    """
    whole = [trial for trial in done if not trial.stopped]
    # A strategy of somebody else's may call by the predictor's name what is no number.
    predicted = [(trial.info.get("predicted"), trial.reward) for trial in whole]
    told = [(guess if isinstance(guess, int | float) else None, reward) for guess, reward in predicted]
    curves = [(next(iter(trial.guesses.values()), None), trial.metrics.get("accuracy")) for trial in whole]
    return ranking(told), ranking(curves)
