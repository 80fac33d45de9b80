"""The front door of the zoo: what there is, what is known about it, and a model by its address."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cells.errors import ZooError
from automl_cells.zoo.catalogue import structures
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.instantiate import Shape, Wanted, instantiate
from automl_cells.zoo.locate import default_shelf, resolve

if TYPE_CHECKING:
    import keras

    from automl_cells.zoo.remote.shelf import RemoteShelf
    from automl_cells.zoo.shelf import Shelf


@dataclass(frozen=True)
class ModelInfo:
    """What is known about a structure, or about an entry, without building it.

    Attributes:
        name: the structure.
        title: what people call it; the name, where nobody has given it another.
        version: ``tag-vN``; ``None`` for a structure, and for an entry that was not published.
        trained: whether there are weights.
        genotype: canonical hash.
        parameters: trainable, with the classifier.
        flops: multiply-adds for one image; ``None`` for images of any size.
        input_shape: (height, width, channels).
        classes: number of classes.
        labels: names of the classes, in the order of the outputs; empty for a structure.
        dataset: what the weights learnt.
        metrics: what was measured, accuracies in per cent; empty for a structure.
        published: when.
        changes: what changed against the version before, if somebody said so.
        versions: for a structure: the entries of its name on the shelf; for an entry: the versions of its tag; each
            with what changed, if somebody said so.
    """

    name: str
    title: str
    version: str | None
    trained: bool
    genotype: str
    parameters: int
    flops: int | None
    input_shape: tuple[int | None, int | None, int]
    classes: int
    labels: tuple[str, ...] = ()
    dataset: str | None = None
    metrics: dict[str, Any] | None = None
    published: datetime | None = None
    changes: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)


def list_models(
    pattern: str = "*", *, trained: bool | None = None, shelf: Shelf | RemoteShelf | None = None
) -> list[str]:
    """Names of structures and addresses of entries, in the order in which a person would count.

    Args:
        pattern: with ``*``, ``?`` and ``[…]``, for the whole name or address; without any of them, a part of it.
        trained: ``True``: entries, which have weights; ``False``: structures, which can be built; by default both.
        shelf: where the entries are; by default `default_shelf`.

    Raises:
        ZooError: the index of the shelf is not valid.

    Example:
        ```python
        zoo.list_models("*cifar*", trained=False)  # ['blockqnn_cifar', 'blockqnn_cifar_small', 'nasnet_a_cifar']
        ```
    """
    names = [] if trained else list(structures())
    if trained is not False:
        names += [str(item.address) for item in (shelf or default_shelf()).list()]
    wanted = pattern if re.search(r"[*?\[]", pattern) else f"*{pattern}*"
    return sorted((name for name in names if fnmatch.fnmatchcase(name, wanted)), key=_natural)


def info(model: str | Path | Entry, *, shelf: Shelf | RemoteShelf | None = None) -> ModelInfo:
    """What is known about a model; nothing is built.

    Args:
        model: name of a structure; ``name/tag``, ``name/tag-vN``, the folder of an entry or a run; or an `Entry`. A
            name that is both is the structure.
        shelf: where entries are looked up; by default `default_shelf`.

    Raises:
        ZooError: none of these.
    """
    if isinstance(model, str) and model in structures():
        return _of_structure(model, shelf or default_shelf())
    entry = model if isinstance(model, Entry) else resolve(model, shelf)
    address, cost, manifest = entry.address, entry.cost, entry.manifest
    place = shelf or default_shelf()
    versions: dict[str, str | None] = {}
    if address is not None:
        same = [item for item in place.list() if (item.name, item.tag) == (address.name, address.tag)]
        versions = {str(item.address): item.changes for item in same}
    titled = structures().get(entry.name)
    return ModelInfo(
        name=entry.name,
        title=entry.name if titled is None else titled.title,
        version=None if address is None else f"{address.tag}-v{address.version}",
        trained=True,
        genotype=entry.genotype.hash,
        parameters=cost.parameters,
        flops=cost.flops,
        input_shape=entry.template.input_shape,
        classes=entry.template.classes,
        labels=entry.labels,
        dataset=entry.document.dataset.name,
        metrics=entry.metrics,
        published=None if manifest is None else manifest.published,
        changes=None if manifest is None else manifest.changes,
        versions=versions,
    )


def load(
    model: str | Path | Entry,
    *,
    num_classes: int | None = None,
    include_top: bool = True,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classifier_activation: str | None = "softmax",
    name: str | None = None,
    features: bool = False,
    shelf: Shelf | RemoteShelf | None = None,
) -> keras.Model:
    """The Keras model of an entry with its weights; from a store they are fetched first, and kept.

    Args:
        model: ``name``, ``name/tag`` or ``name/tag-vN``; the folder of an entry or a run; or an `Entry`.
        num_classes: put a new classifier for so many classes, with random weights, on the pretrained body.
        include_top: end with global average pooling and the classifier.
        input_shape: (height, width, channels); no weight depends on height and width, which may be ``None``. By
            default that of the entry, without the top any size.
        pooling: without the top: ``None`` (feature map), ``avg`` or ``max``.
        classifier_activation: ``softmax``, or ``None`` for logits.
        name: of the Keras model; by default that of the structure.
        features: without the top: a list of feature maps, for detection and segmentation.
        shelf: where addresses are looked up; by default `default_shelf`.

    Raises:
        ZooError: no such entry, or one that is damaged, or an impossible wish.
        TemplateError: an impossible size.

    Example:
        ```python
        model = zoo.load("blockqnn_imagenet_small/tiny_imagenet", num_classes=5, input_shape=(96, 96, 3))
        ```
    """
    from automl_cells.zoo.pretrained import pretrained_of

    entry = model if isinstance(model, Entry) else resolve(_trained(model, shelf), shelf)
    wanted = Wanted(
        include_top,
        None,
        input_shape,
        pooling,
        None,
        num_classes,
        classifier_activation,
        name or entry.name,
        features,
    )
    return instantiate(entry.genotype, entry.template, wanted, pretrained_of(entry), {})


def _trained(model: str | Path, shelf: Shelf | RemoteShelf | None) -> str | Path:
    """`model`, unless it is a structure of which there are no weights.

    Raises:
        ZooError: it is.
    """
    if str(model) in structures() and not Path(model).exists():
        there = (shelf or default_shelf()).list()
        if not any(item.name == str(model) for item in there):
            raise ZooError(
                f"Expected an entry: there are no weights of the structure {model} on the shelf; build it without: "
                f"from automl_cells.zoo import {model}. Received: {model}"
            )
    return model


def _of_structure(name: str, shelf: Shelf | RemoteShelf) -> ModelInfo:
    structure = structures()[name]
    cost = structure.cost()
    return ModelInfo(
        name=name,
        title=structure.title,
        version=None,
        trained=False,
        genotype=structure.load_genotype().hash,
        parameters=cost.parameters,
        flops=cost.flops,
        input_shape=structure.input_shape,
        classes=structure.classes,
        versions={str(item.address): item.changes for item in shelf.list() if item.name == name},
    )


def _natural(name: str) -> list[tuple[int, int | str]]:
    """A key that puts v10 behind v9."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name)]
