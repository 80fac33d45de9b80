"""From a word on the command line to a genotype or an entry, whatever it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_cells.errors import GenotypeError, ZooError
from automl_cells.genotypes import Genotype, load_with_provenance, published_names


def genotype_of(word: str) -> tuple[Genotype, dict[str, Any]]:
    """The genotype, with its provenance, of a published name, a genotype file, a run folder or a zoo entry.

    Raises:
        GenotypeError: none of these.
    """
    path = Path(word)
    if word in published_names() or path.is_file():
        return load_with_provenance(word)
    if (path / "best.json").is_file():
        return load_with_provenance(path / "best.json")
    from automl_cells.zoo import resolve

    try:
        entry = resolve(word)
    except ZooError as error:
        raise GenotypeError(
            f"Expected a genotype file, one of the published genotypes {published_names()}, a run folder or a zoo "
            f"entry. Received: {word} ({error})"
        ) from None
    return load_with_provenance(entry.folder / "genotype.json")
