"""From a structure or an entry to a Keras model, as ``keras.applications`` does it: what all constructors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from automl_cells.builder import Template
from automl_cells.builder import template as make_template
from automl_cells.builder.image_size import check_size
from automl_cells.errors import AutoMLCellsError, TemplateError, ZooError
from automl_cells.genotypes import EnsembleGenotype, Genotype

if TYPE_CHECKING:
    import keras

    from automl_cells.zoo.pretrained import Pretrained

MIN_SIZE = 8
"""Smallest height and width of an image: below it the last stages would see a single pixel from early on."""

Shape = tuple[int | None, int | None, int]


class Wanted(NamedTuple):
    """What a caller asked for; the arguments of ``keras.applications``, and ours.

    Attributes:
        include_top: end with global average pooling and the classifier.
        input_tensor: a Keras tensor to build on.
        input_shape: (height, width, channels).
        pooling: without the top: ``None``, ``avg`` or ``max``.
        classes: of the classifier; with weights and the top, that of the weights.
        num_classes: of a new classifier, with random weights, on the pretrained body.
        classifier_activation: ``None`` gives logits.
        name: of the model.
        features: without the top: a list of feature maps.
    """

    include_top: bool = True
    input_tensor: Any = None
    input_shape: Shape | None = None
    pooling: str | None = None
    classes: int | None = None
    num_classes: int | None = None
    classifier_activation: str | None = "softmax"
    name: str | None = None
    features: bool = False

    @property
    def old_top(self) -> bool:
        """Whether the classifier is that of the weights."""
        return self.include_top and self.num_classes is None


def instantiate(
    genotype: Genotype, template: Template, wanted: Wanted, pretrained: Pretrained | None, sizes: dict[str, Any]
) -> keras.Model:
    """Build a network and load its weights.

    Args:
        genotype: what is built.
        template: at the default sizes of the structure or entry.
        wanted: how.
        pretrained: weights, or ``None`` for random ones.
        sizes: changes to the template, for random weights.

    Raises:
        ZooError: weights that do not fit what else was asked for.
        TemplateError: a size out of range.
    """
    # Here and not above: `import automl_cells.zoo` must not import Keras.
    from automl_cells.builder import build

    _check_classes(wanted, template)
    if isinstance(genotype, EnsembleGenotype) and (not wanted.old_top or wanted.classifier_activation != "softmax"):
        raise ZooError(
            "Expected include_top=True, classifier_activation='softmax' and no num_classes with an ensemble, which has "
            f"no body of its own. Received: include_top={wanted.include_top}, num_classes={wanted.num_classes}, "
            f"classifier_activation={wanted.classifier_activation!r:.60}"
        )
    default: Shape = template.input_shape
    if pretrained is not None:
        if pretrained.entry is not None:
            default = pretrained.entry.template.input_shape
        if wanted.old_top:
            _check_top(
                pretrained, template.classes if wanted.classes is None else wanted.classes, wanted.classifier_activation
            )
    shape = _input_shape(
        wanted.input_shape, wanted.input_tensor, default, wanted.include_top, fixed_channels=pretrained is not None
    )
    classes = next(count for count in (wanted.num_classes, wanted.classes, template.classes) if count is not None)
    frame = make_template(template, input_shape=shape, classes=classes if wanted.include_top else None, **sizes)
    if pretrained is not None and pretrained.entry is not None and wanted.include_top:
        check_size(genotype, pretrained.entry.template, frame, head=wanted.old_top)
    try:
        model = build(
            genotype,
            frame,
            include_top=wanted.include_top,
            pooling=None if wanted.include_top else wanted.pooling,
            features=wanted.features,
            classifier_activation=wanted.classifier_activation,
            input_tensor=wanted.input_tensor,
            name=wanted.name,
        )
    except AutoMLCellsError:
        raise
    except (TypeError, ValueError) as error:  # Keras' own: a name with a slash, an activation that it does not have
        raise ZooError(
            f"Expected a name and an activation that Keras has. Received: name={wanted.name!r:.60}, "
            f"classifier_activation={wanted.classifier_activation!r:.60} ({' '.join(str(error).split())[:200]})"
        ) from None
    if pretrained is not None:
        from automl_cells.training.bodies import without_head
        from automl_cells.zoo.pretrained import load_pretrained

        load_pretrained(
            without_head(model) if wanted.include_top and not wanted.old_top else model, pretrained, wanted.old_top
        )
    return model


def _check_classes(wanted: Wanted, template: Template) -> None:
    for what, count in (("classes", wanted.classes), ("num_classes", wanted.num_classes)):
        if count is not None and (type(count) is not int or count < 1):
            raise ZooError(f"Expected {what} as a whole number above 0. Received: {count!r:.20}")
    if wanted.num_classes is None:
        return
    if not wanted.include_top:
        raise ZooError(f"Expected include_top=True with num_classes. Received: num_classes={wanted.num_classes!r:.20}")
    if wanted.classes not in (None, template.classes, wanted.num_classes):
        raise ZooError(
            f"Expected either classes or num_classes. "
            f"Received: classes={wanted.classes!r:.20} and num_classes={wanted.num_classes!r:.20}"
        )


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
