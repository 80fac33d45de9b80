"""What ``tools/proof.py`` compares: the genotypes that a search found, and random ones of the same size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from proof_runs import Run

from automl_cells.builder import cost, plan, template
from automl_cells.builder.template import Template
from automl_cells.errors import SearchError
from automl_cells.genotypes import Genotype
from automl_cells.search import best_trials, read_run
from automl_cells.spaces import space
from automl_cells.strategies import strategy

IMAGE = (28, 28, 1)
MULTIPLIER = 0.125  # of the filters of chains
DRAWS = 400  # random genotypes among which those with as many multiply-adds are looked for


def found(run: Run, count: int = 1) -> list[Genotype]:
    """The best genotypes of a search.

    Raises:
        SearchError: it is not done, or none of its candidates succeeded.
    """
    if not run.done:
        raise SearchError(f"Expected a search that was brought to its end (part search). Received: {run.out}")
    genotypes = [trial.genotype for trial in best_trials(read_run(run.out)[1], count)]
    if not genotypes:
        raise SearchError(f"Expected a candidate that succeeded in {run.out}. Received: none")
    return genotypes


def alike(where: str, wanted: Sequence[Genotype], frame: Template, seed: int) -> list[Genotype]:
    """For each genotype a random one whose network has about as many multiply-adds; no two are the same.

    Nor has one as many parameters and multiply-adds as any of `wanted`: it may be the same network but for operations
    that do nothing, such as a pooling of size 1.
    """

    def size(genotype: Genotype) -> tuple[int, int]:
        found = cost(plan(genotype, frame))
        return found.parameters, found.flops or 1

    def logarithm(size: tuple[int, int]) -> float:
        return math.log(size[1])

    options: dict[str, Any] = {"input_shape": IMAGE, "filter_multiplier": MULTIPLIER} if where == "metaqnn" else {}
    place = space(where, **options)
    draw = strategy("random", place, DRAWS, seed)
    rng = np.random.default_rng([seed, 4242])
    drawn = {proposal.genotype.hash: proposal.genotype for proposal in (draw.ask(rng, i) for i in range(DRAWS))}
    sizes = [size(genotype) for genotype in wanted]
    flops = {digest: logarithm(own) for digest, genotype in drawn.items() if (own := size(genotype)) not in sizes}
    chosen = []
    for target in map(logarithm, sizes):
        nearest = min(flops, key=lambda digest: abs(flops[digest] - target))
        flops.pop(nearest)
        chosen.append(drawn[nearest])
    return chosen


def frame_of(where: str) -> Template:
    """The frame of the trainings on images of clothes."""
    if where == "metaqnn":
        return template("chain", kind="chain", input_shape=IMAGE, classes=10)
    kind = "block" if where == "blockqnn" else "cell"
    return template("cifar", kind=kind, repeats=1, filters=(8, 16, 32), input_shape=IMAGE, classes=10)
