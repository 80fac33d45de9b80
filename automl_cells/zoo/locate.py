"""Where the shelf is, and how a user's word becomes an entry."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from automl_cells.errors import ZooError
from automl_cells.zoo.entry import MODEL, Entry
from automl_cells.zoo.shelf import Shelf, entry_folder, holds_entry

VARIABLE = "AUTOML_CELLS_ZOO"


def default_shelf() -> Shelf:
    """The folder in the environment variable ``AUTOML_CELLS_ZOO``; else ``zoo/`` of the checkout; else the user's own.

    The last is the data folder of the user, e.g. ``~/.local/share/automl_cells/zoo`` on Linux.
    """
    if os.environ.get(VARIABLE):
        return Shelf(Path(os.environ[VARIABLE]).expanduser())
    root = Path(__file__).resolve().parents[2]
    # setup files stand beside the package in a checkout only: in site-packages a folder `zoo` may be anybody's
    if (root / "zoo").is_dir() and any((root / name).is_file() for name in ("pyproject.toml", "setup.py")):
        return Shelf(root / "zoo")
    return Shelf(Path(platformdirs.user_data_dir("automl_cells", appauthor=False)) / "zoo")


def resolve(run_or_entry: str | Path, shelf: Shelf | None = None) -> Entry:
    """The entry that a word on the command line means.

    Args:
        run_or_entry: the folder of a finished training run, the folder of an entry, or ``name``, ``name/tag`` or
            ``name/tag-vN`` on a shelf.
        shelf: the shelf; by default `default_shelf`.

    Raises:
        ZooError: none of these.
    """
    folder = Path(run_or_entry)
    if holds_entry(folder):
        return Entry.read(entry_folder(folder))
    try:
        return (shelf or default_shelf()).find(str(run_or_entry))
    except ZooError as error:
        if folder.exists():
            raise ZooError(
                f"Expected the folder of a training run or of an entry, with {MODEL}. Received: {run_or_entry}"
            ) from None
        if len(Path(run_or_entry).parts) > 2:  # no address has so many
            raise ZooError(
                f"Expected the folder of a training run or of an entry, or an address name/tag-vN. "
                f"Received: {run_or_entry} (no such folder)"
            ) from None
        raise ZooError(f"Expected a run, the folder of an entry, or an address: {error}") from None
