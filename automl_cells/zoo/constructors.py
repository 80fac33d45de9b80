"""One function per named structure, with the signature and behaviour of ``keras.applications``.

All are made by `constructor` from ``structures.json``; what they do is in `_instantiate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from automl_cells.builder import feature_maps, plan
from automl_cells.builder import template as make_template
from automl_cells.builder.cell_network import smallest_image
from automl_cells.builder.template import CellTemplate
from automl_cells.errors import TemplateError, ZooError
from automl_cells.zoo.structures import Structure, structure

if TYPE_CHECKING:
    import keras

    from automl_cells.zoo.pretrained import Pretrained

MIN_SIZE = 8
"""Smallest height and width of an image: below it the last stages would see a single pixel from early on."""

Shape = tuple[int | None, int | None, int]


_OFFICIAL = """

    The network is that of `keras.applications.{model}`, output for output, but takes images of any size
    with one set of weights. Its ImageNet weights are the converted ones of the authors; their images go in scaled to
    -1 to 1 (`keras.applications.nasnet.preprocess_input`). `weights` may also be a file that Keras saved from that
    model, an old-style `.h5` or a `.weights.h5`."""


class Constructor(Protocol):
    """What the functions of this module can be called with."""

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
        repeats: int | None = None,
        filters: Sequence[int] | None = None,
        filter_multiplier: float | None = None,
        features: bool = False,
    ) -> keras.Model:
        sizes = {"repeats": repeats, "filters": filters, "filter_multiplier": filter_multiplier}
        return _instantiate(
            made,
            include_top=include_top,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            name=name,
            sizes={size: value for size, value in sizes.items() if value is not None},
            features=features,
        )

    construct.__name__ = construct.__qualname__ = made.name
    construct.__doc__ = _document(made)
    return construct


def _document(made: Structure) -> str:
    height, width, channels = made.input_shape
    cost = made.cost()
    stages, filters = len(made.filters), ", ".join(map(str, made.filters))
    frame = made.make_template()
    unit, least = ("cell", smallest_image(frame)) if isinstance(frame, CellTemplate) else ("block", MIN_SIZE)
    official = imagenet = ""
    if made.keras_application is not None:
        official = _OFFICIAL.format(model=made.keras_application.model)
        imagenet = '`"imagenet"` (the official weights, fetched into\n            Keras\' cache); '
    return f"""{made.title}.

    The {unit} `{made.genotype}` in the template `{made.template}`: {made.repeats} {unit}s in each of {stages} stages
    with {filters} filters; {cost.parameters:,} trainable parameters and {cost.flops:,} multiply-adds
    for an image of {height}x{width}x{channels}. Images go in normalised, as the entry of the weights says
    (`Entry.preprocessing`).{official}

    Args:
        include_top: end with global average pooling and the classifier.
        weights: `None` (random); {imagenet}the path of a weights file, an entry folder or a training run; or `"tag"` or
            `"tag-vN"`, published under `{made.name}` on the default shelf.
        input_tensor: a Keras tensor to build on, instead of a new input.
        input_shape: (height, width, channels); height and width at least {least}, or `None` for any size. By default
            that of the weights or ({height}, {width}, {channels}); without the top (None, None, {channels}).
        pooling: without the top: `None` (feature map), `"avg"` or `"max"`.
        classes: number of classes; with weights and the top, that of the weights.
        classifier_activation: `None` gives logits; with weights `None` or `"softmax"`. Ignored without the top.
        name: name of the model.
        repeats: {unit}s a stage. This and the next two need `weights=None`.
        filters: filters of each stage.
        filter_multiplier: scales the filters of every stage.
        features: without the top and pooling: the model's output is a list of feature maps, the last before each
            downsampling and the last of all, for detection and segmentation. {_scales(made)}

    Returns:
        A `keras.Model`, float32 images (batch, height, width, channels) to (batch, classes) with the top.

    Raises:
        ZooError: weights that nobody has published, or that do not fit what else was asked for.
        TemplateError: a size out of range.
    """


def _scales(made: Structure) -> str:
    maps = feature_maps(plan(made.load_genotype(), made.make_template(), include_top=False, features=True))
    strides = ", ".join(str(each.stride) for each in maps)
    return f"Their strides are\n            {strides}, their channels {', '.join(str(each.shape[2]) for each in maps)}."


def _instantiate(
    made: Structure,
    *,
    include_top: bool,
    weights: str | Path | None,
    input_tensor: Any,
    input_shape: Shape | None,
    pooling: str | None,
    classes: int,
    classifier_activation: str | None,
    name: str | None,
    sizes: dict[str, Any],
    features: bool,
) -> keras.Model:
    # Here and not above: `import automl_cells.zoo` must not import Keras.
    from automl_cells.builder import build

    pretrained = None
    default: Shape = made.input_shape
    if weights is not None:
        from automl_cells.zoo.pretrained import find_weights

        if sizes:
            raise ZooError(f"Expected weights=None with {', '.join(sizes)}. Received: weights={str(weights)!r}")
        pretrained = find_weights(made, weights, include_top)
        if pretrained.entry is not None:
            default = pretrained.entry.template.input_shape
        if include_top:
            _check_top(pretrained, classes, classifier_activation)
    shape = _input_shape(input_shape, input_tensor, default, include_top, fixed_channels=pretrained is not None)
    frame = make_template(made.make_template(), input_shape=shape, classes=classes if include_top else None, **sizes)
    model = build(
        made.load_genotype(),
        frame,
        include_top=include_top,
        pooling=None if include_top else pooling,
        features=features,
        classifier_activation=classifier_activation,
        input_tensor=input_tensor,
        name=name,
    )
    if pretrained is not None:
        from automl_cells.zoo.pretrained import load_pretrained

        load_pretrained(model, pretrained, include_top)
    return model


def _check_top(pretrained: Pretrained, classes: int, classifier_activation: str | None) -> None:
    if pretrained.classes is not None and classes != pretrained.classes:
        raise ZooError(
            f"Expected classes={pretrained.classes} with include_top=True and the weights "
            f"{pretrained.file.name if pretrained.entry is None else pretrained.file.parent.name}. Received: {classes}"
        )
    if classifier_activation not in (None, "softmax"):
        raise ZooError(
            f"Expected classifier_activation None or 'softmax' with weights. Received: {classifier_activation!r}"
        )


def _input_shape(given: Shape | None, tensor: Any, default: Shape, include_top: bool, fixed_channels: bool) -> Shape:
    """The image shape to build for, checked as ``keras.applications`` does.

    Raises:
        TemplateError: not three sizes, too small, not that of the tensor, or other channels than the weights have.
    """
    channels = default[2]
    of_tensor = None if tensor is None else tuple(tensor.shape[1:])
    shape: Any = given if given is not None else of_tensor
    if shape is None:
        shape = default if include_top else (None, None, channels)
    shape = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if len(shape) != 3 or not all(size is None or type(size) is int for size in shape) or shape[2] is None:
        raise TemplateError(f"Expected input_shape as (height, width, channels). Received: {shape}")
    if any(size is not None and size < MIN_SIZE for size in shape[:2]):
        raise TemplateError(f"Expected an input size of at least {MIN_SIZE}x{MIN_SIZE}. Received: input_shape={shape}")
    if of_tensor is not None and shape != of_tensor:
        raise TemplateError(f"Expected the input_shape of input_tensor, {of_tensor}. Received: {shape}")
    if fixed_channels and shape[2] != channels:
        raise TemplateError(f"Expected images with the {channels} channels of the weights. Received: {shape}")
    height, width, depth = shape
    return height, width, depth


blockqnn_imagenet = constructor("blockqnn_imagenet")
blockqnn_imagenet_mobile = constructor("blockqnn_imagenet_mobile")
blockqnn_imagenet_small = constructor("blockqnn_imagenet_small")
blockqnn_cifar = constructor("blockqnn_cifar")
blockqnn_cifar_small = constructor("blockqnn_cifar_small")
blockqnn_mnist = constructor("blockqnn_mnist")
nasnet_a_mobile = constructor("nasnet_a_mobile")
nasnet_a_large = constructor("nasnet_a_large")
nasnet_a_cifar = constructor("nasnet_a_cifar")
