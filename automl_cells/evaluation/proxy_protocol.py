"""Proxy-training protocols: how long and how a candidate is trained during a search, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from automl_cells.augmentation import Augmentation
from automl_cells.augmentation.steps import Data
from automl_cells.errors import SearchError

_FOLDER = Path(__file__).parent / "proxies"
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]

# What a choice needs and no other takes.
_BELONGS: dict[str, dict[str, tuple[str, ...]]] = {
    "optimizer": {"adam": ("beta_1", "beta_2", "epsilon"), "sgd": ("momentum",)},
    "schedule": {"step": ("decay_factor", "decay_epochs"), "cosine": ()},
}
_CHOSEN = tuple(name for choices in _BELONGS.values() for names in choices.values() for name in names)
# Left out of a document where they stand at their defaults: what belongs to another choice, and what the first
# journals do not know, so that the searches in them can be continued.
_MAY_BE_ABSENT = (*_CHOSEN, *_BELONGS, "l2", "augmentation", "chain_dropout", "measure")


class ProxyProtocol(Data):
    """A short training.

    Attributes:
        name: what the protocol is called.
        source: paper and section, and what is not from there.
        epochs: passes over the training part.
        batch_size: images a step, at most; a last partial batch is dropped.
        min_steps: steps that an epoch must have: the batch is made smaller where the data are too few for it.
        optimizer: ``adam`` or ``sgd`` (with momentum, as Keras writes it: v ← μ v - η g; w ← w + v).
        learning_rate: η at the start of the first try.
        beta_1: Adam's β₁.
        beta_2: Adam's β₂.
        epsilon: Adam's ε.
        momentum: SGD's μ.
        l2: coupled: adds ``l2 · w`` of the kernels (variables of two or more dimensions, those of depthwise
            convolutions too) to their gradients, as the penalty ``l2 · ‖w‖²/2`` would. It is what papers call weight
            decay; biases and batch normalisation have none.
        schedule: of the learning rate: ``step`` (in stairs) or ``cosine`` (a single period, from step to step, to 0).
        decay_factor: for ``step``: the rate is multiplied by it …
        decay_epochs: … every so many epochs.
        augmentation: what is done to the images in training, in this order, on normalised images: what is filled in
            is the mean colour. So there is no ``color_jitter``, whose arithmetic is that of raw pixels.
        chain_dropout: for chains: lowest and highest rate of the dropout layers inside, see `builder.chain_network`;
            (0, 0) for none.
        measure: whose accuracy counts: the ``last`` epoch's, or the ``best``'s, as MetaQNN has it.
        max_restarts: how often a training that is no better than chance after its first epoch starts anew …
        restart_factor: … with the learning rate multiplied by this.
        validation_fraction: part of the training images, stratified, that measures the accuracy.
    """

    name: str
    source: str = ""
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=1)]
    min_steps: Annotated[int, Field(ge=1)] = 1
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive
    beta_1: Fraction | None = None
    beta_2: Fraction | None = None
    epsilon: Positive | None = None
    momentum: Fraction | None = None
    l2: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["step", "cosine"] = "step"
    decay_factor: Positive | None = None
    decay_epochs: Annotated[int, Field(ge=1)] | None = None
    augmentation: tuple[Augmentation, ...] = ()
    chain_dropout: tuple[Fraction, Fraction] = (0.0, 0.0)
    measure: Literal["last", "best"] = "last"
    max_restarts: Annotated[int, Field(ge=0)]
    restart_factor: Positive = 1.0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]

    @field_validator("augmentation")
    @classmethod
    def _on_normalised_images(cls, steps: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
        if any(step.op == "color_jitter" for step in steps):
            raise ValueError("color_jitter is for raw pixels, and a proxy training augments normalised images")
        return steps

    @model_validator(mode="after")
    def _fields_fit(self) -> ProxyProtocol:
        if self.chain_dropout[0] > self.chain_dropout[1]:
            raise ValueError("chain_dropout is the lowest and the highest rate, in this order")
        for field, choices in _BELONGS.items():
            for choice, names in choices.items():
                for name in names:
                    if (getattr(self, field) == choice) != (getattr(self, name) is not None):
                        raise ValueError(f"{name} belongs to the {field} '{choice}', which needs it, and only to it")
        return self

    @model_serializer(mode="wrap")
    def _document(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if name not in _MAY_BE_ABSENT or getattr(self, name) != fields[name].default
        }

    def learning_rates(self, epoch: int, steps: int, restarts: int = 0) -> np.ndarray:
        """The rate of each step of the 0-based `epoch`, shape (steps,), after that many restarts.

        ``cosine``: with t steps done of T, η (1 + cos πt/T) / 2.

        Example:
            >>> [round(float(proxy_protocol("blockqnn").learning_rates(epoch, 1)[0]), 7) for epoch in (0, 4, 5, 10)]
            [0.001, 0.001, 0.0002, 4e-05]
            >>> proxy_protocol("nasnet", epochs=2, learning_rate=1.0).learning_rates(1, 3).round(3).tolist()
            [0.5, 0.25, 0.067]
        """
        peak = self.learning_rate * self.restart_factor**restarts
        if self.schedule == "cosine":
            done = np.arange(epoch * steps, (epoch + 1) * steps) / (self.epochs * steps)
            return peak * (1 + np.cos(np.pi * done)) / 2
        factor, epochs = self.decay_factor or 1.0, self.decay_epochs or 1  # both are there: `_fields_fit` sees to it
        return np.full(steps, peak * factor ** (epoch // epochs))

    def batch_for(self, images: int) -> int:
        """Images a step with that many training images: `batch_size`, or fewer to have `min_steps` an epoch."""
        return max(1, min(self.batch_size, images // self.min_steps))


def proxy_protocol(base: str | ProxyProtocol = "blockqnn", /, **changes: Any) -> ProxyProtocol:
    """A packaged protocol, with some fields changed.

    Args:
        base: the name of a packaged protocol, or a `ProxyProtocol`.
        **changes: fields of `ProxyProtocol` and their new values; for another optimizer or schedule also those of the
            old one, as ``None``.

    Raises:
        SearchError: an unknown protocol, an unknown field, a value out of range, or a field of another optimizer.
    """
    if isinstance(base, str):
        if base not in protocol_names():
            raise SearchError(f"Expected a proxy protocol among {protocol_names()}. Received: {base}")
        base = ProxyProtocol.model_validate_json((_FOLDER / f"{base}.json").read_bytes())
    try:
        return ProxyProtocol.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        where, given = ".".join(map(str, first["loc"])), first["input"]
        if not where:  # a rule about several fields gets all of them: of these, the ones that the rules are about
            where = "protocol"
            given = {key: given[key] for key in (*_BELONGS, *_CHOSEN, "chain_dropout") if given.get(key) is not None}
        raise SearchError(f"Expected a valid {where}: {first['msg']}. Received: {given!r}") from None


def protocol_names() -> list[str]:
    """The names of the protocols that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))
