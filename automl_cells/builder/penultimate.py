"""NASNet's way to name a size: N @ P, with P channels after the last cell."""

from __future__ import annotations

from automl_cells.errors import TemplateError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.cell import CellGenotype


def stage_filters(genotype: Genotype, penultimate: int, stages: int = 3) -> tuple[int, ...]:
    """The filters of each stage of a network with `penultimate` channels after its last cell.

    They double from stage to stage, so F of the first is P / (w · 2^(stages - 1)) with w the width of the normal cell's
    output: P / 24 for NASNet-A, whose normal cell concatenates six states.

    Args:
        genotype: a cell genotype.
        penultimate: P.
        stages: number of stages.

    Raises:
        TemplateError: another kind of genotype, or a P that no number of filters gives.

    Example:
        >>> from automl_cells.genotypes import load
        >>> stage_filters(load("nasnet_a"), 1056)
        (44, 88, 176)
    """
    if not isinstance(genotype, CellGenotype):
        raise TemplateError(f"Expected a cell genotype with penultimate filters. Received: kind {genotype.kind}")
    unit = genotype.normal.output_width * 2 ** (stages - 1)
    if type(penultimate) is not int or penultimate <= 0 or penultimate % unit:
        near = ""
        if isinstance(penultimate, int | float) and 0 < penultimate < 10**9:
            near = f" (the nearest is {max(1, round(penultimate / unit)) * unit})"
        raise TemplateError(
            f"Expected the penultimate filters of this cell as a multiple of {unit}{near}. Received: {penultimate!r}"
        )
    return tuple(penultimate // unit * 2**stage for stage in range(stages))
