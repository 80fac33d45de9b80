"""A shelf in a store: read through a local cache, so that what was pulled once is there without a network."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from automl_cells.errors import ZooError
from automl_cells.files import write_atomically
from automl_cells.zoo.address import Address, Query
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.manifest import INDEX, MAX_DOCUMENT_BYTES, Index, IndexItem, parse_document, read_document
from automl_cells.zoo.remote.cache import OFFLINE_VARIABLE, offline, store_folder
from automl_cells.zoo.remote.download import Progress
from automl_cells.zoo.remote.entry_cache import EntryCache, check_derived_here
from automl_cells.zoo.remote.publishing import add_derived, publish, update_index
from automl_cells.zoo.remote.store import MissingError, Patience, Store, check_scheme, open_store
from automl_cells.zoo.remote.verify import verify_remote
from automl_cells.zoo.shelf import Publication
from automl_cells.zoo.verify import Problem

# `RemoteShelf.list` hides the built-in in the annotations of its class
Items = list[IndexItem]
Problems = list[Problem]
Addresses = list[Address]


class RemoteShelf:
    """A shelf at an address such as https://host/zoo, s3://bucket/zoo or hf://datasets/user/zoo.

    An address with a version is answered from the cache if it is there, without asking the store: a version never
    changes. Any other question asks the index. Where ``AUTOML_CELLS_OFFLINE`` is set, both come from the cache.

    Args:
        address: with a scheme that is not that of local files.
        options: arguments of the fsspec file system, e.g. ``{"anon": True}``; most are better set in its environment.
        cache: another folder than `automl_cells.zoo.remote.cache.cache_folder`.
        patience: how long to wait for the store.

    Attributes:
        place: the address.
        folder: where in the cache its entries lie.

    Example:
        ```python
        shelf = open_shelf("https://example.org/zoo")
        model = shelf.find("blockqnn_mnist/mnist-v1").load_model()
        ```
    """

    def __init__(
        self,
        address: str,
        *,
        options: Mapping[str, Any] | None = None,
        cache: str | Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.place = address.rstrip("/")
        self.folder = store_folder(self.place, None if cache is None else Path(cache))
        self._cache = EntryCache(self.folder)
        self._options = options
        self._patience = patience or Patience()
        self._store: Store | None = None
        if not offline():  # then what is in the cache needs no package
            check_scheme(self.place)

    @property
    def store(self) -> Store:
        """The store itself, opened when it is first needed.

        Raises:
            ZooError: offline, or the address is not one of a store.
        """
        if offline():
            raise ZooError(f"Expected to be allowed to ask {self.place}. Received: {OFFLINE_VARIABLE} is set")
        if self._store is None:
            self._store = open_store(self.place, self._patience, self._options)
        return self._store

    def list(self) -> Items:
        """What the index says stands here, by address; offline, what it said last.

        Raises:
            ZooError: the store cannot be reached, has no index or one that is not valid.
        """
        path = self.folder / INDEX
        if offline():
            if not path.is_file():
                raise ZooError(
                    f"Expected the index of {self.place} in the cache, since {OFFLINE_VARIABLE} is set. "
                    f"Received: none in {self.folder}"
                )
            index = read_document(path, Index)
        else:
            try:
                content = self.store.read(INDEX, MAX_DOCUMENT_BYTES)
            except MissingError:
                raise MissingError(f"Expected a shelf, with {INDEX}. Received: {self.place}, without one") from None
            index = parse_document(content, Index, f"{self.place}/{INDEX}")
            with suppress(OSError):  # a cache that cannot be written to is no reason not to read the store
                write_atomically(path, content)
        return sorted(index.entries, key=lambda item: item.address)

    def addresses(self) -> Addresses:
        """The addresses in the index, in order."""
        return [item.address for item in self.list()]

    def find(self, query: str, progress: Progress | None = None) -> Entry:
        """The entry at ``name/tag-vN``, the newest version of ``name/tag``, or the newest entry of ``name``.

        It is pulled into the cache unless it is there.

        Args:
            query: which.
            progress: is told of the bytes that come.

        Raises:
            ZooError: not an address, nothing there, a store that cannot be reached, or files that are not as they were
                published: the entry does not reach the cache then.
        """
        wanted = Query.parse(query)
        if wanted.tag is not None and wanted.version is not None:
            here = self._cache.get(Address(wanted.name, wanted.tag, wanted.version))
            if here is not None:
                return here
        items = self.list()
        found = [item for item in items if wanted.matches(item.address)]
        if not found:
            there = ", ".join(str(item.address) for item in items if item.name == wanted.name) or "none of that name"
            raise ZooError(f"Expected an entry on the shelf {self.place} (there: {there}). Received: {query}")
        item = max(found, key=lambda item: (item.published, item.version))
        if not offline():
            return self._cache.pull(self.store, item, progress)
        entry = self._cache.get(item.address)
        if entry is None:
            raise ZooError(
                f"Expected {item.address} in the cache, since {OFFLINE_VARIABLE} is set. "
                f"Received: none that is whole in {self.folder}"
            )
        return self._cache.check(entry, item, self.place)

    def with_derived(self, entry: Entry, progress: Progress | None = None) -> Entry:
        """Bring the derived files of an entry that `find` gave into its folder in the cache; offline, look for them.

        Raises:
            ZooError: there are none, they belong to other weights, or a file is not as the list says.
        """
        if offline():
            check_derived_here(entry)
        else:
            self._cache.pull_derived(self.store, entry, progress)
        return entry

    def publish(
        self,
        run_folder: str | Path,
        name: str | None = None,
        tag: str | None = None,
        version: int | None = None,
        changes: str | None = None,
        progress: Progress | None = None,
    ) -> Publication:
        """Put the entry of a training run on the shelf, see `automl_cells.zoo.remote.publishing.publish`."""
        return publish(self.store, run_folder, name, tag, version, changes, progress)

    def add_derived(self, entry: Entry, address: Address | None = None, progress: Progress | None = None) -> None:
        """Put the derived files of an entry beside it, see `automl_cells.zoo.remote.publishing.add_derived`."""
        add_derived(self.store, entry, address, progress)

    def reindex(self) -> Items:
        """Add to the index every whole entry that it lacks; what it has stays.

        Raises:
            ZooError: the store cannot be written to, or its index is not valid.
        """
        update_index(self.store)
        return self.list()

    def verify(self, query: str | None = None) -> Problems:
        """Read every file in the store again and hold it against its manifest, and the manifests against the index.

        Nothing is kept of what is read, and the cache is not looked at.

        Args:
            query: an address whose open parts stand for all; by default the whole shelf.

        Returns:
            What is damaged, missing or invalid; empty if all is well.

        Raises:
            ZooError: not an address, nothing there, or a store that cannot be reached.
        """
        wanted = None if query is None else Query.parse(query)
        items = [item for item in self.list() if wanted is None or wanted.matches(item.address)]
        if wanted is not None and not items:
            raise ZooError(f"Expected an entry on the shelf {self.place}. Received: {query}")
        return [problem for item in items for problem in verify_remote(self.store, item)]
