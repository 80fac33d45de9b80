"""The front door of fine-tuning: from an address, a folder, an entry or a Keras model to a network for other data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cells.datasets import Dataset, Preprocessing, load
from automl_cells.errors import ZooError
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.locate import resolve
from automl_cells.zoo.shelf import Shelf
from automl_cells.zoo.verify import check_files

if TYPE_CHECKING:
    import keras
    from rich.console import Console

    from automl_cells.training import Recipe
    from automl_cells.training.finetune_model import FinetuneResult

HEAD_EPOCHS = 5
BODY_RATE = 0.3
BATCH_NORM = "adapt"


def finetune(
    source: str | Path | Entry | keras.Model,
    dataset: Dataset | str,
    *,
    out: str | Path | None = None,
    recipe: str | Path | Recipe = "finetune",
    head_epochs: int = HEAD_EPOCHS,
    body_rate: float = BODY_RATE,
    batch_norm: str = BATCH_NORM,
    preprocessing: Preprocessing | str | None = None,
    from_scratch: bool = False,
    name: str | None = None,
    tag: str | None = None,
    shelf: Shelf | None = None,
    seed: int = 0,
    replicas: int | None = None,
    progress: Console | None = None,
    resume: bool = False,
) -> FinetuneResult:
    """Fine-tune a pretrained network: a new classifier for the classes of `dataset`, then all of it.

    First the classifier alone learns, `head_epochs` long, while the body is frozen; then everything, as long as the
    recipe says, the body with `body_rate` times the learning rate. Kept are the weights of the last epoch, as the
    recipe ``finetune`` wants it: a tenth of a few hundred images is too few to choose an epoch by. With a recipe that
    keeps the best, it is that of the highest validation accuracy over both.

    The images may have another size than those that the body was pretrained on. Grey images are repeated for a body of
    colour images, of colour images a body of grey ones sees the luminance.

    Args:
        source: ``name``, ``name/tag`` or ``name/tag-vN`` on the shelf; the folder of a run or entry; an `Entry`; or a
            functional `keras.Model`, such as a zoo constructor gives. A model with a layer called ``predictions`` is
            cut before it; one that ends in a feature map gets global average pooling.
        dataset: a data set or its name; the validation images are taken out of its training part, the test part is
            looked at once, at the end.
        out: the run folder, with checkpoints and, unless `source` is a model, a zoo entry to publish. By default
            nothing is written, and an interrupted fine-tuning is lost.
        recipe: how to train: a `Recipe`, the name of a packaged one or the path of a JSON file.
        head_epochs: epochs of the classifier alone; 0 for none.
        body_rate: factor of the learning rate for the body, above 0, at most 1.
        batch_norm: ``adapt`` or ``frozen``: whether the statistics of batch normalisation follow the new data.
        preprocessing: normalisation of the images: a `Preprocessing`; ``body``, that of the entry; or ``data``, the
            statistics of the new training images, for an entry that was trained on pixels of another range. By default
            ``body`` for an entry and ``data`` for a model.
        from_scratch: train the network of the entry from random weights instead, as many epochs in all, for comparison.
        name: of the new zoo entry; by default the old one's, if the images have its size, else kind and hash.
        tag: of the new zoo entry; by default the data set's name.
        shelf: where addresses are looked up; by default `default_shelf`.
        seed: of the classifier, the validation split, the order of the images and the augmentation.
        replicas: how many devices share each batch; by default all visible GPUs.
        progress: where to show progress.
        resume: go on with an interrupted fine-tuning in `out`.

    Raises:
        ZooError: no such entry, or one that is damaged.
        TrainingError: settings out of range, weights that do not fit, `out` in use, a training that diverges.
        DataError: the data set cannot be used.

    Example:
        ```python
        result = ac.finetune("blockqnn_found_digits/digits", "folder:photos?size=64", out="runs/photos")
        result.model.predict(result.preprocessing(images))
        ```
    """
    from automl_cells.training.finetune_model import FinetuneResult, finetune_model
    from automl_cells.training.phases import Settings

    entry = _entry(source, shelf)
    used = _preprocessing(preprocessing, entry)
    settings = Settings(head_epochs, body_rate, batch_norm)  # type: ignore[arg-type]  # it checks
    common: dict[str, Any] = {"seed": seed, "replicas": replicas, "progress": progress, "resume": resume}
    if entry is None or out is None:
        if from_scratch or name or tag:
            raise ZooError(
                "Expected an entry and a run folder with from_scratch, name and tag. "
                f"Received: {'a model' if entry is None else 'out=None'}"
            )
        model: Any = source if entry is None else entry.load_model()
        return finetune_model(model, dataset, recipe, settings, preprocessing=used, out=out, **common)
    if entry.manifest is not None and (problems := check_files(entry.folder, entry.manifest.files)):
        raise ZooError(f"Expected the files of {entry.address} as published. Received: {problems[0]}")
    done = _train(entry, load(dataset), settings, recipe, used, from_scratch, out, name, tag, common)
    stored = Entry.read(done.entry).preprocessing
    return FinetuneResult(done.model, stored, done.metrics, done.history, done.out, done.entry)


def _train(
    entry: Entry,
    dataset: Dataset,
    settings: Any,
    recipe: Any,
    preprocessing: Preprocessing | None,
    from_scratch: bool,
    out: str | Path,
    name: str | None,
    tag: str | None,
    common: dict[str, Any],
) -> Any:
    """From the entry's weights or from random ones, into a run folder."""
    from automl_cells.training import recipe as make_recipe
    from automl_cells.training import train
    from automl_cells.training.finetune import finetune as finetune_weights
    from automl_cells.training.finetune import target

    converted, frame = target(entry.template, dataset)
    if name is None and frame.input_shape == entry.template.input_shape:
        name = entry.name
    words = {"out": out, "name": name, "tag": tag, **common}
    if from_scratch:
        chosen = make_recipe(recipe)
        longer = make_recipe(chosen, epochs=chosen.epochs + settings.head_epochs)
        return train(entry.genotype, converted, frame, longer, provenance=entry.provenance, **words)
    return finetune_weights(
        entry.genotype,
        entry.template,
        entry.weights,
        preprocessing,
        converted,
        recipe,
        settings,
        provenance={**entry.provenance, "finetuned_from": _origin(entry)},
        **words,
    )


def _preprocessing(given: Preprocessing | str | None, entry: Entry | None) -> Preprocessing | None:
    """What `finetune` was told; ``None`` stands for the statistics of the new training images."""
    if isinstance(given, Preprocessing):
        return given
    if given == "body" and entry is None:
        raise ZooError("Expected an entry with preprocessing='body'. Received: a Keras model, which has none")
    if given not in (None, "body", "data"):
        raise ZooError(f"Expected preprocessing 'body', 'data' or a Preprocessing. Received: {given!r:.100}")
    return None if entry is None or given == "data" else entry.preprocessing


def _origin(entry: Entry) -> dict[str, Any]:
    """What the new entry says about the old one."""
    from automl_cells.export import sha256_of_file

    return {
        "entry": str(entry.address or f"{entry.name}/{entry.tag}, not published"),
        "weights_sha256": sha256_of_file(entry.weights),
        "dataset": entry.document.dataset.model_dump(mode="json"),
        "test_accuracy": entry.metrics.get("test_accuracy"),
    }


def _entry(source: Any, shelf: Shelf | None) -> Entry | None:
    """The entry that `source` means; ``None`` for a Keras model."""
    if isinstance(source, Entry):
        return source
    if isinstance(source, str | Path):
        return resolve(source, shelf)
    import keras

    if not isinstance(source, keras.Model):
        raise ZooError(f"Expected an address, a folder, an Entry or a keras.Model. Received: a {type(source).__name__}")
    return None
