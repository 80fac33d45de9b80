"""The two phases of a fine-tuning: first the new classifier alone, then all of the network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from rich.console import Console

from automl_cells.builder.head import is_head
from automl_cells.datasets import Dataset, Preprocessing
from automl_cells.errors import TrainingError
from automl_cells.training import session
from automl_cells.training.bodies import Body
from automl_cells.training.checkpoints import Checkpoints, State
from automl_cells.training.engines import Placed
from automl_cells.training.fit import split
from automl_cells.training.frozen_statistics import FrozenStatistics
from automl_cells.training.progress import ShowProgress
from automl_cells.training.recipes import Recipe
from automl_cells.training.recipes import recipe as make_recipe

MAX_EPOCHS = 100_000
PHASE = "head-"
"""Of the checkpoints of the first phase."""

BatchNorm = Literal["adapt", "frozen"]


def check(recipe: Recipe) -> None:
    """Refuse what a fine-tuned network does not have.

    Raises:
        TrainingError: the recipe asks for an auxiliary head or drops paths.
    """
    if recipe.auxiliary_weight or recipe.drop_path_keep < 1:
        raise TrainingError(
            f"Expected auxiliary_weight=0 and drop_path_keep=1 for a fine-tuning. Received: {recipe.auxiliary_weight} "
            f"and {recipe.drop_path_keep} (recipe {recipe.name})"
        )


@dataclass(frozen=True)
class Settings:
    """What a fine-tuning decides beside the recipe, whose epochs are those of the second phase.

    Attributes:
        head_epochs: epochs of the first phase, in which the body is frozen and its batch normalisation in inference
            mode; 0 leaves it out.
        body_rate: factor of the learning rate for the body in the second phase; the head's is 1.
        batch_norm: in the second phase ``adapt`` (normalise with each batch's statistics and let the moving averages
            follow the new data) or ``frozen`` (keep those of the pretraining; scale and offset are trained).
    """

    head_epochs: int = 5
    body_rate: float = 0.3
    batch_norm: BatchNorm = "adapt"

    def __post_init__(self) -> None:
        if type(self.head_epochs) is not int or not 0 <= self.head_epochs <= MAX_EPOCHS:
            raise TrainingError(f"Expected head_epochs from 0 to {MAX_EPOCHS}. Received: {self.head_epochs!r}")
        if not isinstance(self.body_rate, int | float) or not 0 < self.body_rate <= 1:
            raise TrainingError(f"Expected body_rate above 0, at most 1. Received: {self.body_rate!r}")
        if self.batch_norm not in ("adapt", "frozen"):
            raise TrainingError(f"Expected batch_norm 'adapt' or 'frozen'. Received: {self.batch_norm!r}")

    def to_document(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


class Outcome(NamedTuple):
    """What both phases together have come to.

    Attributes:
        state: with the history of both, one after the other, and the best weights of both.
        training_images: seen in an epoch.
        replicas: that shared each batch.
    """

    state: State
    training_images: int
    replicas: int


def run(
    body: Body,
    dataset: Dataset,
    recipe: Recipe,
    settings: Settings,
    preprocessing: Preprocessing,
    *,
    precision: str,
    seed: int,
    replicas: int,
    checkpoints: Path | None,
    progress: Console | None,
) -> Outcome:
    """Train the head, then everything; a phase that its checkpoints call finished is not repeated.

    The second phase goes on from the best weights of the first. Kept are the weights of the highest validation accuracy
    over both: where a small data set only spoils a good body, the head alone is the answer. At equal accuracy, without
    validation images, or if the recipe keeps the last epoch, it is the second phase's.

    Args:
        body: pretrained.
        dataset: with the body's channels.
        recipe: of both phases, except for the number of epochs of the first.
        settings: see there.
        preprocessing: normalisation in front of the body.
        precision: ``float32`` or ``bfloat16``.
        seed: of the head, the validation split, the order of the images and the augmentation.
        replicas: on this machine, see `check_replicas`.
        checkpoints: the folder for them; ``None`` keeps nothing on the disk.
        progress: where to show it.

    Raises:
        TrainingError: see `session.fit`, or weights that do not fit the body.
    """
    training, validation = split(dataset, recipe, seed)

    def trained(
        phase: str, what: str, epochs: int, make_network: Any, rate_of: session.RateOf | None
    ) -> tuple[session.Engine | None, State]:
        kept = None if checkpoints is None else Checkpoints(checkpoints, phase)
        if kept is not None and phase:
            _, state = kept.load()
            if state.epoch >= epochs:
                return None, state
        return session.fit(
            make_network,
            dataset.x_train,
            dataset.y_train,
            training,
            validation,
            dataset.classes,
            preprocessing,
            make_recipe(recipe, epochs=epochs),
            precision=precision,
            seed=seed,
            replicas=replicas,
            checkpoints=kept,
            progress=None if progress is None else ShowProgress(progress, what),
            rate_of=rate_of,
        )

    head = State()
    if settings.head_epochs:
        _, head = trained(PHASE, "head", settings.head_epochs, lambda placed: _head_only(body, recipe, placed), None)

    def everything(placed: Placed) -> keras.Model:
        frozen = settings.batch_norm == "frozen"
        network = body.network(recipe, FrozenStatistics if frozen else placed.batch_norm)
        network.trainable = True
        assign(network, head.best)
        return network

    def rate_of(variable: keras.Variable) -> float:
        return 1.0 if is_head(variable.path) else settings.body_rate

    engine, full = trained("", "all", recipe.epochs, everything, rate_of)
    assert engine is not None
    return Outcome(joined(head, full, recipe.keep), len(training), engine.replicas)


def joined(head: State, full: State, keep: str = "best") -> State:
    """The states of two phases as one; see `run` for whose weights are kept."""
    history = {name: [*head.history.get(name, []), *values] for name, values in full.history.items()}
    first = keep == "best" and head.best_accuracy > full.best_accuracy
    return State(
        epoch=head.epoch + full.epoch,
        step=head.step + full.step,
        seconds=head.seconds + full.seconds,
        best_epoch=head.best_epoch if first else head.epoch + full.best_epoch,
        best_accuracy=head.best_accuracy if first else full.best_accuracy,
        history=history,
        best=head.best if first else full.best,
    )


def assign(network: keras.Model, values: dict[str, np.ndarray]) -> None:
    """Give the variables of `network` the values at their paths; an empty dictionary changes nothing."""
    if values:
        for variable in network.weights:
            variable.assign(values[variable.path])


def _head_only(body: Body, recipe: Recipe, placed: Placed) -> keras.Model:
    """The network with everything but its classifier frozen: batch normalisation then works as at inference."""
    network = body.network(recipe, placed.batch_norm)
    network.trainable = True
    for layer in network.layers:
        layer.trainable = is_head(layer.name)
    return network
