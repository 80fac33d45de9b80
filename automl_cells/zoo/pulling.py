"""Getting an entry from wherever it is published to this machine."""

from __future__ import annotations

from pathlib import Path

from automl_cells.errors import ZooError
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.locate import open_shelf
from automl_cells.zoo.remote.download import Progress
from automl_cells.zoo.remote.entry_cache import check_derived_here
from automl_cells.zoo.remote.shelf import RemoteShelf
from automl_cells.zoo.shelf import Shelf
from automl_cells.zoo.verify import check_files


def pull(
    query: str,
    source: str | Path | Shelf | RemoteShelf,
    to: str | Path | Shelf | None = None,
    derived: bool = False,
    progress: Progress | None = None,
) -> Entry:
    """The entry, with every file on this machine and checked.

    Args:
        query: ``name/tag-vN``, or ``name/tag`` or ``name`` for the newest.
        source: the shelf that it is on, or the address or folder of it.
        to: a shelf in a folder that gets a copy under the same address; without it the entry stays where it is found:
            in the cache, or on a `source` in a folder.
        derived: bring SavedModel and ONNX files too, which must be there.
        progress: is told how many bytes have come, of how many.

    Returns:
        The entry where it lies now.

    Raises:
        ZooError: nothing there, a store that cannot be reached, files that are not as they were published, or other
            files at the same address of `to`.

    Example:
        ```python
        entry = pull("blockqnn_mnist/mnist", "https://example.org/zoo", to="my_shelf")
        ```
    """
    shelf = source if isinstance(source, Shelf | RemoteShelf) else open_shelf(source)
    target = to if isinstance(to, Shelf) or to is None else open_shelf(to)
    if isinstance(target, RemoteShelf):
        raise ZooError(f"Expected a folder to pull to; zoo publish puts entries into stores. Received: {target.place}")
    if isinstance(shelf, RemoteShelf):
        entry = shelf.find(query, progress)
        if derived:
            shelf.with_derived(entry, progress)
    else:
        entry = shelf.find(query)
        if entry.manifest is not None and (problems := check_files(entry.folder, entry.manifest.files)):
            raise ZooError(f"Expected the files of {entry.address} as published. Received: {problems[0]}")
        if derived:
            check_derived_here(entry)
    return entry if target is None else Entry.read(target.add(entry, derived).folder)
