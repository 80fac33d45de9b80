"""Learns from the curves of a search which of its candidates need not be trained to their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from automl_cells.evaluation.early_stopping import StopRule
from automl_cells.predictors.learning_curve import LEAST_CURVES, CurveModel, fit
from automl_cells.search.trials import Trial

_SHARES = (0.25, 0.5)  # of the epochs, after which a curve is looked at
_NEWEST = 300  # curves to learn from
_STEPS = 30  # of the bisection: 100 per cent over 2³⁰


class EarlyStopping:
    """Makes the rule for each candidate from what has been tried.

    Args:
        reward: of the search; grows with the accuracy.
        epochs: of the proxy protocol.
    """

    def __init__(self, reward: Callable[[Mapping[str, float]], float], epochs: int) -> None:
        self._reward = reward
        self._epochs = epochs
        self.checkpoints = tuple(sorted({max(1, round(share * epochs)) for share in _SHARES} - {epochs}))
        self._fitted: tuple[int, tuple[CurveModel, ...]] = (0, ())

    def rule(self, trials: Sequence[Trial], known: Mapping[str, float]) -> StopRule | None:
        """The rule for the next candidate, or ``None`` while there are too few curves to learn from.

        Args:
            trials: all of the search so far. Candidates that were stopped are no teachers: their end is a guess.
            known: the metrics of the candidate that need no training, from which with an accuracy its reward follows.
        """
        whole = [trial for trial in trials if trial.status == "done" and len(self._curve(trial)) == self._epochs]
        if len(whole) < LEAST_CURVES or not self.checkpoints:
            return None
        if self._fitted[0] != len(whole):
            newest = whole[-_NEWEST:]
            curves = [self._curve(trial) for trial in newest]
            ends = [trial.metrics["accuracy"] for trial in newest]
            self._fitted = len(whole), tuple(fit(curves, ends, epochs) for epochs in self.checkpoints)
        best = max(trial.reward for trial in whole if trial.reward is not None)
        try:
            return StopRule(self._needed(best, known), self._fitted[1])
        except KeyError:  # the reward needs what only the worker will measure
            return None

    @staticmethod
    def _curve(trial: Trial) -> Sequence[float]:
        return trial.details.get("curve", ())

    def _needed(self, best: float, known: Mapping[str, float]) -> float:
        """The accuracy in per cent with which a candidate earns `best`; 100 if none does."""
        low, high = 0.0, 100.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self._reward({**known, "accuracy": middle}) < best:
                low = middle
            else:
                high = middle
        return high
