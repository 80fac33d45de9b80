"""From a genotype to trained weights: one call, which can be interrupted and continued."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from automl_cells.builder import Template, build
from automl_cells.datasets import Dataset, load, stratified_split
from automl_cells.errors import TrainingError
from automl_cells.genotypes import Genotype
from automl_cells.training import entry as entries
from automl_cells.training.augmentation import training_model
from automl_cells.training.batches import Batches, BeginEpochs
from automl_cells.training.checkpoints import Checkpoints, KeepCheckpoints, State
from automl_cells.training.optimization import make_optimizer
from automl_cells.training.progress import ShowProgress
from automl_cells.training.recipes import Recipe
from automl_cells.training.recipes import recipe as make_recipe
from automl_cells.training.weights import load_weights, save_weights


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


def train(
    genotype: Genotype,
    dataset: Dataset | str,
    template: Template,
    recipe: str | Path | Recipe = "plain",
    *,
    out: str | Path,
    name: str | None = None,
    tag: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Console | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Train the network that `genotype` makes in `template`, and measure it once on the test images.

    The weights of the epoch with the highest validation accuracy are kept (ties: the latest), rounded to float16.
    What is reported is the accuracy of the rounded weights, read back from the file. Sets the global seeds of Python,
    NumPy and Keras.

    Args:
        genotype: the architecture.
        dataset: a data set or its name; the validation images are taken out of its training part.
        template: the frame of the network, with the data set's image shape and number of classes.
        recipe: how to train: a `Recipe`, the name of a packaged one or the path of a JSON file.
        out: the run folder: absent or empty, or that of this training, interrupted, with `resume`.
        name: name of the zoo entry; by default kind and hash of the genotype.
        tag: tag of the zoo entry; by default the name of the data set.
        provenance: where the genotype comes from, stored with it.
        seed: of the weights, the validation split, the order of the images and the augmentation.
        progress: where to show progress; ``None`` shows nothing.
        resume: go on with an interrupted training in `out`. A finished one is handed back as it is.

    Raises:
        TrainingError: `out` is in use or belongs to another training, the template does not fit the data, the recipe is
            not valid, or the training diverges.
        DataError: the data set cannot be used.
        KeyboardInterrupt: as it came; the run folder can be resumed.
    """
    chosen = make_recipe(recipe)
    dataset = load(dataset)
    _check_template(template, dataset)
    name = entries.check_word(name or f"{genotype.kind}_{genotype.hash[7:15]}", "name")
    tag = entries.check_word(tag or entries.as_word(dataset.name), "tag")
    document = entries.model_document(name, tag, template, dataset, chosen)
    folder = Path(out)
    _check_folder(folder, resume)
    checkpoints = Checkpoints(folder / "checkpoints")
    checkpoints.begin({"genotype": genotype.hash, "seed": seed, **document})
    final = folder / "entry"
    if final.exists():
        metrics, history = entries.read_documents(final)
        model = _network(genotype, template, final / entries.WEIGHTS)
        return TrainingResult(folder, final, metrics, history, model)

    state = _fit(genotype, dataset, template, chosen, checkpoints, seed, progress)

    partial = folder / ".partial-entry"
    shutil.rmtree(partial, ignore_errors=True)
    save_weights(_network(genotype, template, checkpoints.best), partial / entries.WEIGHTS)
    model = _network(genotype, template, partial / entries.WEIGHTS)
    test_accuracy = 100 * accuracy(model, dataset.preprocessing, dataset.x_test, dataset.y_test, chosen.batch_size)
    validated = state.best_accuracy >= 0
    training_images = len(_split(dataset, chosen, seed)[0])
    metrics = {
        "test_accuracy": round(test_accuracy, 4),
        "test_error": round(100 - test_accuracy, 4),
        "validation_accuracy": round(100 * state.best_accuracy, 4) if validated else None,
        **entries.costs(genotype, template),
        "epochs": state.epoch,
        "best_epoch": state.best_epoch if validated else state.epoch,
        "seed": seed,
        "seconds": round(state.seconds, 2),
        "images_per_second": round(training_images * state.epoch / max(state.seconds, 1e-9), 1),
        "training_images": training_images,
        "test_images": len(dataset.x_test),
        "versions": entries.environment(),
    }
    entries.complete_entry(partial, final, genotype, provenance or {}, document, metrics, state.history)
    return TrainingResult(folder, final, metrics, state.history, model)


def accuracy(
    model: keras.Model, preprocessing: Any, images: np.ndarray, labels: np.ndarray, batch_size: int = 256
) -> float:
    """The share of raw `images` (n, height, width, channels) whose largest output is their label, 0 to 1."""
    right = 0
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        outputs = model.predict_on_batch(preprocessing(images[part]))
        right += int(np.sum(np.argmax(outputs, axis=-1) == labels[part]))
    return right / len(images)


def _fit(
    genotype: Genotype,
    dataset: Dataset,
    template: Template,
    recipe: Recipe,
    checkpoints: Checkpoints,
    seed: int,
    console: Console | None,
) -> State:
    """Train, or go on with it, until the last epoch is done and the best weights are in `checkpoints`."""
    keras.utils.set_random_seed(seed)
    network = build(genotype, template, classifier_activation=None, batch_norm_momentum=recipe.batch_norm_momentum)
    trained = training_model(network, dataset.preprocessing, recipe.augmentation, dataset.input_shape)
    training, validation = _split(dataset, recipe, seed)
    images, labels, classes = dataset.x_train, dataset.y_train, dataset.classes
    steps = len(training) // min(recipe.batch_size, len(training))
    trained.compile(
        optimizer=make_optimizer(recipe, recipe.epochs * steps, network),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    trained.optimizer.build(trained.trainable_variables)
    state = checkpoints.restore(trained)
    batches = Batches(images, labels, training, classes, recipe.batch_size, seed)
    callbacks: list[keras.callbacks.Callback] = [BeginEpochs(batches), KeepCheckpoints(checkpoints, network, state)]
    if recipe.ema is not None:
        callbacks.append(keras.callbacks.SwapEMAWeights())  # after KeepCheckpoints, which sees the averages
    if console is not None:
        callbacks.append(ShowProgress(console, recipe.epochs, state.epoch))
    try:
        trained.fit(
            batches,
            validation_data=Batches(images, labels, validation, classes, recipe.batch_size)
            if len(validation)
            else None,
            epochs=recipe.epochs,
            initial_epoch=state.epoch,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    finally:
        if isinstance(callbacks[-1], ShowProgress):
            callbacks[-1].close()
    if not len(validation):
        save_weights(network, checkpoints.best, dtype="float32")
    return state


def _split(dataset: Dataset, recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the images to train on and to validate on."""
    if recipe.validation_fraction == 0:
        return np.arange(len(dataset.y_train)), np.arange(0)
    return stratified_split(dataset.y_train, recipe.validation_fraction, seed)


def _network(genotype: Genotype, template: Template, weights: Path) -> keras.Model:
    model = build(genotype, template)
    load_weights(model, weights)
    return model


def _check_template(template: Template, dataset: Dataset) -> None:
    pairs = zip(template.input_shape, dataset.input_shape, strict=True)
    if any(side not in (None, size) for side, size in pairs):
        raise TrainingError(
            f"Expected a template for the images of {dataset.name}, {dataset.input_shape}. "
            f"Received: {template.input_shape}"
        )
    if template.classes != dataset.classes:
        raise TrainingError(
            f"Expected a template for the {dataset.classes} classes of {dataset.name}. Received: {template.classes}"
        )


def _check_folder(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"Expected a folder for the training run. Received: {folder} (a file)")
    if not folder.exists() or not any(folder.iterdir()):
        return
    begun = (folder / "checkpoints" / "run.json").exists()
    if not begun:
        raise TrainingError(f"Expected an empty folder for the training run. Received: {folder}")
    if not resume:
        raise TrainingError(
            f"Expected an empty folder for the training run, or to be told to resume. "
            f"Received: {folder} (a training was begun there)"
        )
