"""Fine-tuning: a pretrained network gets a new classifier and learns other data, in a run folder like a training's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from automl_cells.builder import Template, plan
from automl_cells.builder import template as make_template
from automl_cells.builder.image_size import check_size
from automl_cells.datasets import Dataset, Preprocessing, load
from automl_cells.datasets.channels import with_channels
from automl_cells.errors import TrainingError
from automl_cells.export.digests import sha256_of_file
from automl_cells.genotypes import Genotype
from automl_cells.training import entry as entries
from automl_cells.training import phases, session
from automl_cells.training.bodies import GenotypeBody
from automl_cells.training.checkpoints import Checkpoints
from automl_cells.training.conclusion import TrainingResult, conclude, finished
from automl_cells.training.distribution import check_replicas, first_machine
from automl_cells.training.fit import split
from automl_cells.training.phases import Settings
from automl_cells.training.precision import resolve_precision, widths
from automl_cells.training.recipes import Recipe
from automl_cells.training.recipes import recipe as make_recipe

RECIPE = "finetune"


def finetune(
    genotype: Genotype,
    template: Template,
    weights: str | Path,
    preprocessing: Preprocessing | None,
    dataset: Dataset | str,
    recipe: str | Path | Recipe = RECIPE,
    settings: Settings = Settings(),  # noqa: B008 - frozen
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
    """Fine-tune the network that `genotype` makes in `template`, from its weights, and measure it on the test images.

    The new images may have another size and other classes than those of the weights. Grey images are repeated for a
    network of colour ones, of colour images a network of grey ones sees the luminance (`with_channels`). See
    `phases.run` for what is trained when and which weights are kept, `train` for how they are stored and measured.

    Args:
        genotype: the architecture.
        template: the frame that the weights were trained in.
        weights: a file with them, as in a zoo entry.
        preprocessing: that the weights were trained with; ``None`` takes the statistics of the new training images.
        dataset: a data set or its name; the validation images are taken out of its training part.
        recipe: how to train: a `Recipe`, the name of a packaged one or the path of a JSON file.
        settings: epochs of the head alone, learning rate of the body, batch normalisation.
        out: the run folder: absent or empty, or that of this fine-tuning, interrupted, with `resume`.
        name: name of the zoo entry; by default kind and hash of the genotype.
        tag: tag of the zoo entry; by default the name of the data set.
        provenance: where genotype and weights come from, stored with the genotype.
        seed: of the head, the validation split, the order of the images and the augmentation.
        replicas: how many devices share each batch, see `train`.
        progress: where to show progress; ``None`` shows nothing.
        resume: go on with an interrupted fine-tuning in `out`. A finished one is handed back as it is.

    Raises:
        TrainingError: `out` is in use or belongs to another training, weights that do not fit, a recipe that is not
            valid, more replicas than devices, a batch larger than the data, or a training that diverges.
        DataError: the data set cannot be used.
        KeyboardInterrupt: as it came; the run folder can be resumed.
    """
    chosen, weights = make_recipe(recipe), Path(weights)
    entries.check_trainable(genotype)
    dataset, frame = target(template, load(dataset))
    check_size(genotype, template, frame, head=False)
    replicas = check_replicas(replicas)
    precision = resolve_precision(chosen.precision, widths(plan(genotype, frame)), genotype.kind)
    name = entries.check_word(name or f"{genotype.kind}_{genotype.hash[7:15]}", "name")
    tag = entries.check_word(tag or entries.as_word(dataset.name), "tag")
    document = entries.model_document(name, tag, frame, dataset, chosen)
    preprocessing = checked(preprocessing or dataset.preprocessing, dataset)
    document["preprocessing"] = preprocessing.to_document()
    how = {**settings.to_document(), "weights_sha256": _digest(weights)}
    folder = Path(out)
    labels = dataset.y_train[split(dataset, chosen, seed)[0]]
    phases.check(chosen)
    session.check(chosen, labels, dataset.input_shape[:2], dataset.classes, replicas)
    body = GenotypeBody(genotype, frame, weights)
    body.network(chosen, None)  # weights that do not fit are refused before anything is written
    if first_machine():
        entries.check_folder(folder, resume)
    with entries.locked(folder):
        run = {"genotype": genotype.hash, "seed": seed, "precision": precision, "finetune": how, **document}
        Checkpoints(folder / "checkpoints").begin(run, write=first_machine())
        if (folder / "entry").exists():
            return finished(folder, genotype, frame)
        outcome = phases.run(
            body,
            dataset,
            chosen,
            settings,
            preprocessing,
            precision=precision,
            seed=seed,
            replicas=replicas,
            checkpoints=folder / "checkpoints",
            progress=progress,
        )
        notes = {"replicas": outcome.replicas, "precision": precision, "seed": seed, "finetune": how}
        return conclude(
            folder,
            genotype,
            frame,
            dataset,
            document,
            provenance or {},
            outcome.state,
            outcome.training_images,
            notes,
        )


def target(template: Template, dataset: Dataset) -> tuple[Dataset, Template]:
    """The data with the channels of `template`, and `template` with the image size and the classes of the data.

    Raises:
        DataError: images with a number of channels that cannot be converted.
    """
    converted = with_channels(dataset, template.input_shape[2])
    return converted, make_template(template, input_shape=converted.input_shape, classes=converted.classes)


def checked(preprocessing: Preprocessing, dataset: Dataset) -> Preprocessing:
    """`preprocessing`, if it is for the channels of the data.

    Raises:
        TrainingError: it is not.
    """
    if len(preprocessing.mean) != dataset.input_shape[2]:
        raise TrainingError(
            f"Expected a preprocessing for the {dataset.input_shape[2]} channels of {dataset.name}. "
            f"Received: {len(preprocessing.mean)}"
        )
    return preprocessing


def _digest(weights: Path) -> str:
    try:
        return sha256_of_file(weights)
    except OSError as error:
        raise TrainingError(f"Expected a readable file of weights. Received: {weights} ({error})") from None
