"""Templates: what surrounds the repeated block or cell (stem, stages, sizes, head), as data.

A template is a JSON file in ``builder/templates`` or a `Template` of your own. What the BlockQNN paper leaves open is
decided here, once, for all templates: convolutions without bias, each followed by batch normalisation (the stem's too);
2×2 max pooling with stride 2 between stages; ReLU, global average pooling and one linear layer as the head.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automl_cells.errors import TemplateError

_FOLDER = Path(__file__).parent / "templates"

Side = Annotated[int, Field(ge=1, le=4096)]
Filters = Annotated[int, Field(ge=1, le=16_384)]


class StemLayer(BaseModel):
    """One layer of the stem: a convolution (stride 1, followed by BN) or a max pooling (stride 2), both ``same``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["conv", "max_pool"]
    kernel: Annotated[int, Field(ge=1, le=11)]


class Template(BaseModel):
    """The frame of a network.

    Attributes:
        name: what the template is called on the command line and in files.
        source: paper and figure, or who chose it.
        input_shape: (height, width, channels) of the images; height and width may be ``None`` (any size).
        classes: number of classes.
        stem: the layers before the first stage, all with ``filters[0]`` filters.
        repeats: N, the number of blocks in each stage.
        filters: filters of the convolutions in each stage, one number a stage.
        max_params: most trainable parameters that a search proposes by default.
        max_flops: most multiply-adds that a search proposes by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str = ""
    input_shape: tuple[Side | None, Side | None, Annotated[int, Field(ge=1, le=1024)]]
    classes: Annotated[int, Field(ge=2, le=1_000_000)]
    stem: tuple[StemLayer, ...]
    repeats: Annotated[int, Field(ge=1, le=64)]
    filters: Annotated[tuple[Filters, ...], Field(min_length=1, max_length=8)]
    max_params: Annotated[int, Field(ge=1)]
    max_flops: Annotated[int, Field(ge=1)]


def template_names() -> list[str]:
    """The names of the templates that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


@cache
def _packaged(name: str) -> Template:
    return Template.model_validate_json((_FOLDER / f"{name}.json").read_bytes())


def template(
    base: str | Template = "cifar",
    *,
    repeats: int | None = None,
    filters: tuple[int, ...] | list[int] | None = None,
    filter_multiplier: float | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    classes: int | None = None,
) -> Template:
    """A template, with some of its sizes changed.

    Args:
        base: the name of a packaged template, or a `Template`.
        repeats: N, blocks a stage.
        filters: filters of each stage; their number is the number of stages.
        filter_multiplier: scales the filters of every stage (rounded, at least 1), after `filters`.
        input_shape: (height, width, channels).
        classes: number of classes.

    Raises:
        TemplateError: an unknown template, or a size out of range.
    """
    if isinstance(base, str):
        if base not in template_names():
            raise TemplateError(f"Expected a template among {template_names()}. Received: {base}")
        base = _packaged(base)
    given: dict[str, Any] = {"repeats": repeats, "filters": filters, "input_shape": input_shape, "classes": classes}
    changes = {name: value for name, value in given.items() if value is not None}
    if filter_multiplier is not None:
        if not 0 < filter_multiplier <= 1000:
            raise TemplateError(f"Expected a filter multiplier above 0, at most 1000. Received: {filter_multiplier}")
        widths = base.filters if filters is None else filters
        changes["filters"] = tuple(max(1, round(width * filter_multiplier)) for width in widths)
    return from_document({**base.model_dump(), **changes})


def from_document(document: dict[str, Any]) -> Template:
    """The template of a JSON document (``model_dump(mode="json")`` of another).

    Raises:
        TemplateError: a field is missing, unknown or out of range.
    """
    try:
        return Template.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        received = json.dumps(first["input"], default=str)
        raise TemplateError(f"Expected a template with a valid {where}: {first['msg']}. Received: {received}") from None
