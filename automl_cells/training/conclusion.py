"""The end of a training: round the weights, measure them once on the test images, write the entry."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from automl_cells.builder import Template, build
from automl_cells.datasets import Dataset
from automl_cells.errors import TrainingError
from automl_cells.genotypes import Genotype
from automl_cells.training import entry as entries
from automl_cells.training.checkpoints import State
from automl_cells.training.distribution import first_machine
from automl_cells.training.weights import load_weights, save_values

PATIENCE = 600.0  # seconds that other machines wait for the first to write the entry


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        out: the run folder.
        entry: the folder with the zoo entry in it.
        metrics: the content of ``metrics.json``; accuracies in per cent.
        history: for each quantity its value in each epoch (accuracies 0 to 1).
        model: normalised float32 images → probabilities, with the weights as stored.
    """

    out: Path
    entry: Path
    metrics: dict[str, Any]
    history: dict[str, list[float]]
    model: keras.Model


def conclude(
    folder: Path,
    genotype: Genotype,
    template: Template,
    dataset: Dataset,
    model_document: dict[str, Any],
    provenance: Mapping[str, Any],
    state: State,
    training_images: int,
    notes: Mapping[str, Any],
) -> TrainingResult:
    """Write ``RUN/entry`` with the best weights, rounded to float16, and what they reach on the test images.

    The accuracy is that of the rounded weights in a network of stock layers, read back from the file.

    Args:
        folder: the run folder.
        genotype: what was trained.
        template: in which frame.
        dataset: on what; its test images are touched here, once.
        model_document: the content of ``model.json``; its preprocessing is that of the test images.
        provenance: where the genotype comes from.
        state: of the training.
        training_images: how many images it saw in an epoch.
        notes: further metrics to record.
    """
    final = folder / "entry"
    if not first_machine():
        _wait_for(final)
        return finished(folder, genotype, template)
    partial = folder / ".partial-entry"
    shutil.rmtree(partial, ignore_errors=True)
    model = build(genotype, template)
    kept = {variable.path: state.best[variable.path] for variable in model.weights}  # without what only trains
    save_values(kept, partial / entries.WEIGHTS)
    load_weights(model, partial / entries.WEIGHTS)
    preprocessing = type(dataset.preprocessing).from_document(model_document["preprocessing"])
    test_accuracy = 100 * accuracy(model, preprocessing, dataset.x_test, dataset.y_test)
    validated = state.best_accuracy >= 0
    metrics = {
        "test_accuracy": round(test_accuracy, 4),
        "test_error": round(100 - test_accuracy, 4),
        "validation_accuracy": round(100 * state.best_accuracy, 4) if validated else None,
        **entries.costs(genotype, template),
        "epochs": state.epoch,
        "steps": state.step,
        "best_epoch": state.best_epoch,
        "seconds": round(state.seconds, 2),
        "images_per_second": round(training_images * state.epoch / max(state.seconds, 1e-9), 1),
        "training_images": training_images,
        "test_images": len(dataset.x_test),
        **notes,
        "versions": entries.environment(),
    }
    entries.complete_entry(partial, final, genotype, provenance, model_document, metrics, state.history)
    return TrainingResult(folder, final, metrics, state.history, model)


def finished(folder: Path, genotype: Genotype, template: Template) -> TrainingResult:
    """What a training that is finished has left in its run folder."""
    final = folder / "entry"
    metrics, history = entries.read_documents(final)
    return TrainingResult(folder, final, metrics, history, _network(genotype, template, final / entries.WEIGHTS))


def accuracy(model: keras.Model, preprocessing: Any, images: Any, labels: np.ndarray, batch_size: int = 250) -> float:
    """The share of raw `images` (n, height, width, channels) whose largest output is their label, 0 to 1."""
    right = 0
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        outputs = keras.ops.convert_to_numpy(model.predict_on_batch(preprocessing(images[part])))
        right += int(np.sum(np.argmax(outputs, axis=-1) == labels[part]))
    return right / len(images)


def _network(genotype: Genotype, template: Template, weights: Path) -> keras.Model:
    model = build(genotype, template)
    load_weights(model, weights)
    return model


def _wait_for(entry: Path) -> None:
    """On the other machines: until the first has written the entry into the folder that all of them see."""
    deadline = time.monotonic() + PATIENCE
    while not entry.exists():
        if time.monotonic() > deadline:
            raise TrainingError(
                f"Expected the first machine to write {entry}, in a folder that all machines see, within "
                f"{PATIENCE:.0f} s. Received: nothing"
            )
        time.sleep(0.2)
