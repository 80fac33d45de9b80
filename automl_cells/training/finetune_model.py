"""Fine-tuning of any functional Keras model, of which no genotype needs to be known."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from automl_cells.datasets import Dataset, Preprocessing, load
from automl_cells.datasets.channels import with_channels
from automl_cells.files import replacing, write_atomically
from automl_cells.training import entry as entries
from automl_cells.training import phases, session
from automl_cells.training.bodies import ModelBody
from automl_cells.training.checkpoints import Checkpoints
from automl_cells.training.conclusion import accuracy
from automl_cells.training.distribution import check_replicas, first_machine
from automl_cells.training.finetune import checked
from automl_cells.training.fit import split
from automl_cells.training.phases import Outcome, Settings
from automl_cells.training.recipes import Recipe
from automl_cells.training.recipes import recipe as make_recipe


@dataclass(frozen=True)
class FinetuneResult:
    """A finished fine-tuning.

    Attributes:
        model: normalised float32 images → probabilities, of stock layers.
        preprocessing: raw pixels → the model's input.
        metrics: what was measured; accuracies in per cent.
        history: for each quantity its value in each epoch, those of the head first (accuracies 0 to 1).
        out: the run folder; ``None`` if nothing was to be written.
        entry: the folder of the zoo entry in it; ``None`` for a model without a genotype.
    """

    model: keras.Model
    preprocessing: Preprocessing
    metrics: dict[str, Any]
    history: dict[str, list[float]]
    out: Path | None = None
    entry: Path | None = None


def finetune_model(
    model: keras.Model,
    dataset: Dataset | str,
    recipe: str | Path | Recipe = "finetune",
    settings: Settings = Settings(),  # noqa: B008 - frozen
    *,
    preprocessing: Preprocessing | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    replicas: int | None = None,
    progress: Console | None = None,
    resume: bool = False,
) -> FinetuneResult:
    """Fine-tune a copy of `model` and measure it on the test images, as `finetune` does from files.

    Args:
        model: pretrained, functional, one image input, one output: see `ModelBody`. It computes in the precision of its
            own layers, whatever the recipe says.
        dataset: a data set or its name; its images get the channels of the model.
        recipe: how to train.
        settings: epochs of the head alone, learning rate of the body, batch normalisation.
        preprocessing: that the model was trained with; by default the statistics of the new training images, which are
            right for a model that was trained on normalised images of whatever origin.
        out: a run folder for checkpoints, ``model.keras``, ``metrics.json``, ``history.json`` and ``model.json`` (the
            preprocessing, labels, data set and recipe); nothing is written by default.
        seed: see `finetune`.
        replicas: see `finetune`.
        progress: where to show progress.
        resume: go on with an interrupted fine-tuning in `out`.

    Raises:
        TrainingError: a model of another form; else see `finetune`.
        DataError: see `finetune`.
    """
    chosen = make_recipe(recipe)
    channels = getattr(model, "input_shape", (None,))[-1]
    dataset = load(dataset)
    if channels in (1, 3):
        dataset = with_channels(dataset, channels)
    preprocessing = checked(preprocessing or dataset.preprocessing, dataset)
    body = ModelBody(model, dataset.input_shape, dataset.classes)
    replicas = check_replicas(replicas)
    document = {
        "model": {"name": model.name, "weights_sha256": _digest(model)},
        "preprocessing": preprocessing.to_document(),
        "labels": list(dataset.class_names),
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "recipe": chosen.model_dump(mode="json"),
        "finetune": settings.to_document(),
        "seed": seed,
    }
    labels = dataset.y_train[split(dataset, chosen, seed)[0]]
    phases.check(chosen)
    session.check(chosen, labels, dataset.input_shape[:2], dataset.classes, replicas)
    folder = None if out is None else Path(out)
    if folder is not None and first_machine():
        entries.check_folder(folder, resume)
    with contextlib.nullcontext() if folder is None else entries.locked(folder):
        return _tuned(body, dataset, chosen, settings, preprocessing, document, folder, seed, replicas, progress)


def _tuned(
    body: ModelBody,
    dataset: Dataset,
    chosen: Recipe,
    settings: Settings,
    preprocessing: Preprocessing,
    document: dict[str, Any],
    folder: Path | None,
    seed: int,
    replicas: int,
    progress: Console | None,
) -> FinetuneResult:
    """Both phases and what they leave in `folder`, if there is one."""
    if folder is not None:
        Checkpoints(folder / "checkpoints").begin(document, write=first_machine())
    outcome = phases.run(
        body,
        dataset,
        chosen,
        settings,
        preprocessing,
        precision="float32",
        seed=seed,
        replicas=replicas,
        checkpoints=None if folder is None else folder / "checkpoints",
        progress=progress,
    )
    tuned = _with_probabilities(body, chosen, outcome)
    metrics = _metrics(tuned, dataset, preprocessing, outcome, settings, seed)
    if folder is not None and first_machine():
        for file, content in (("model", document), ("metrics", metrics), ("history", outcome.state.history)):
            text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
            write_atomically(folder / f"{file}.json", text + "\n")
        with replacing(folder / "model.keras") as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Keras 3.15 hands TensorFlow's variables to NumPy 2
            tuned.save(temporary)
    return FinetuneResult(tuned, preprocessing, metrics, outcome.state.history, folder)


def _digest(model: keras.Model) -> str:
    """SHA-256 of all weights, in order."""
    digest = hashlib.sha256()
    for value in model.get_weights():
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()


def _with_probabilities(body: ModelBody, recipe: Recipe, outcome: Outcome) -> keras.Model:
    """The network with the best weights, in stock layers, ending in probabilities."""
    network = body.network(recipe, None)
    network.trainable = True
    phases.assign(network, outcome.state.best)
    outputs = keras.layers.Activation("softmax", dtype="float32", name="probabilities")(network.output)
    return keras.Model(network.input, outputs, name=network.name)


def _metrics(
    model: keras.Model,
    dataset: Dataset,
    preprocessing: Preprocessing,
    outcome: Outcome,
    settings: Settings,
    seed: int,
) -> dict[str, Any]:
    state = outcome.state
    reached = 100 * accuracy(model, preprocessing, dataset.x_test, dataset.y_test)
    return {
        "test_accuracy": round(reached, 4),
        "test_error": round(100 - reached, 4),
        "validation_accuracy": round(100 * state.best_accuracy, 4) if state.best_accuracy >= 0 else None,
        "total_parameters": model.count_params(),
        "epochs": state.epoch,
        "steps": state.step,
        "best_epoch": state.best_epoch,
        "seconds": round(state.seconds, 2),
        "training_images": outcome.training_images,
        "test_images": len(dataset.x_test),
        "replicas": outcome.replicas,
        "seed": seed,
        "finetune": settings.to_document(),
        "versions": entries.environment(),
    }
