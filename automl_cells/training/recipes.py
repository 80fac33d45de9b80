"""Recipes: everything that a training decides beside the network and the data, as JSON files in ``training/recipes``.

Times inside a training (warm-up, steps of the learning rate) are fractions of it, so that a recipe keeps its shape when
only its number of epochs is changed; the schedule ``exponential`` alone counts epochs, as the papers that use it do.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError, model_serializer, model_validator

from automl_cells.augmentation.steps import Augmentation, Data, step_fields
from automl_cells.errors import TrainingError

_FOLDER = Path(__file__).parent / "recipes"
_MAX_BYTES = 100_000

Fraction = Annotated[float, Field(ge=0, lt=1)]
Inside = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
_STEP_FACTOR = 0.1
_MAY_BE_ABSENT = ("drop_path_keep", "auxiliary_weight", "chain_dropout")
_SCHEDULE = (
    "chain_dropout",
    "schedule",
    "steps",
    "step_factor",
    "decay_rate",
    "decay_epochs",
)  # fields that must agree


def _kind(value: Any) -> str:
    """Which member of a union is meant, so that the error is about that one; no field's name, see `from_document`."""
    return "several values" if isinstance(value, list | tuple) else "one value"


_ONE, _SEVERAL, _EITHER = Tag("one value"), Tag("several values"), Discriminator(_kind)
StepFactor = Annotated[Annotated[Inside, _ONE] | Annotated[tuple[Inside, ...], _SEVERAL], _EITHER]
ClassWeights = Annotated[
    Annotated[Literal["none", "balanced"], _ONE] | Annotated[tuple[Positive, ...], Field(min_length=2), _SEVERAL],
    _EITHER,
]


class Recipe(Data):
    """How a network is trained.

    Attributes:
        name: what the recipe is called on the command line and in files.
        source: where it comes from, and where it differs from that.
        epochs: passes over the training images.
        batch_size: images a step, over all devices.
        optimizer: ``sgd`` (with momentum), ``adam``, ``adamw`` or ``rmsprop``.
        learning_rate: its peak.
        momentum: of SGD and RMSprop.
        nesterov: Nesterov's momentum, for SGD.
        beta_1: weight of the past in Adam's mean of gradients.
        beta_2: weight of the past in Adam's mean of squared gradients.
        epsilon: of Adam and RMSprop, against division by zero.
        rho: weight of the past in RMSprop's mean of squared gradients.
        weight_decay: decoupled, scaled by the learning rate: each step takes ``learning_rate · weight_decay`` of the
            kernels; biases and batch normalisation have none.
        l2: coupled: adds ``l2 · w`` of the kernels to the gradient, before it is clipped, as the penalty
            ``l2 · ‖w‖²/2`` would. It is what papers call weight decay (torch's SGD, Caffe, slim's ``l2_regularizer``),
            save that torch's also takes from biases and batch normalisation.
        clip_norm: largest norm of the whole gradient; ``None`` for no limit.
        schedule: of the learning rate after the warm-up: ``constant``, ``cosine`` (to zero), ``linear`` (to zero; with
            a warm-up: one cycle), ``step`` or ``exponential``. The formulae are in ``training/schedule.py``.
        warmup: the fraction of the training in which the learning rate rises linearly from zero.
        steps: for ``step``: the fractions of the training after which the rate is multiplied by `step_factor`.
        step_factor: for ``step``: one factor for all steps, or a tuple of one for each.
        decay_rate: for ``exponential``: the rate is multiplied by this …
        decay_epochs: … each time that so many epochs are over.
        label_smoothing: this share of each label is spread over all classes.
        dropout: the share of the features that is dropped before the classifier.
        chain_dropout: for chains: lowest and highest share of the features that the dropout layers inside of the chain
            drop; (0, 0) for none. The formula is in ``builder/chain_network.py``.
        drop_path_keep: for cells, ScheduledDropPath: the probability that the deepest path is kept at the end; 1 drops
            none. The formula is in ``builder/drop_path.py``.
        auxiliary_weight: for cells: weight of the loss of NASNet's auxiliary head, which is there in training only; 0
            for no such head.
        class_weights: weights of the classes in the loss: ``none``, ``balanced`` (images / (classes · images of the
            class), so that each class weighs the same) or a tuple of one for each class.
        precision: ``float32``, ``bfloat16`` (computed in it, weights in float32) or ``auto``: bfloat16 where the
            hardware multiplies it natively, else float32.
        ema: weight of the past in a moving average of the weights, which is then what is validated and kept; ``None``
            keeps the weights themselves. A short training looks back less far (``schedule.ema_momentum``).
        batch_norm_momentum: weight of the past in the moving averages of batch normalisation.
        validation_fraction: share of the training images held out, by which the best epoch is chosen; 0 trains on all
            and keeps the last epoch.
        keep: whose weights are kept: the ``best`` epoch's by validation accuracy, or the ``last``'s, which is the safer
            choice where there are so few validation images that luck decides.
        augmentation: what is done to the images in training, in this order, on raw pixel values.
    """

    name: str
    source: str = ""
    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"]
    learning_rate: Annotated[float, Field(gt=0, le=100)]
    momentum: Fraction = 0.9
    nesterov: bool = True
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Annotated[float, Field(gt=0, le=10)] = 1e-7
    rho: Fraction = 0.9
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    l2: Annotated[float, Field(ge=0, le=10)] = 0.0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    schedule: Literal["constant", "cosine", "linear", "step", "exponential"] = "cosine"
    warmup: Fraction = 0.0
    steps: tuple[Inside, ...] = ()
    step_factor: StepFactor = _STEP_FACTOR
    decay_rate: Inside | None = None
    decay_epochs: Positive | None = None
    label_smoothing: Fraction = 0.0
    dropout: Fraction = 0.0
    chain_dropout: tuple[Fraction, Fraction] = (0.0, 0.0)
    drop_path_keep: Annotated[float, Field(gt=0, le=1)] = 1.0
    auxiliary_weight: Annotated[float, Field(ge=0, le=10)] = 0.0
    class_weights: ClassWeights = "none"
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    ema: Inside | None = None
    batch_norm_momentum: Fraction = 0.99
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    keep: Literal["best", "last"] = "best"
    augmentation: tuple[Augmentation, ...] = ()

    @model_serializer(mode="wrap")
    def _document(self, handler: Any) -> dict[str, Any]:
        """Without what the first releases do not know where it is at its default: their trainings can be continued."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if name not in _MAY_BE_ABSENT or getattr(self, name) != fields[name].default
        }

    @model_validator(mode="after")
    def _schedule_fits(self) -> Recipe:
        if self.chain_dropout[0] > self.chain_dropout[1]:
            raise ValueError("chain_dropout is the lowest and the highest rate, in this order")
        if (self.schedule == "step") != bool(self.steps):
            raise ValueError("steps belong to the schedule 'step', and only to it")
        if any(early >= late for early, late in pairwise(self.steps)):
            raise ValueError("steps must increase")
        if isinstance(self.step_factor, tuple) and len(self.step_factor) != len(self.steps):
            raise ValueError(f"step_factor is one number, or one for each of the {len(self.steps)} steps")
        if self.schedule != "step" and self.step_factor != _STEP_FACTOR:
            raise ValueError("step_factor belongs to the schedule 'step', and only to it")
        for field in ("decay_rate", "decay_epochs"):
            if (self.schedule == "exponential") != (getattr(self, field) is not None):
                raise ValueError(f"{field} belongs to the schedule 'exponential', and only to it")
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
        # What is not a field's name or an index is pydantic's own, such as the kind of union that it tried.
        path: list[str] = [part for part in map(str, first["loc"]) if part.isidentifier() or part.isdecimal()]
        where = ".".join(path) or "schedule"
        if first["type"] == "extra_forbidden":
            known = sorted(Recipe.model_fields) if len(path) == 1 else step_fields(path[-2])
            raise TrainingError(f"Expected the fields {known}. Received: {where}") from None
        # A rule about several fields gets the whole document: of that, only the fields that the rules are about.
        given = first["input"]
        if not path and isinstance(given, dict):
            given = {key: given[key] for key in _SCHEDULE if given.get(key) is not None}
        raise TrainingError(
            f"Expected a recipe with a valid {where}: {first['msg']}. Received: {given!r:.100}"
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
