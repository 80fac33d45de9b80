"""From a word on the command line to a genotype or an entry, whatever it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cells.errors import GenotypeError, JournalError, SearchError, ZooError
from automl_cells.genotypes import Genotype, load_with_provenance, published_names
from automl_cells.genotypes.catalogue import is_known
from automl_cells.search import best_trials, read_run
from automl_cells.search.api import provenance
from automl_cells.search.run_folder import JOURNAL

if TYPE_CHECKING:
    from automl_cells.zoo import RemoteShelf, Shelf


def shelf_of(address: str | None) -> Shelf | RemoteShelf:
    """The shelf that ``--shelf`` means.

    Raises:
        ZooError: not an address, or a package is missing for it.
    """
    from automl_cells.zoo import default_shelf, open_shelf

    return default_shelf() if address is None else open_shelf(address)


def best_of(run: Path) -> tuple[Genotype, dict[str, Any]]:
    """The genotype of the largest reward of a search, ended or not, with its provenance.

    Raises:
        SearchError: no candidate has succeeded.
        JournalError: no search in that folder, its journal is damaged, or lacks settings that the provenance names.
    """
    settings, trials = read_run(run)
    found = best_trials(trials)
    if not found:
        raise SearchError(f"Expected a search with at least one candidate done. Received: {run} without any")
    try:
        return found[0].genotype, provenance(settings, found[0], trials)
    except LookupError as error:  # of a journal of other makers
        raise JournalError(
            f"Expected the settings of the search in {run} to be whole. Received: none named {error}"
        ) from None


def genotype_of(word: str, shelf: str | None = None) -> tuple[Genotype, dict[str, Any]]:
    """The genotype, with its provenance, of a published name, a genotype file, a run folder or a zoo entry.

    Raises:
        GenotypeError: none of these, or the file is not valid.
        SearchError: a search without a candidate that succeeded.
    """
    path = Path(word)
    if is_known(word) or path.is_file():
        return load_with_provenance(word)
    if (path / JOURNAL).is_file():
        return best_of(path)
    from automl_cells.zoo import resolve
    from automl_cells.zoo.remote.store import UnreachableError

    try:
        entry = resolve(word, shelf_of(shelf))
    except UnreachableError:
        raise
    except ZooError:
        raise GenotypeError(
            f"Expected a genotype file, one of the published genotypes {published_names()}, a run folder or a zoo "
            f"entry. Received: {word}"
        ) from None
    return load_with_provenance(entry.folder / "genotype.json")
