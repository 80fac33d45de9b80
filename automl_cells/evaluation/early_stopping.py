"""When a training is not worth going on with: the rule that a driver hands to its evaluators.

Baker et al. (arXiv 1705.10823), section 4: a candidate whose accuracy, as guessed from the first part of its learning
curve, is below the best one known with a probability of at least Δ is stopped, and the guess is its accuracy. Here the
truth is taken to be normal around the guess with the deviation that the guess comes with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_cells.errors import SearchError
from automl_cells.predictors.learning_curve import CurveModel

CERTAINTY = 0.95
"""Δ of the paper, which tries 0.95 and 0.99."""


@dataclass(frozen=True)
class StopRule:
    """What a candidate must be able to reach, and who guesses what it will.

    Attributes:
        threshold: accuracy in per cent at which the candidate would be the best.
        models: guesses, at most one for each number of epochs.
    """

    threshold: float
    models: tuple[CurveModel, ...]

    def guess(self, curve: Sequence[float]) -> float | None:
        """What the accuracy after all epochs is guessed to be, in per cent, where a model is for as many epochs."""
        for model in self.models:
            if model.epochs == len(curve):
                return min(100.0, max(0.0, model(curve)))
        return None

    def hopeless(self, curve: Sequence[float]) -> bool:
        """Whether the end of the curve is below the threshold with a probability of at least `CERTAINTY`."""
        guess = self.guess(curve)
        if guess is None:
            return False
        deviation = next(model.deviation for model in self.models if model.epochs == len(curve))
        distance = (self.threshold - guess) / max(deviation, 1e-9)
        return 0.5 * math.erfc(-distance / math.sqrt(2)) >= CERTAINTY

    def to_document(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "threshold": self.threshold,
            "models": [[*model[:1], list(model.weights), *model[2:]] for model in self.models],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StopRule:
        """The inverse of `to_document`.

        Raises:
            SearchError: not a rule.
        """
        try:
            models = [
                CurveModel(int(epochs), tuple(map(float, weights)), float(bias), float(deviation))
                for epochs, weights, bias, deviation in document["models"]
            ]
            return cls(float(document["threshold"]), tuple(models))
        except (KeyError, TypeError, ValueError) as error:
            raise SearchError(f"Expected a rule of early stopping. Received: {error!r}") from None
