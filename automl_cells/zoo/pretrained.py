"""What ``weights=`` of a constructor means, and how weights get into a model with or without its top."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from automl_cells.builder.head import is_top
from automl_cells.errors import AutoMLCellsError, ZooError
from automl_cells.zoo.address import WORD
from automl_cells.zoo.catalogue import Application, Structure, differences
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.locate import default_shelf
from automl_cells.zoo.shelf import entry_folder, holds_entry
from automl_cells.zoo.verify import check_files

if TYPE_CHECKING:
    import keras

IMAGENET = "imagenet"
"""The word for the official weights of ``keras.applications``."""


class Pretrained(NamedTuple):
    """Weights that were asked for.

    Attributes:
        file: where they are.
        entry: the entry that they belong to; ``None`` for a bare weights file.
        application: the model of ``keras.applications`` whose file it is, if it is one.
        classes: of the classifier, where that is known.
    """

    file: Path
    entry: Entry | None = None
    application: Application | None = None
    classes: int | None = None


def find_weights(structure: Structure, weights: str | Path, include_top: bool) -> Pretrained:
    """The weights that `weights` means for `structure`.

    Args:
        structure: what is being constructed.
        weights: the path of a weights file (ours, or one of ``keras.applications``' same network), of an entry folder
            or of a training run; ``tag`` or ``tag-vN`` on the default shelf; or ``imagenet`` for the official weights,
            where ``keras.applications`` has the network; they are fetched by `load_pretrained`.
        include_top: whether they are for a network with its classifier.

    Raises:
        ZooError: no such file and nothing published under that tag (the message lists what is), a damaged entry, or an
            entry of another structure.
    """
    application = structure.keras_application
    if application is not None and str(weights) == IMAGENET:
        return Pretrained(Path(application.official(include_top).name), None, application, 1000)
    path = Path(weights)
    if path.is_file():
        if application is not None:
            from automl_cells.zoo.keras_weights import is_keras_file

            return Pretrained(path, None, application if is_keras_file(path) else None)
        return Pretrained(path)
    entry = Entry.read(entry_folder(path)) if holds_entry(path) else _published(structure, str(weights))
    if different := differences(entry.genotype, entry.template, structure.load_genotype(), structure.make_template()):
        raise ZooError(
            f"Expected weights of the structure {structure.name}. Received: {weights}, with another "
            f"{', '.join(different)}"
        )
    return pretrained_of(entry)


def pretrained_of(entry: Entry) -> Pretrained:
    """The weights of an entry, if its files are as they were published.

    Raises:
        ZooError: they are not.
    """
    if entry.manifest is not None and (problems := check_files(entry.folder, entry.manifest.files)):
        raise ZooError(f"Expected the files of {entry.address} as published. Received: {problems[0]}")
    return Pretrained(entry.weights, entry, classes=entry.template.classes)


def load_pretrained(model: keras.Model, pretrained: Pretrained, include_top: bool) -> None:
    """Load the weights into `model`; without the top those of the classifier are left out, and no others.

    Raises:
        ZooError: a file that is not a weights file, or of another network, or one that cannot be fetched.
    """
    if pretrained.application is not None:
        from automl_cells.zoo import keras_weights

        file = (
            pretrained.file if pretrained.classes is None else keras_weights.fetch(pretrained.application, include_top)
        )
        keras_weights.load(model, file, pretrained.application, include_top)
        return
    from automl_cells.training import load_weights

    try:
        if not include_top:
            _check_only_head_is_left(model, pretrained.file)
        load_weights(model, pretrained.file, subset=not include_top)
    except AutoMLCellsError as error:
        raise ZooError(f"Expected weights that fit {model.name}: {error}") from None


def _check_only_head_is_left(model: keras.Model, file: Path) -> None:
    """Refuse a file with more than the body and the classifier: its body is another one."""
    import h5py

    names: list[str] = []
    try:
        with h5py.File(file, "r") as stored:
            stored.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    except (OSError, RuntimeError, KeyError):
        return  # load_weights says what is wrong with it
    paths = {variable.path for variable in model.weights}
    if left := [name for name in names if name not in paths and not is_top(name)]:
        raise ZooError(f"Expected the variables of the body and of the classifier. Received: {left[0]} in {file}")


def _published(structure: Structure, tag: str) -> Entry:
    shelf = default_shelf()
    there = [f"{item.tag}-v{item.version}" for item in shelf.list() if item.name == structure.name]
    tags = {name.rpartition("-v")[0] for name in there}
    if tag not in there and tag not in tags:
        what = ", ".join(there) if there else "none: nobody has published weights of this structure there"
        form = "" if re.fullmatch(rf"{WORD}(-v[0-9]+)?", tag) else " (and no such file or entry folder)"
        raise ZooError(
            f"Expected weights=None, the path of a weights file or an entry folder, or the tag of weights of "
            f"{structure.name} on the shelf {shelf.place} (there: {what}). Received: {tag}{form}"
        )
    return shelf.find(f"{structure.name}/{tag}")
