"""The loop of a training: epochs of steps, validation, the best weights, a checkpoint, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from automl_cells.errors import TrainingError
from automl_cells.training.batches import TrainingBatches
from automl_cells.training.checkpoints import Checkpoints, State
from automl_cells.training.distribution import first_machine
from automl_cells.training.engines import Engine
from automl_cells.training.progress import ShowProgress

EVALUATION_BATCH = 250


class Images(NamedTuple):
    """Raw images and their labels; `indices` says which of them are meant."""

    images: Any
    labels: np.ndarray
    indices: np.ndarray


def run(
    engine: Engine,
    batches: TrainingBatches,
    validation: Images,
    epochs: int,
    checkpoints: Checkpoints | None,
    progress: ShowProgress | None,
    keep: str = "best",
) -> State:
    """Train until the last epoch is done, from the last checkpoint on if there is one.

    The weights of the epoch with the highest validation accuracy are kept (averaged ones, if the recipe averages);
    among equals the latest, whose learning rate is the lowest: with few validation images many epochs tie, and a low
    loss on them can be luck. Without validation images the last epoch is kept.

    Args:
        engine: what trains.
        batches: what on.
        validation: by what the best epoch is chosen; may be no images.
        epochs: how many.
        checkpoints: where to; ``None`` keeps nothing on the disk.
        progress: shown as it goes.
        keep: ``last`` keeps the last epoch's weights in any case.

    Raises:
        TrainingError: the training diverges, or the checkpoints belong to another network.
    """
    state = _restored(engine, checkpoints)
    since = time.monotonic()
    if progress is not None:
        progress.begin(epochs, batches.steps, state.epoch)
    try:
        while state.epoch < epochs:
            for images, targets in batches.epoch(state.epoch):
                engine.step(images, targets, state.step)
                state.step += 1
                if progress is not None:
                    progress.step(state.step)
            totals = engine.totals()
            if not math.isfinite(totals.loss):
                raise TrainingError(
                    f"Expected a finite loss (a lower learning rate may help). Received: {totals.loss} "
                    f"in epoch {state.epoch + 1}"
                )
            values = {"loss": totals.loss, "accuracy": totals.accuracy}
            if len(validation.indices):
                values["val_loss"], values["val_accuracy"] = evaluate(engine, validation, averaged=True)
            state.epoch += 1
            _note(engine, state, values, keep)
            now = time.monotonic()
            state.seconds, since = state.seconds + now - since, now
            if checkpoints is not None and first_machine():
                checkpoints.save(engine.state(), state)
            if progress is not None:
                progress.epoch(state.epoch, values)
    finally:
        if progress is not None:
            progress.close()
    return state


def evaluate(engine: Engine, part: Images, averaged: bool) -> tuple[float, float]:
    """Cross-entropy in nats and accuracy, 0 to 1, at inference."""
    loss, hits = 0.0, 0
    for chosen in _chunks(part.indices):
        logits = engine.logits(part.images[chosen], averaged).astype(np.float64)
        shifted = logits - logits.max(1, keepdims=True)
        labels = part.labels[chosen]
        loss += float(np.sum(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]))
        hits += int(np.sum(logits.argmax(1) == labels))
    return loss / len(part.indices), hits / len(part.indices)


def _chunks(indices: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), EVALUATION_BATCH):
        yield indices[start : start + EVALUATION_BATCH]


def _note(engine: Engine, state: State, values: dict[str, float], keep: str) -> None:
    """Note the values of the epoch just done, and its weights if they are the best so far or the last are wanted."""
    for name, value in values.items():
        state.history.setdefault(name, []).append(float(value))
    accuracy = values.get("val_accuracy")
    if accuracy is None or keep == "last" or accuracy >= state.best_accuracy:
        state.best, state.best_epoch = engine.weights(averaged=True), state.epoch
        state.best_accuracy = -1.0 if accuracy is None else float(accuracy)


def _restored(engine: Engine, checkpoints: Checkpoints | None) -> State:
    if checkpoints is None:
        return State()
    variables, state = checkpoints.load()
    if variables is not None:
        try:
            engine.restore(variables)
        except (KeyError, ValueError) as error:
            raise TrainingError(f"Expected the checkpoint of this network. Received: another ({error})") from None
    return state
