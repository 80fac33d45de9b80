"""Hard limits that a proposal must keep before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from automl_cells.errors import SearchError

# For each limit the metric that it bounds, and how it reads.
_METRICS = {
    "max_params": ("parameters", "{:,} parameters"),
    "max_flops": ("flops", "{:,} multiply-adds"),
    "max_memory": ("memory", "{:,} bytes of activations"),
    "max_latency_ms": ("latency_ms", "{:g} ms an image"),
}
_SINCE_THE_FIRST_JOURNALS = ("max_params", "max_flops")


@dataclass(frozen=True)
class Limits:
    """Upper bounds on metrics that are known without training.

    Attributes:
        max_params: most trainable parameters, or ``None`` for no limit.
        max_flops: most multiply-adds for one image, or ``None`` for no limit.
        max_memory: most bytes of activations alive at once, see `builder.memory.peak_memory`, or ``None``.
        max_latency_ms: longest median latency for one image in milliseconds, see `evaluation.latency.latency_ms`, or
            ``None``. It is measured, so a candidate near the limit may be within it once and above it another time.

    Raises:
        SearchError: a limit that is not positive and finite.
    """

    max_params: int | None = None
    max_flops: int | None = None
    max_memory: int | None = None
    max_latency_ms: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self._set().items():
            if not 0 < limit < math.inf:
                raise SearchError(f"Expected {name} above 0. Received: {limit}")

    def __str__(self) -> str:
        bounds = [_METRICS[name][1].format(limit) for name, limit in self._set().items()]
        return f"at most {', '.join(bounds)}" if bounds else "none are set"

    def _set(self) -> dict[str, float]:
        """The limits that are set, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in found.items() if limit is not None}

    def to_document(self) -> dict[str, float | None]:
        """As JSON-able data for a journal; a limit that the first journals do not know stands in it if it is set."""
        return dict.fromkeys(_SINCE_THE_FIRST_JOURNALS) | self._set()

    def allow(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metrics keep the limits; a metric that is not known cannot break one."""
        return all(metrics.get(_METRICS[name][0], 0) <= limit for name, limit in self._set().items())
