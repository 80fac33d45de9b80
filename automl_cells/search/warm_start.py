"""Starting a search from what an earlier one has found, on other data perhaps.

The earlier search's trials are copied into the new run folder (`FILE`), so that the new one can be resumed whatever
becomes of the old one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_cells.errors import AutoMLCellsError, GenotypeError, SearchError
from automl_cells.files import write_atomically
from automl_cells.search.run_folder import read_run
from automl_cells.search.trials import decisions_from_json
from automl_cells.spaces.base import Space
from automl_cells.strategies.base import Proposal

FILE = "warm_start.json"

Told = tuple[Proposal, float]


def read(run: str | Path, space: Space) -> dict[str, Any]:
    """The finished trials of an earlier search, in the order in which their answers came, as JSON-able data.

    Trials whose decisions are not legal in `space` (a chain too deep for smaller images, say) are left out.

    Raises:
        JournalError: no search in that folder.
        SearchError: a search in another space, or none of its trials can be made in this one.
    """
    settings, trials = read_run(run)
    if settings["space"]["name"] != space.name:
        other = settings["space"]["name"]
        raise SearchError(f"Expected an earlier search in the space {space.name}. Received: one in {other} ({run})")
    finished = sorted((trial for trial in trials if trial.finished), key=lambda trial: trial.ended or 0.0)
    told = [[trial.decisions, dict(trial.info), trial.reward] for trial in finished if _legal(trial.decisions, space)]
    if not told:
        raise SearchError(
            f"Expected an earlier search with trials that {space.name} can make here. "
            f"Received: {len(finished)} finished ones in {run}, none of them legal"
        )
    return {
        "run": Path(run).resolve().name,
        "dataset": settings["dataset"],
        "strategy": settings["strategy"]["name"],
        "left_out": len(finished) - len(told),
        "trials": told,
    }


def _legal(decisions: Sequence[Any], space: Space) -> bool:
    try:
        space.replay(decisions)
    except GenotypeError:
        return False
    return True


def digest(document: Mapping[str, Any]) -> str:
    """The SHA-256 by which the settings of a search name what it began with."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def keep(document: Mapping[str, Any] | None, folder: Path) -> None:
    """Write the copy into the run folder, beside its place and renamed; ``None`` removes one that never began."""
    if document is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        write_atomically(folder / FILE, json.dumps(document) + "\n")


def kept(folder: Path) -> dict[str, Any] | None:
    """The copy in a run folder, if the search there began with one.

    Raises:
        SearchError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise TypeError(type(document).__name__)
    except (OSError, ValueError, TypeError) as error:
        raise SearchError(f"Expected what the search began with in {path}. Received: {error!r:.200}") from None
    return document


def told(document: Mapping[str, Any], space: Space) -> list[Told]:
    """The proposals and rewards for `Strategy.inherit`.

    Raises:
        SearchError: a damaged document.
    """
    found = []
    try:
        for actions, info, reward in document["trials"]:
            decisions = decisions_from_json(actions if isinstance(actions, list) else list(actions))
            genotype = space.genotype(space.replay(decisions)[-1])
            found.append((Proposal(genotype, decisions, info), float(reward)))
    except (KeyError, TypeError, ValueError, AutoMLCellsError) as error:
        raise SearchError(f"Expected trials that {space.name} can make in {FILE}. Received: {error}") from None
    return found
