"""Recipes: everything that a training decides beside the network and the data, as JSON files in ``training/recipes``.

Times inside a training (warm-up, steps of the learning rate) are fractions of it, so that a recipe keeps its shape when
only its number of epochs is changed.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from automl_cells.errors import TrainingError

_FOLDER = Path(__file__).parent / "recipes"
_MAX_BYTES = 100_000

Fill = Literal["constant", "nearest", "reflect", "wrap"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Translation(_Data):
    """A shift by up to `pixels` in each direction; what comes in from outside is filled by the rule `fill`."""

    op: Literal["translation"]
    pixels: Annotated[float, Field(gt=0, le=256)]
    fill: Fill = "constant"


class Rotation(_Data):
    """A rotation by up to `degrees` either way."""

    op: Literal["rotation"]
    degrees: Annotated[float, Field(gt=0, le=180)]
    fill: Fill = "constant"


class Zoom(_Data):
    """A zoom, height and width on their own, by a factor between ``1 - factor`` and ``1 + factor``."""

    op: Literal["zoom"]
    factor: Annotated[float, Field(gt=0, lt=1)]
    fill: Fill = "constant"


class HorizontalFlip(_Data):
    """A mirror image, every second time."""

    op: Literal["horizontal_flip"]


Augmentation = Annotated[Translation | Rotation | Zoom | HorizontalFlip, Field(discriminator="op")]


class Recipe(_Data):
    """How a network is trained.

    Attributes:
        name: what the recipe is called on the command line and in files.
        source: where it comes from.
        epochs: passes over the training images.
        batch_size: images a step.
        optimizer: ``sgd`` (with momentum) or ``adamw``.
        learning_rate: its peak.
        momentum: of SGD.
        nesterov: Nesterov's momentum, for SGD.
        weight_decay: decoupled, scaled by the learning rate: each step takes ``learning_rate · weight_decay`` of the
            kernels; biases and batch normalisation have none.
        clip_norm: largest norm of the whole gradient; ``None`` for no limit.
        schedule: of the learning rate after the warm-up: ``constant``, ``cosine`` (to zero) or ``step``.
        warmup: the fraction of the training in which the learning rate rises linearly from zero.
        steps: for ``step``: the fractions of the training after which the rate is multiplied by `step_factor`.
        step_factor: see `steps`.
        label_smoothing: this share of each label is spread over all classes.
        ema: weight of the past in a moving average of the weights, which is then what is validated and kept; ``None``
            keeps the weights themselves.
        batch_norm_momentum: weight of the past in the moving averages of batch normalisation.
        validation_fraction: share of the training images held out, by which the best epoch is chosen; 0 trains on all
            and keeps the last epoch.
        augmentation: what is done to the images in training, in this order, on raw pixel values.
    """

    name: str
    source: str = ""
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    optimizer: Literal["sgd", "adamw"]
    learning_rate: Annotated[float, Field(gt=0, le=100)]
    momentum: Fraction = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    warmup: Fraction = 0.0
    steps: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    step_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    label_smoothing: Fraction = 0.0
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    batch_norm_momentum: Fraction = 0.99
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    augmentation: tuple[Augmentation, ...] = ()

    @model_validator(mode="after")
    def _steps_fit(self) -> Recipe:
        if (self.schedule == "step") != bool(self.steps):
            raise ValueError("steps belong to the schedule 'step', and only to it")
        if any(early >= late for early, late in pairwise(self.steps)):
            raise ValueError("steps must increase")
        return self


def recipe_names() -> list[str]:
    """The names of the recipes that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def recipe(base: str | Path | Recipe = "plain", **overrides: Any) -> Recipe:
    """A recipe, with some of its fields changed.

    Args:
        base: the name of a packaged recipe, the path of a JSON file (it ends in ``.json``), or a `Recipe`.
        **overrides: fields of `Recipe` and their new values.

    Raises:
        TrainingError: an unknown recipe or field, an unreadable file, or a value out of range.
    """
    if isinstance(base, Recipe):
        found = base
    elif str(base) in recipe_names():
        found = _packaged(str(base))
    elif Path(base).suffix == ".json":
        found = _from_file(Path(base))
    else:
        raise TrainingError(f"Expected a .json file or a recipe among {recipe_names()}. Received: {base}")
    return from_document({**found.model_dump(mode="json"), **overrides}) if overrides else found


def from_document(document: Any) -> Recipe:
    """The recipe of a JSON document (``model_dump(mode="json")`` of another).

    Raises:
        TrainingError: a field is missing, unknown or out of range; the message names it.
    """
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "steps"
        if first["type"] == "extra_forbidden":
            raise TrainingError(f"Expected the fields {sorted(Recipe.model_fields)}. Received: {where}") from None
        raise TrainingError(
            f"Expected a recipe with a valid {where}: {first['msg']}. Received: {first['input']!r:.80}"
        ) from None


@cache
def _packaged(name: str) -> Recipe:
    return _from_file(_FOLDER / f"{name}.json")


def _from_file(path: Path) -> Recipe:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"Expected a JSON file with a recipe. Received: {path} ({error})") from None
    try:
        return from_document(document)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from None
