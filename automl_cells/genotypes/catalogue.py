"""The genotypes that the papers published, as JSON files beside this module, and how a word becomes one."""

from __future__ import annotations

import copy
import os
from functools import cache
from pathlib import Path
from typing import Any

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import serialization
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.chain import ChainGenotype, classes_in, is_chain_text

_FOLDER = Path(__file__).parent / "published"

_NOT_TO_BE_HAD = dict.fromkeys(
    ("nasnet_b", "nasnet_c"), "only figures of the paper's appendix B show its cells, and no code holds them"
)


def published_names() -> list[str]:
    """The names of the published genotypes, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


@cache
def _published(name: str) -> tuple[Genotype, dict[str, Any]]:
    return serialization.from_file(_FOLDER / f"{name}.json")


def is_known(name: str) -> bool:
    """Whether `load` has an answer to a word: a published genotype, why one is not to be had, or a chain as text."""
    return name in published_names() or name in _NOT_TO_BE_HAD or is_chain_text(name)


def load(name_or_path: str | Path) -> Genotype:
    """The genotype of that published name, in that file, or a chain in MetaQNN's notation.

    Args:
        name_or_path: e.g. ``nasnet_a``, ``runs/mine/best.json`` or ``C(64,3,1),P(2,2),SM(10)``.

    Raises:
        GenotypeError: none of these, or not valid.
    """
    return load_with_provenance(name_or_path)[0]


def load_with_provenance(name_or_path: str | Path) -> tuple[Genotype, dict[str, Any]]:
    """As `load`, with the provenance: for a published genotype the paper, figure and published results.

    Raises:
        GenotypeError: as `load`.
    """
    if str(name_or_path) in published_names():
        genotype, provenance = _published(str(name_or_path))
        return genotype, copy.deepcopy(provenance)  # the caller may change it
    if str(name_or_path) in _NOT_TO_BE_HAD:
        why = _NOT_TO_BE_HAD[str(name_or_path)]
        raise GenotypeError(
            f"Expected one of the published genotypes {published_names()}. Received: {name_or_path}, which is not to "
            f"be had: {why}"
        )
    there = os.path.isfile(name_or_path)
    if not there and isinstance(name_or_path, str) and is_chain_text(name_or_path):
        chain, classes = ChainGenotype.from_text(name_or_path), classes_in(name_or_path)
        return chain, {} if classes is None else {"notation": name_or_path.strip(), "classes": classes}
    if not there:  # Path.is_file raises OSError for some words, e.g. very long ones
        raise GenotypeError(
            f"Expected a genotype file, a chain such as C(64,3,1),SM(10), or one of the published genotypes "
            f"{published_names()}. Received: {name_or_path}"
        )
    return serialization.from_file(name_or_path)
