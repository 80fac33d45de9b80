"""An evaluator turns a genotype into metrics."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl_cells.errors import SearchError, TemplateError
from automl_cells.evaluation.early_stopping import StopRule
from automl_cells.evaluation.limits import Limits
from automl_cells.genotypes.base import Genotype


@dataclass(frozen=True)
class Evaluation:
    """What came of one candidate.

    Attributes:
        metrics: numbers by name, all finite: ``accuracy`` (validation, per cent), ``parameters``, ``flops``, … Empty or
            partial where the candidate failed.
        seconds: wall-clock time of the evaluation.
        failure: why the candidate failed, or ``None``.
        details: JSON-able notes that no reward uses (learning curve, restarts).
    """

    metrics: Mapping[str, float]
    seconds: float
    failure: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {
            "metrics": dict(self.metrics),
            "seconds": self.seconds,
            "failure": self.failure,
            "details": dict(self.details),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Evaluation:
        """The inverse of `to_document`; metrics that are not finite make the evaluation a failed one.

        Raises:
            SearchError: not an evaluation.
        """
        try:
            metrics = {str(name): float(value) for name, value in document["metrics"].items()}
            failure = document["failure"]
            infinite = [name for name, value in metrics.items() if not math.isfinite(value)]
            if infinite and failure is None:
                failure = f"the metric {infinite[0]} is {metrics[infinite[0]]}"
            finite = {name: value for name, value in metrics.items() if name not in infinite}
            return cls(finite, float(document["seconds"]), failure, document["details"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SearchError(f"Expected an evaluation document. Received: {error!r}") from None


class Evaluator(ABC):
    """Measures candidates.

    Attributes:
        chance: accuracy of guessing in per cent, the reward floor: what a failed candidate earns.
        stop_rule: when the next candidate's training is not worth going on with; set before each `evaluate`, for
            evaluators that train.
    """

    chance: float
    stop_rule: StopRule | None = None

    @abstractmethod
    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        """Measure one candidate. A candidate that fails (NaN, out of memory) is an `Evaluation` with `failure` set."""

    def prepare(self) -> None:  # noqa: B027 (most evaluators need none)
        """Do what takes long and is done once, such as importing a framework; workers call it before the first job."""

    def known(self, genotype: Genotype) -> dict[str, float]:
        """The metrics that need no training (parameters, FLOPs, density …); what limits are checked on."""
        return {}

    def allows(self, genotype: Genotype, limits: Limits) -> bool:
        """Whether what is known of a candidate keeps the limits; a network too large to be planned does not."""
        try:
            return limits.allow(self.known(genotype))
        except TemplateError:
            return False

    def spec(self) -> dict[str, Any]:
        """How another process makes this evaluator again: see `from_spec`.

        Raises:
            SearchError: this evaluator works in its own process only.
        """
        raise SearchError(
            "Expected an evaluator that other processes can make (override spec), or executor='serial'. "
            f"Received: {type(self).__name__}"
        )


def from_spec(spec: Mapping[str, Any]) -> Evaluator:
    """The evaluator of ``{"factory": "package.module:name", "arguments": {…}}``.

    The factory is imported and called with the arguments; nothing is unpickled.
    """
    module, _, name = spec["factory"].partition(":")
    return getattr(importlib.import_module(module), name)(**spec["arguments"])
