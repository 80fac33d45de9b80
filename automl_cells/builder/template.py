"""Templates: what surrounds the repeated block or cell (stem, stages, sizes, head), as data.

A template is a JSON file in ``builder/templates/KIND`` or one of your own; the kind is that of the genotypes that it
frames. What the papers leave open is decided here, once, for all templates: convolutions without bias, each followed
by batch normalisation (the stem's too); ReLU, global average pooling and one linear layer as the head; and between the
stages of blocks a 2×2 max pooling with stride 2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from automl_cells.errors import TemplateError

_FOLDER = Path(__file__).parent / "templates"

Side = Annotated[int, Field(ge=1, le=4096)]
Filters = Annotated[int, Field(ge=1, le=16_384)]


class _Data(BaseModel):
    """Frozen data; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Template(_Data):
    """The frame of a network: what templates of all kinds have.

    Attributes:
        name: what the template is called on the command line and in files.
        source: paper and figure, or who chose it.
        input_shape: (height, width, channels) of the images; height and width may be ``None`` (any size).
        classes: number of classes.
        max_params: most trainable parameters that a search proposes by default.
        max_flops: most multiply-adds that a search proposes by default.
    """

    name: str
    source: str = ""
    input_shape: tuple[Side | None, Side | None, Annotated[int, Field(ge=1, le=1024)]]
    classes: Annotated[int, Field(ge=2, le=1_000_000)]
    max_params: Annotated[int, Field(ge=1)]
    max_flops: Annotated[int, Field(ge=1)]

    @property
    def size(self) -> str:
        """How large the network is, as people say it."""
        raise NotImplementedError

    def changes(
        self, repeats: int | None, filters: Sequence[int] | None, filter_multiplier: float | None
    ) -> dict[str, Any]:
        """The fields that these sizes change, with their new values.

        Raises:
            TemplateError: a template of this kind has no such size.
        """
        raise NotImplementedError

    @property
    def epsilon(self) -> float:
        """What batch normalisation adds to the variance."""
        return 1e-3

    @property
    def kernel_initializer(self) -> str | dict[str, Any]:
        """How Keras makes the first kernels: He's, normal, fan-in, as BlockQNN's trainings do (sections 4.2, 4.3)."""
        return "he_normal"


class StagedTemplate(Template):
    """The frame of a network of stages, in each of which a block or cell is repeated.

    Attributes:
        repeats: N, the number of blocks or normal cells in each stage.
        filters: filters of the convolutions in each stage, one number a stage.
    """

    repeats: Annotated[int, Field(ge=1, le=64)]
    filters: Annotated[tuple[Filters, ...], Field(min_length=1, max_length=8)]

    @property
    def size(self) -> str:
        """Repeats and filters."""
        return f"N = {self.repeats}, filters {', '.join(map(str, self.filters))}"

    def changes(
        self, repeats: int | None, filters: Sequence[int] | None, filter_multiplier: float | None
    ) -> dict[str, Any]:
        """See `Template.changes`."""
        changes: dict[str, Any] = {} if repeats is None else {"repeats": repeats}
        widths = self.filters if filters is None else tuple(filters)
        if filter_multiplier is not None:
            widths = tuple(scaled(width, filter_multiplier) for width in widths)
        return changes if filters is None and filter_multiplier is None else {**changes, "filters": widths}


class StemLayer(_Data):
    """One layer of the stem: a convolution (stride 1, followed by BN) or a max pooling (stride 2), both ``same``."""

    op: Literal["conv", "max_pool"]
    kernel: Annotated[int, Field(ge=1, le=11)]


class BlockTemplate(StagedTemplate):
    """The frame of a network of BlockQNN blocks. Its document names no kind, as those written before there were others.

    Attributes:
        stem: the layers before the first stage, all with ``filters[0]`` filters.
    """

    kind: Literal["block"] = Field("block", exclude=True)
    stem: tuple[StemLayer, ...]


class CellStem(_Data):
    """What stands before the first stage of cells: a 3×3 convolution, BN, and reduction cells.

    Attributes:
        stride: of the convolution.
        padding: of the convolution, ``same`` or ``valid``.
        filters: of the convolution, …
        multiplier: … or these times the filters of the first stage (3 for CIFAR-10 in the authors' code).
        cells: for each reduction cell of the stem what the filters of the first stage are divided by.
    """

    stride: Literal[1, 2]
    padding: Literal["same", "valid"]
    filters: Filters | None = None
    multiplier: Annotated[int, Field(ge=1, le=16)] | None = None
    cells: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(max_length=4)] = ()

    @model_validator(mode="after")
    def _one_of_two(self) -> CellStem:
        if (self.filters is None) == (self.multiplier is None):
            raise ValueError("either filters or multiplier must be given")
        return self


class CellTemplate(StagedTemplate):
    """The frame of a network of NASNet cells: stages of `repeats` normal cells with a reduction cell between.

    Attributes:
        stem: what stands before the first stage.
        skip_reduction: what the normal cell right after a reduction cell takes as h_(i-1): with ``true`` the input that
            was h_(i-1) of the reduction cell, as in the authors' large model; with ``false`` that which was its h_i.
        pool_borders: what pooling with stride 2 sees outside of a map: nothing (``same``, as in the authors' code), or
            zeros (``zeros``, as in ``keras.applications``, which enter the maximum and count in the average).
        batch_norm_epsilon: added to the variance; 1e-5 for CIFAR-10 in the authors' code, 1e-3 for ImageNet.
    """

    kind: Literal["cell"]
    stem: CellStem
    skip_reduction: bool = False
    pool_borders: Literal["same", "zeros"] = "same"
    batch_norm_epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-3

    @property
    def epsilon(self) -> float:
        """What batch normalisation adds to the variance."""
        return self.batch_norm_epsilon

    @property
    def kernel_initializer(self) -> str | dict[str, Any]:
        """Variance scaling by the fan-out, of the variance of the authors' code, but uniform, which is drawn sooner."""
        config = {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}
        return {"class_name": "VarianceScaling", "config": config}


class ChainTemplate(Template):
    """The frame of a MetaQNN chain, which has its own filters.

    Attributes:
        filter_multiplier: scales the filters of all convolutions and the neurons of all fully connected layers.
    """

    kind: Literal["chain"]
    filter_multiplier: Annotated[float, Field(gt=0, le=1000)] = 1.0

    @property
    def kernel_initializer(self) -> str | dict[str, Any]:
        """Xavier's (Glorot and Bengio 2010), as section 5 has it."""
        return "glorot_uniform"

    @property
    def size(self) -> str:
        """The multiplier."""
        return f"filters times {self.filter_multiplier:g}"

    def width(self, filters: int) -> int:
        """The filters or neurons of a layer of the chain in this network."""
        return scaled(filters, self.filter_multiplier)

    def changes(
        self, repeats: int | None, filters: Sequence[int] | None, filter_multiplier: float | None
    ) -> dict[str, Any]:
        """See `Template.changes`."""
        for name, value in (("repeats", repeats), ("filters", filters)):
            if value is not None:
                raise TemplateError(
                    f"Expected filter_multiplier alone with the template of a chain, which has its own layers and "
                    f"filters. Received: {name}={value}"
                )
        # anew, and not on top of the old one: what the builder is asked for is what it does
        return {} if filter_multiplier is None else {"filter_multiplier": float(filter_multiplier)}


def scaled(filters: int, multiplier: float) -> int:
    """Filters times a multiplier, rounded, at least 1."""
    return max(1, round(filters * multiplier))


_KINDS: dict[str, type[Template]] = {"block": BlockTemplate, "cell": CellTemplate, "chain": ChainTemplate}
_USUAL = {"chain": "chain"}


def template_names(kind: str = "block") -> list[str]:
    """The names of the templates that come with the package for genotypes of `kind`."""
    return sorted(path.stem for path in (_FOLDER / kind).glob("*.json"))


@cache
def _packaged(kind: str, name: str) -> Template:
    return _KINDS[kind].model_validate_json((_FOLDER / kind / f"{name}.json").read_bytes())


def usual_template(kind: str) -> str:
    """The name of the template that genotypes of `kind` stand in unless told otherwise."""
    return _USUAL.get(kind, "cifar")


def template(
    base: str | Template | None = None,
    *,
    kind: str | None = None,
    repeats: int | None = None,
    filters: tuple[int, ...] | list[int] | None = None,
    filter_multiplier: float | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    classes: int | None = None,
) -> Template:
    """A template, with some of its sizes changed.

    Args:
        base: the name of a packaged template, or a `Template`; by default ``cifar``, for chains ``chain``.
        kind: of the genotypes that it frames: ``block`` (the default for a name), ``cell`` or ``chain``.
        repeats: N, blocks or normal cells a stage; not for chains.
        filters: filters of each stage; their number is the number of stages. Not for chains.
        filter_multiplier: scales the filters of every stage (rounded, at least 1), after `filters`, or of all layers of
            a chain.
        input_shape: (height, width, channels).
        classes: number of classes.

    Raises:
        TemplateError: an unknown template, one of another kind, or a size out of range.
    """
    if base is None:
        base = usual_template(kind or "block")
    if isinstance(base, str):
        kind = kind or "block"
        if base not in template_names(kind):
            known = template_names(kind) or "none: genotypes of this kind are looked up in a table, not built"
            raise TemplateError(f"Expected a template for a {kind} among {known}. Received: {base}")
        base = _packaged(kind, base)
    elif kind is not None and not isinstance(base, _KINDS.get(kind, ())):
        raise TemplateError(f"Expected a template for a {kind}. Received: {base.name}, a {type(base).__name__}")
    if filter_multiplier is not None and not 0 < filter_multiplier <= 1000:
        raise TemplateError(f"Expected a filter multiplier above 0, at most 1000. Received: {filter_multiplier}")
    given: dict[str, Any] = {"input_shape": input_shape, "classes": classes}
    changes = {name: value for name, value in given.items() if value is not None}
    return from_document({**base.model_dump(), **changes, **base.changes(repeats, filters, filter_multiplier)})


def from_document(document: Any) -> Template:
    """The template of a JSON document (``model_dump(mode="json")`` of another); without a kind that of blocks.

    Raises:
        TemplateError: a field is missing, unknown or out of range.
    """
    if not isinstance(document, dict):
        raise TemplateError(f"Expected a template as a JSON object. Received: {document!r:.80}")
    kind = document.get("kind", "block")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise TemplateError(f"Expected a template of a kind among {sorted(_KINDS)}. Received: {kind!r:.80}")
    try:
        return _KINDS[kind].model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        received = json.dumps(first["input"], default=str)
        raise TemplateError(
            f"Expected a template with a valid {where}: {first['msg']}. Received: {received:.80}"
        ) from None
