"""From a genotype to trained weights: one call, which can be interrupted and continued."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from automl_cells.builder import Template, build, plan
from automl_cells.builder.keras_model import ScheduledDropPath
from automl_cells.builder.planners import NO_DROPOUT
from automl_cells.datasets import Dataset, load, stratified_split
from automl_cells.errors import TrainingError
from automl_cells.genotypes import Genotype
from automl_cells.training import entry as entries
from automl_cells.training import session
from automl_cells.training.checkpoints import Checkpoints
from automl_cells.training.conclusion import TrainingResult, conclude, finished
from automl_cells.training.distribution import check_replicas, first_machine
from automl_cells.training.engines import Placed
from automl_cells.training.precision import resolve_precision, widths
from automl_cells.training.progress import ShowProgress
from automl_cells.training.recipes import Recipe
from automl_cells.training.recipes import recipe as make_recipe


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
    replicas: int | None = None,
    progress: Console | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Train the network that `genotype` makes in `template`, and measure it once on the test images.

    The weights of the epoch with the highest validation accuracy are kept (ties: the latest; without validation images,
    or if the recipe says so, the last epoch's), rounded to float16. What is reported is the accuracy of the rounded
    weights in a network of stock layers, read back from the file. Sets the global seeds of Python, NumPy and Keras.

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
        replicas: how many devices share each batch, see `check_replicas`; by default all visible GPUs. Several machines
            take part where ``TF_CONFIG`` says so; then `out` must be a folder that all of them see.
        progress: where to show progress; ``None`` shows nothing.
        resume: go on with an interrupted training in `out`. A finished one is handed back as it is.

    Raises:
        TrainingError: `out` is in use or belongs to another training, the template does not fit the data, the recipe is
            not valid or not for this kind of genotype, more replicas than devices, a batch larger than the data, or the
            training diverges.
        DataError: the data set cannot be used.
        KeyboardInterrupt: as it came; the run folder can be resumed.
    """
    chosen = make_recipe(recipe)
    dataset = load(dataset)
    _check_template(template, dataset)
    entries.check_trainable(genotype)
    dropping, beside = chosen.drop_path_keep < 1, chosen.auxiliary_weight > 0
    if (dropping or beside) and genotype.kind != "cell":
        raise TrainingError(
            f"Expected a cell genotype with the recipe {chosen.name}, whose drop_path_keep is {chosen.drop_path_keep} "
            f"and auxiliary_weight {chosen.auxiliary_weight} (1 and 0 do for any genotype). Received: a {genotype.kind}"
        )
    if chosen.chain_dropout != NO_DROPOUT and genotype.kind != "chain":
        raise TrainingError(
            f"Expected a chain genotype with the recipe {chosen.name}, whose chain_dropout is "
            f"{list(chosen.chain_dropout)} ([0,0] does for any genotype). Received: a {genotype.kind}"
        )
    plan(genotype, template, auxiliary=beside, drop_path=dropping)  # what cannot be built is refused before all else
    replicas = check_replicas(replicas)
    precision = resolve_precision(chosen.precision, widths(plan(genotype, template)), genotype.kind)
    training, validation = split(dataset, chosen, seed)
    session.check(chosen, dataset.y_train[training], dataset.input_shape[:2], dataset.classes, replicas)
    name = entries.check_word(name or f"{genotype.kind}_{genotype.hash[7:15]}", "name")
    tag = entries.check_word(tag or entries.as_word(dataset.name), "tag")
    document = entries.model_document(name, tag, template, dataset, chosen)
    folder = Path(out)
    if first_machine():
        entries.check_folder(folder, resume)
    with entries.locked(folder):
        layers = {} if genotype.kind == "block" else {"layers": genotype.body()}  # its hash knows no order
        run = {"genotype": genotype.hash, **layers, "seed": seed, "precision": precision, **document}
        checkpoints = Checkpoints(folder / "checkpoints")
        checkpoints.begin(run, write=first_machine())
        final = folder / "entry"
        if final.exists():
            return finished(folder, genotype, template)

        total_steps = chosen.epochs * (len(training) // chosen.batch_size)

        def network(placed: Placed) -> keras.Model:
            return build(
                genotype,
                template,
                classifier_activation=None,
                batch_norm_momentum=chosen.batch_norm_momentum,
                batch_norm=placed.batch_norm,
                dropout=chosen.dropout,
                auxiliary=beside,
                drop_path=ScheduledDropPath(chosen.drop_path_keep, total_steps) if dropping else None,
                chain_dropout=chosen.chain_dropout,
            )

        engine, state = session.fit(
            network,
            dataset.x_train,
            dataset.y_train,
            training,
            validation,
            dataset.classes,
            dataset.preprocessing,
            chosen,
            precision=precision,
            seed=seed,
            replicas=replicas,
            checkpoints=checkpoints,
            progress=None if progress is None else ShowProgress(progress),
        )
        notes = {"replicas": engine.replicas, "precision": precision, "seed": seed}
        return conclude(folder, genotype, template, dataset, document, provenance or {}, state, len(training), notes)


def split(dataset: Dataset, recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training images to train on, and of those to validate on: stratified, by the recipe's fraction."""
    if recipe.validation_fraction == 0:
        return np.arange(len(dataset.y_train)), np.arange(0)
    return stratified_split(dataset.y_train, recipe.validation_fraction, seed)


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
