"""Which planner serves which kind of genotype."""

from __future__ import annotations

from collections.abc import Callable

from automl_cells.builder.block_network import plan_block_network
from automl_cells.builder.cell_network import plan_cell_network
from automl_cells.builder.chain_network import check_rates, plan_chain_network
from automl_cells.builder.cost import cost
from automl_cells.builder.ensemble_network import plan_ensemble
from automl_cells.builder.plan import Plan, TooManyParametersError
from automl_cells.builder.template import Template
from automl_cells.builder.template import template as make_template
from automl_cells.errors import GenotypeError, TemplateError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.ensemble import EnsembleGenotype

_PLANNERS: dict[str, Callable[..., Plan]] = {
    "block": plan_block_network,
    "cell": plan_cell_network,
    "chain": plan_chain_network,
}
_FOR_TRAINING = ("cell",)  # kinds whose planners know an auxiliary head and paths to drop
NO_DROPOUT = (0.0, 0.0)


def plan(
    genotype: Genotype,
    template: Template,
    *,
    include_top: bool = True,
    pooling: str | None = None,
    features: bool = False,
    max_params: int | None = None,
    auxiliary: bool = False,
    drop_path: bool = False,
    chain_dropout: tuple[float, float] = NO_DROPOUT,
) -> Plan:
    """The flat list of layers of the network that `genotype` makes in `template`.

    Args:
        genotype: what is repeated.
        template: what surrounds it, with all sizes.
        include_top: end with global average pooling and the linear layer (without softmax, which has no cost).
        pooling: without the top: ``None`` (a feature map), ``"avg"`` or ``"max"``.
        features: without top and pooling: several outputs, the last feature map before each downsampling and the last
            of all, see `feature_maps`; the plan then ends with ``outputs``.
        max_params: stop planning as soon as the convolutions alone have more weights.
        auxiliary: with NASNet's auxiliary head as a second output, for training; the plan then ends with ``outputs``.
        drop_path: with ``drop_path`` layers after the operations, for training.
        chain_dropout: for chains, with ``dropout`` layers inside of these lowest and highest rates, for training; see
            `builder.chain_network`.

    Raises:
        GenotypeError: no builder for this kind of genotype.
        TemplateError: a template for another kind of genotype, an unknown pooling, features together with top or
            pooling, an auxiliary head or paths to drop where the kind has none, an image too small for the template, or
            more layers than any network should have, or a part of an ensemble.
        TooManyParametersError: more than `max_params`, a kind of `TemplateError`.
    """
    if pooling not in (None, "avg", "max"):
        raise TemplateError(f"Expected pooling None, 'avg' or 'max'. Received: {pooling!r}")
    if features and (include_top or pooling is not None):
        raise TemplateError(
            f"Expected include_top=False and pooling=None with features=True. "
            f"Received: include_top={include_top}, pooling={pooling!r}"
        )
    if isinstance(genotype, EnsembleGenotype):
        if not include_top or auxiliary or drop_path or chain_dropout != NO_DROPOUT:
            raise TemplateError(
                "Expected an ensemble with its tops and nothing for training, since its members are trained one by "
                f"one. Received: {include_top=}, {auxiliary=}, {drop_path=}, {chain_dropout=}"
            )
        members = [plan(member, template, max_params=max_params) for member in genotype.members]
        if max_params is not None and sum(cost(member).parameters for member in members) > max_params:
            raise TooManyParametersError("Expected a network within the limit of parameters. Received: a larger one")
        return plan_ensemble(members, template.classes)
    planner = _PLANNERS.get(genotype.kind)
    if planner is None:
        raise GenotypeError(f"Expected a genotype of a kind among {sorted(_PLANNERS)}. Received: {genotype.kind}")
    template = make_template(template, kind=genotype.kind)
    if chain_dropout != NO_DROPOUT:
        check_rates(chain_dropout)
        if genotype.kind != "chain" or not include_top:
            raise TemplateError(
                f"Expected a chain and include_top=True with chain_dropout. Received: a {genotype.kind}, "
                f"include_top={include_top}"
            )
        return planner(genotype, template, include_top, pooling, max_params, features, chain_dropout)
    if not (auxiliary or drop_path):
        return planner(genotype, template, include_top, pooling, max_params, features)
    if genotype.kind not in _FOR_TRAINING or features or not include_top:
        raise TemplateError(
            f"Expected a genotype of a kind among {list(_FOR_TRAINING)} and include_top=True with an auxiliary head or "
            f"paths to drop. Received: a {genotype.kind}, include_top={include_top}"
        )
    return planner(genotype, template, include_top, pooling, max_params, features, auxiliary, drop_path)
