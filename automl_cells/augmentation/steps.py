"""The steps of an augmentation as plain data, as they stand in a recipe or in a proxy protocol.

Sizes and shifts are in pixels. `fill` says what lies outside of an image, in a row of pixels ``a b c d``: ``constant``
is 0, ``nearest`` is ``a a | a b c d | d d``, ``reflect`` is ``b a | a b c d | d c`` (as in Keras; NumPy calls it
symmetric) and ``wrap`` is ``c d | a b c d | a b``. A recipe's images are raw pixels, of which 0 is black; a proxy
protocol's are normalised, so that 0 is the mean colour.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

Fill = Literal["constant", "nearest", "reflect", "wrap"]
Share = Annotated[float, Field(gt=0, le=1)]
Strength = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(gt=0, le=100)]


class Data(BaseModel):
    """Frozen data; unknown fields and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Translation(Data):
    """A shift by up to `pixels` (fractions too) in each direction."""

    op: Literal["translation"]
    pixels: Annotated[float, Field(gt=0, le=256)]
    fill: Fill = "constant"


class Rotation(Data):
    """A rotation around the centre by up to `degrees` either way."""

    op: Literal["rotation"]
    degrees: Annotated[float, Field(gt=0, le=180)]
    fill: Fill = "constant"


class Zoom(Data):
    """Shows between ``1 - factor`` and ``1 + factor`` of the height, and of the width, drawn apart."""

    op: Literal["zoom"]
    factor: Annotated[float, Field(gt=0, lt=1)]
    fill: Fill = "constant"


class HorizontalFlip(Data):
    """A mirror image, every second time."""

    op: Literal["horizontal_flip"]


class PadCrop(Data):
    """`padding` pixels more on every side, then a random crop of the old size: a shift by whole pixels."""

    op: Literal["pad_crop"]
    padding: Annotated[int, Field(ge=1, le=256)]
    fill: Fill = "constant"


class UpsampleCrop(Data):
    """Resized, then a random crop of the old size (NASNet, appendix A: to 40 for images of 32).

    Attributes:
        size: resized to `size` × `size` pixels, whatever the shape of the images …
        scale: … or each side to this many times its own, to the nearest pixel (halves up). One of the two is given.
    """

    op: Literal["upsample_crop"]
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    scale: Annotated[float, Field(ge=1, le=16)] | None = None

    @model_validator(mode="after")
    def _either(self) -> UpsampleCrop:
        if (self.size is None) == (self.scale is None):
            raise ValueError("either size or scale is given")
        return self

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only what is given: documents are as they were before there was a `scale`, and runs can be resumed."""
        return {name: value for name, value in handler(self).items() if value is not None}


class ResizedCrop(Data):
    """A random box resized to the whole image (Inception's augmentation).

    Attributes:
        area: smallest and largest share of the image's area that the box has.
        ratio: smallest and largest width / height of the box, in pixels.
    """

    op: Literal["resized_crop"]
    area: tuple[Share, Share] = (0.08, 1.0)
    ratio: tuple[Ratio, Ratio] = (3 / 4, 4 / 3)

    @model_validator(mode="after")
    def _in_order(self) -> ResizedCrop:
        if self.area[0] > self.area[1] or self.ratio[0] > self.ratio[1]:
            raise ValueError("area and ratio go from the smallest to the largest")
        return self


class Cutout(Data):
    """A square of 0, `size` × `size` pixels, its centre anywhere in the image (DeVries & Taylor, 1708.04552)."""

    op: Literal["cutout"]
    size: Annotated[int, Field(ge=1, le=4096)]


class ColorJitter(Data):
    """Brightness, contrast and saturation, each multiplied by a number within its field's distance of 1."""

    op: Literal["color_jitter"]
    brightness: Strength = 0.0
    contrast: Strength = 0.0
    saturation: Strength = 0.0

    @model_validator(mode="after")
    def _does_something(self) -> ColorJitter:
        if not (self.brightness or self.contrast or self.saturation):
            raise ValueError("brightness, contrast or saturation must be above 0")
        return self


class Mixup(Data):
    """Each image and its target mixed with those of another, by a share from Beta(`alpha`, `alpha`) (1710.09412)."""

    op: Literal["mixup"]
    alpha: Annotated[float, Field(gt=0, le=100)]


Augmentation = Annotated[
    Translation
    | Rotation
    | Zoom
    | HorizontalFlip
    | PadCrop
    | UpsampleCrop
    | ResizedCrop
    | Cutout
    | ColorJitter
    | Mixup,
    Field(discriminator="op"),
]

_STEPS: tuple[type[Data], ...] = get_args(get_args(Augmentation)[0])


def step_fields(op: Any) -> list[str]:
    """The fields of the step called `op`, in order of the alphabet; none for an unknown one."""
    for step in _STEPS:
        if op in get_args(step.model_fields["op"].annotation):
            return sorted(step.model_fields)
    return []
