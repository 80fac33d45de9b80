"""Where the shelf is, and how a user's word becomes an entry."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import platformdirs

from automl_cells.errors import ZooError
from automl_cells.zoo.entry import MODEL, Entry
from automl_cells.zoo.manifest import INDEX
from automl_cells.zoo.remote.shelf import RemoteShelf
from automl_cells.zoo.remote.store import UnreachableError, scheme_of
from automl_cells.zoo.shelf import Shelf, entry_folder, holds_entry

VARIABLE = "AUTOML_CELLS_ZOO"
INSTALLED = "share/automl_cells/shelf"
"""Where setup.py puts the shelf, below the prefix of the installation. Not "zoo": with `pip install --user` that would
be the user's own shelf, whose index an installation must not replace."""


def open_shelf(address: str | Path) -> Shelf | RemoteShelf:
    """The shelf at an address.

    Args:
        address: a folder, ``file://…``, or an address such as ``https://host/zoo``, ``s3://bucket/zoo``,
            ``gs://bucket/zoo`` or ``hf://datasets/user/zoo``: whatever fsspec knows.

    Raises:
        ZooError: not an address, or a scheme that is unknown or whose package is missing.
    """
    if isinstance(address, Path):
        return Shelf(address)
    scheme = scheme_of(address)
    if scheme is None:
        if not address or Path(address).expanduser().is_file():
            raise ZooError(f"Expected a folder or the address of a store. Received: {address!r:.200}")
        return Shelf(Path(address).expanduser())
    if scheme in ("file", "local"):
        path = address.partition("://")[2]
        if not path.startswith("/"):
            raise ZooError(f"Expected file:// with the full path of a folder. Received: {address!r:.200}")
        return Shelf(unquote(path).lstrip("/") if os.name == "nt" else unquote(path))
    return RemoteShelf(address)


def default_shelf() -> Shelf | RemoteShelf:
    """The shelf that is meant where none is named.

    The folder or address in the environment variable ``AUTOML_CELLS_ZOO``; else ``zoo/`` of the checkout; else the
    shelf that was installed with this release; else the user's own, e.g. ``~/.local/share/automl_cells/zoo`` on Linux.

    Raises:
        ZooError: see `open_shelf`.
    """
    if os.environ.get(VARIABLE):
        return open_shelf(os.environ[VARIABLE])
    root = Path(__file__).resolve().parents[2]
    # setup files stand beside the package in a checkout only: in site-packages a folder `zoo` may be anybody's
    if (root / "zoo").is_dir() and any((root / name).is_file() for name in ("pyproject.toml", "setup.py")):
        return Shelf(root / "zoo")
    if (installed := _installed(root)) is not None:
        return Shelf(installed)
    return Shelf(Path(platformdirs.user_data_dir("automl_cells", appauthor=False)) / "zoo")


def _installed(root: Path) -> Path | None:
    """The folder of the shelf that came in the wheel of the package in `root`, e.g. site-packages."""
    from importlib.metadata import distributions  # costs as much as the rest of this module

    wanted = PurePosixPath(INSTALLED, INDEX)
    candidates = [root / wanted]  # where `pip install --target` puts it, which the record of files does not say
    for distribution in distributions(name="automl_cells", path=[str(root)]):
        for file in distribution.files or ():
            if file.parts[-len(wanted.parts) :] == wanted.parts:
                candidates.append(Path(str(distribution.locate_file(file))))
    return next((path.resolve().parent for path in candidates if path.is_file()), None)


def resolve(run_or_entry: str | Path, shelf: Shelf | RemoteShelf | None = None) -> Entry:
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
    except UnreachableError:  # the word may be right
        raise
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
