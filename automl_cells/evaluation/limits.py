"""Hard limits that a proposal must keep before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from automl_cells.errors import SearchError


@dataclass(frozen=True)
class Limits:
    """Upper bounds on metrics that are known from the plan.

    Attributes:
        max_params: most trainable parameters, or ``None`` for no limit.
        max_flops: most multiply-adds for one image, or ``None`` for no limit.

    Raises:
        SearchError: a limit that is not positive.
    """

    max_params: int | None = None
    max_flops: int | None = None

    def __post_init__(self) -> None:
        for name, limit in (("max_params", self.max_params), ("max_flops", self.max_flops)):
            if limit is not None and limit <= 0:
                raise SearchError(f"Expected {name} above 0. Received: {limit}")

    def __str__(self) -> str:
        params, flops = (f"{limit:,}" if limit else "any" for limit in (self.max_params, self.max_flops))
        return f"at most {params} parameters, {flops} multiply-adds"

    def allow(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metrics keep the limits; a metric that is not known cannot break one."""
        return all(
            limit is None or metrics.get(name, 0) <= limit
            for name, limit in (("parameters", self.max_params), ("flops", self.max_flops))
        )
