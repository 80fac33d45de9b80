"""One function per named structure, with the signature and behaviour of ``keras.applications``.

All are made by `constructor` from ``structures.json``; what they do is in `automl_cells.zoo.instantiate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from automl_cells.builder import Template, feature_maps, plan
from automl_cells.builder import template as make_template
from automl_cells.builder.cell_network import smallest_image
from automl_cells.builder.image_size import reads_the_whole_map
from automl_cells.builder.template import CellTemplate, StagedTemplate
from automl_cells.errors import TemplateError, ZooError
from automl_cells.zoo.catalogue import Structure, structure
from automl_cells.zoo.instantiate import MIN_SIZE, Shape, Wanted, instantiate

if TYPE_CHECKING:
    import keras
    import numpy as np


_OFFICIAL = """

    The network is that of `keras.applications.{model}`, output for output, but takes images of any size
    with one set of weights. Its ImageNet weights are the converted ones of the authors; their images go in scaled to
    -1 to 1 (`keras.applications.nasnet.preprocess_input`). `weights` may also be a file that Keras saved from that
    model, an old-style `.h5` or a `.weights.h5`."""


Decoded = list[list[tuple[int | str, str, float]]]


class Constructor(Protocol):
    """What the functions of this module can be called with, and what they carry.

    Attributes:
        preprocess_input: (x, data_format=None, *, weights=None): raw pixels as those weights want them.
        decode_predictions: (preds, top=5, *, weights=None): the best classes by name.
    """

    preprocess_input: Callable[..., Any]
    decode_predictions: Callable[..., Decoded]

    def __call__(
        self,
        include_top: bool = ...,
        weights: str | Path | None = ...,
        input_tensor: Any = ...,
        input_shape: Shape | None = ...,
        pooling: str | None = ...,
        classes: int = ...,
        classifier_activation: str | None = ...,
        name: str | None = ...,
        *,
        num_classes: int | None = ...,
        repeats: int | None = ...,
        filters: Sequence[int] | None = ...,
        filter_multiplier: float | None = ...,
        features: bool = ...,
    ) -> keras.Model:
        """Build the model."""
        ...


def constructor(structure_name: str) -> Constructor:
    """The function that builds the named structure.

    Raises:
        ZooError: no such structure.
    """
    made = structure(structure_name)

    def construct(
        include_top: bool = True,
        weights: str | Path | None = None,
        input_tensor: Any = None,
        input_shape: Shape | None = None,
        pooling: str | None = None,
        classes: int = made.classes,
        classifier_activation: str | None = "softmax",
        name: str | None = made.name,
        *,
        num_classes: int | None = None,
        repeats: int | None = None,
        filters: Sequence[int] | None = None,
        filter_multiplier: float | None = None,
        features: bool = False,
    ) -> keras.Model:
        pretrained = None
        wanted = Wanted(
            include_top,
            input_tensor,
            input_shape,
            pooling,
            classes,
            num_classes,
            classifier_activation,
            name,
            features,
        )
        sizes = {"repeats": repeats, "filters": filters, "filter_multiplier": filter_multiplier}
        sizes = {size: value for size, value in sizes.items() if value is not None}
        if weights is not None:
            from automl_cells.zoo.pretrained import find_weights

            if sizes:
                raise ZooError(f"Expected weights=None with {', '.join(sizes)}. Received: weights={str(weights)!r}")
            pretrained = find_weights(made, weights, wanted.old_top)
        return instantiate(made.load_genotype(), made.make_template(), wanted, pretrained, sizes)

    def preprocess_input(x: Any, data_format: str | None = None, *, weights: str | None = None) -> np.ndarray:
        """As `automl_cells.zoo.preprocess_input`, for the weights of that tag; by default the newest on the shelf."""
        from automl_cells.zoo import predictions

        return predictions.preprocess_input(x, _address(made, weights), data_format)

    def decode_predictions(preds: Any, top: int = 5, *, weights: str | None = None) -> Decoded:
        """As `automl_cells.zoo.decode_predictions`, for the weights of that tag; by default the newest on the shelf."""
        from automl_cells.zoo import predictions

        return predictions.decode_predictions(preds, _address(made, weights), top)

    construct.preprocess_input = preprocess_input  # type: ignore[attr-defined]
    construct.decode_predictions = decode_predictions  # type: ignore[attr-defined]
    construct.__name__ = construct.__qualname__ = made.name
    construct.__doc__ = _document(made)
    return cast(Constructor, construct)


def _address(made: Structure, weights: str | None) -> str:
    """Where `preprocess_input` and `decode_predictions` look; without a tag the official weights, if there are such."""
    if weights is None:
        return made.name if made.keras_application is None else f"{made.name}/imagenet"
    return f"{made.name}/{weights}"


def _document(made: Structure) -> str:
    height, width, channels = made.input_shape
    cost = made.cost()
    frame = made.make_template()
    least = _least(made, frame)
    top = "global average pooling and the classifier"
    sizes = f"height and width at least {least}, or `None` for any size"
    if reads_the_whole_map(made.load_genotype(), frame):
        top = "the classifier, which reads the whole map"
        sizes = f"height and width at least {least}; without the top also `None` for any size"
    official = imagenet = ""
    if made.keras_application is not None:
        official = _OFFICIAL.format(model=made.keras_application.model)
        imagenet = '`"imagenet"` (the official weights, fetched into\n            Keras\' cache); '
    return f"""{made.title}.

    The {made.kind} `{made.genotype}` in the template `{made.template}`:
    {_size(frame, made.kind)};
    {cost.parameters:,} trainable parameters and {cost.flops:,} multiply-adds
    for an image of {height}x{width}x{channels}. Images go in normalised, as the entry of the weights says
    (`Entry.preprocessing`).{official}

    Args:
        include_top: end with {top}.
        weights: `None` (random); {imagenet}the path of a weights file, an entry folder or a training run; or `"tag"` or
            `"tag-vN"`, published under `{made.name}` on the default shelf.
        input_tensor: a Keras tensor to build on, instead of a new input.
        input_shape: (height, width, channels); {sizes}. By
            default that of the weights or ({height}, {width}, {channels}); without the top (None, None, {channels}).
        pooling: without the top: `None` (feature map), `"avg"` or `"max"`.
        classes: number of classes; with weights and the top, that of the weights.
        classifier_activation: `None` gives logits; with weights `None` or `"softmax"`. Ignored without the top.
        name: name of the model.
        num_classes: put a new classifier for so many classes, with random weights, on the pretrained body.
        repeats: blocks or cells a stage, not for chains. This and the next two need `weights=None`.
        filters: filters of each stage, not for chains.
        filter_multiplier: scales the filters of every stage, or of all layers of a chain.
        features: without the top and pooling: the model's output is a list of feature maps, the last before each
            downsampling and the last of all, for detection and segmentation. {_scales(made)}

    Returns:
        A `keras.Model`, float32 images (batch, height, width, channels) to (batch, classes) with the top. Pixels and
        names: `{made.name}.preprocess_input(x)`, `{made.name}.decode_predictions(preds)`.

    Raises:
        ZooError: weights that nobody has published, or that do not fit what else was asked for.
        TemplateError: a size out of range.
    """


def _least(made: Structure, frame: Template) -> int:
    """The smallest height and width that a network of the structure takes."""
    if isinstance(frame, CellTemplate):
        return smallest_image(frame)
    size = MIN_SIZE
    while True:
        try:
            plan(made.load_genotype(), make_template(frame, input_shape=(size, size, made.input_shape[2])))
        except TemplateError:  # a window of a chain does not fit
            size += 1
        else:
            return size


def _size(frame: Template, kind: str) -> str:
    if not isinstance(frame, StagedTemplate):
        return "as it was published"
    filters = ", ".join(map(str, frame.filters))
    return f"{frame.repeats} {kind}s in each of {len(frame.filters)} stages with {filters} filters"


def _scales(made: Structure) -> str:
    maps = feature_maps(plan(made.load_genotype(), made.make_template(), include_top=False, features=True))
    strides = ", ".join(str(each.stride) for each in maps)
    return f"Their strides are\n            {strides}, their channels {', '.join(str(each.shape[2]) for each in maps)}."


blockqnn_imagenet = constructor("blockqnn_imagenet")
blockqnn_imagenet_mobile = constructor("blockqnn_imagenet_mobile")
blockqnn_imagenet_small = constructor("blockqnn_imagenet_small")
blockqnn_cifar = constructor("blockqnn_cifar")
blockqnn_cifar_small = constructor("blockqnn_cifar_small")
blockqnn_mnist = constructor("blockqnn_mnist")
metaqnn_cifar = constructor("metaqnn_cifar")
metaqnn_mnist = constructor("metaqnn_mnist")
metaqnn_svhn = constructor("metaqnn_svhn")
nasnet_a_mobile = constructor("nasnet_a_mobile")
nasnet_a_large = constructor("nasnet_a_large")
nasnet_a_cifar = constructor("nasnet_a_cifar")
nasnet_a_mnist = constructor("nasnet_a_mnist")
