"""Proxy-training protocols: how long and how a candidate is trained during a search, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automl_cells.errors import SearchError

_FOLDER = Path(__file__).parent / "proxies"
Positive = Annotated[float, Field(gt=0)]


class ProxyProtocol(BaseModel):
    """A short training with Adam and a step schedule.

    Attributes:
        name: what the protocol is called.
        source: paper and section.
        epochs: passes over the training part.
        batch_size: images a step, at most; a last partial batch is dropped.
        min_steps: steps that an epoch must have: the batch is made smaller where the data are too few for it.
        learning_rate: of the first try.
        decay_factor: the rate is multiplied by it …
        decay_epochs: … every so many epochs.
        beta_1: Adam's β₁.
        beta_2: Adam's β₂.
        epsilon: Adam's ε.
        max_restarts: how often a training that is no better than chance after its first epoch starts anew …
        restart_factor: … with the learning rate multiplied by this.
        validation_fraction: part of the training images, stratified, that measures the accuracy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str = ""
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=1)]
    min_steps: Annotated[int, Field(ge=1)] = 1
    learning_rate: Positive
    decay_factor: Positive
    decay_epochs: Annotated[int, Field(ge=1)]
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    epsilon: Positive
    max_restarts: Annotated[int, Field(ge=0)]
    restart_factor: Positive
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]

    def learning_rate_at(self, epoch: int, restarts: int = 0) -> float:
        """The rate in 0-based `epoch`, after that many restarts.

        Example:
            >>> [round(proxy_protocol("blockqnn").learning_rate_at(epoch), 7) for epoch in (0, 4, 5, 10)]
            [0.001, 0.001, 0.0002, 4e-05]
        """
        return self.learning_rate * self.restart_factor**restarts * self.decay_factor ** (epoch // self.decay_epochs)

    def batch_for(self, images: int) -> int:
        """Images a step with that many training images: `batch_size`, or fewer to have `min_steps` an epoch."""
        return max(1, min(self.batch_size, images // self.min_steps))


def proxy_protocol(name: str | ProxyProtocol = "blockqnn", **changes: Any) -> ProxyProtocol:
    """A packaged protocol, with some fields changed.

    Raises:
        SearchError: an unknown protocol, an unknown field or a value out of range.
    """
    if isinstance(name, str):
        names = sorted(path.stem for path in _FOLDER.glob("*.json"))
        if name not in names:
            raise SearchError(f"Expected a proxy protocol among {names}. Received: {name}")
        name = ProxyProtocol.model_validate_json((_FOLDER / f"{name}.json").read_bytes())
    try:
        return ProxyProtocol.model_validate({**name.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SearchError(f"Expected a valid {where}: {first['msg']}. Received: {first['input']!r}") from None
