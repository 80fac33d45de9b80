"""What a store holds at the moment, indexed or not: publishers go by it, readers by the index alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from automl_cells.errors import ZooError
from automl_cells.zoo.address import Address
from automl_cells.zoo.entry import GENOTYPE, METRICS, MODEL
from automl_cells.zoo.indexing import Documents
from automl_cells.zoo.manifest import INDEX, MANIFEST, MAX_DOCUMENT_BYTES, Index, IndexItem, Manifest, parse_document
from automl_cells.zoo.remote.store import MissingError, Store, UnreachableError

_FILE = re.compile(r"([^/]+/[^/]+)/(.+)")

Folders = dict[Address, dict[str, int]]


class Standing(NamedTuple):
    """What a store holds.

    Attributes:
        folders: the files of each entry, whole or not, with sizes.
        items: the lines that the index should have: those that it has, and those of whole entries that it lacks.
        indexed: the lines that it has.
    """

    folders: Folders
    items: dict[Address, IndexItem]
    indexed: tuple[IndexItem, ...]

    def versions(self, name: str, tag: str) -> list[Address]:
        """The versions that are whole, in order."""
        return sorted(address for address in self.items if (address.name, address.tag) == (name, tag))

    def taken(self, name: str, tag: str) -> list[Address]:
        """The versions whose number is taken, by whole entries and by uploads, in order."""
        return sorted(a for a in {*self.items, *self.folders} if (a.name, a.tag) == (name, tag))


def read_standing(store: Store) -> Standing:
    """What `store` holds.

    Raises:
        ZooError: the store cannot be listed or reached, or its index is not valid.
    """
    try:
        written = store.read(INDEX, MAX_DOCUMENT_BYTES)
        indexed = parse_document(written, Index, f"{store.address}/{INDEX}").entries
    except MissingError:
        indexed = ()
    folders = list_folders(store)
    items = {item.address: item for item in indexed}
    for address, sizes in folders.items():
        if address not in items and MANIFEST in sizes:
            item = _item(store, address, sizes)
            if item is not None:
                items[address] = item
    return Standing(folders, items, indexed)


def list_folders(store: Store) -> Folders:
    """The files of each entry, whole or not, with sizes."""
    folders: Folders = {}
    for path, size in store.listing().items():
        if match := _FILE.fullmatch(path):
            with suppress(ZooError):  # a folder with another purpose
                folders.setdefault(Address.parse(match[1]), {})[match[2]] = size
    return folders


def read_manifest(store: Store, address: Address) -> Manifest | None:
    """The manifest of an entry; ``None`` if there is none.

    Raises:
        ZooError: it is not valid, or the store cannot be reached.
    """
    path = f"{address.folder}/{MANIFEST}"
    try:
        return parse_document(store.read(path, MAX_DOCUMENT_BYTES), Manifest, f"{store.address}/{path}")
    except MissingError:
        return None


def first_of(store: Store, standing: Standing, name: str) -> Iterator[tuple[str, Documents]]:
    """The first entry of a name; all others were held against it when they were published.

    Raises:
        ZooError: it is damaged, or the store cannot be reached.
    """
    published = sorted((item.published, item.address) for item in standing.items.values() if item.name == name)
    for _, address in published[:1]:
        manifest = read_manifest(store, address)
        if manifest is not None:
            yield str(address), _documents(store, manifest)


def _item(store: Store, address: Address, sizes: Mapping[str, int]) -> IndexItem | None:
    """The line of the index about an entry that the index lacks; ``None`` if the entry is not whole or not valid."""
    try:
        written = store.read(f"{address.folder}/{MANIFEST}", MAX_DOCUMENT_BYTES)
        manifest = parse_document(written, Manifest, f"{store.address}/{address.folder}/{MANIFEST}")
        whole = all(sizes.get(name) == record.bytes for name, record in manifest.files.items())
        if manifest.address != address or not whole:
            return None
        return _documents(store, manifest).index_item(manifest, hashlib.sha256(written).hexdigest())
    except UnreachableError:
        raise
    except ZooError:
        return None


def _documents(store: Store, manifest: Manifest) -> Documents:
    """The small files of an entry, each with the hash that the manifest says."""
    contents = {}
    for name in (GENOTYPE, MODEL, METRICS):
        path = f"{manifest.address.folder}/{name}"
        contents[name] = store.read(path, MAX_DOCUMENT_BYTES)
        found = hashlib.sha256(contents[name]).hexdigest()
        if name not in manifest.files or manifest.files[name].sha256 != found:
            raise ZooError(f"Expected {store.address}/{path} as its manifest says. Received: SHA-256 {found}")
    return Documents.parse(contents, f"{store.address}/{manifest.address.folder}")
