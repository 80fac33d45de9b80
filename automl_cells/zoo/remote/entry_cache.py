"""The entries of one store that lie in the cache: checked when they are used, pulled whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from pathlib import Path

import filelock

from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.files import write_atomically
from automl_cells.zoo.address import Address
from automl_cells.zoo.copying import check_derived, move_derived, read_derived
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.manifest import (
    DERIVED,
    MANIFEST,
    MAX_DOCUMENT_BYTES,
    Derived,
    IndexItem,
    Manifest,
    parse_document,
)
from automl_cells.zoo.publishing import STAGED
from automl_cells.zoo.remote.cache import OFFLINE_VARIABLE, offline
from automl_cells.zoo.remote.download import Progress, download_files
from automl_cells.zoo.remote.store import MissingError, Store
from automl_cells.zoo.verify import check_files


class EntryCache:
    """The folder of one store in the cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, address: Address) -> Path:
        """Where an entry lies, if it is here."""
        return self.folder / address.folder

    def get(self, address: Address) -> Entry | None:
        """An entry that is here, whole and as it was published; every file is read and hashed."""
        folder = self.path(address)
        if not (folder / MANIFEST).is_file():
            return None
        try:
            entry = Entry.read(folder)
        except ZooError:
            return None
        if entry.manifest is None or entry.address != address or check_files(folder, entry.manifest.files):
            return None
        return entry

    def check(self, entry: Entry, item: IndexItem, place: str) -> Entry:
        """The entry, if it is the one that a line of the index means.

        Raises:
            ZooError: the store has changed what it published.
        """
        found = sha256_of_file(entry.folder / MANIFEST)
        if found != item.manifest_sha256:
            raise ZooError(
                f"Expected {item.address} as it was when it was pulled, SHA-256 of its manifest {found}: a version "
                f"never changes. Received: {item.manifest_sha256} from {place}; if that is meant, remove {entry.folder}"
            )
        return entry

    def pull(self, store: Store, item: IndexItem, progress: Progress | None) -> Entry:
        """The entry of a line of the index, downloaded unless it is here; what is here and damaged is replaced.

        Only one thread or process at a time downloads an entry; the others wait and find it here.

        Raises:
            ZooError: the store cannot be reached, or a file is not as it was published. What was downloaded so far
                stays in a hidden folder, for the next attempt to go on.
        """
        address, folder = item.address, self.path(item.address)
        where = f"{store.address}/{address.folder}/{MANIFEST}"
        with self._locked(address):
            if (entry := self.get(address)) is not None:
                return self.check(entry, item, store.address)
            content = store.read(f"{address.folder}/{MANIFEST}", MAX_DOCUMENT_BYTES)
            if (digest := hashlib.sha256(content).hexdigest()) != item.manifest_sha256:
                raise ZooError(
                    f"Expected {where} with SHA-256 {item.manifest_sha256}, as the index says. Received: {digest}"
                )
            manifest = parse_document(content, Manifest, where)
            if manifest.address != address:
                raise ZooError(f"Expected the manifest of {address}. Received: that of {manifest.address}")
            partial = folder.with_name(STAGED + folder.name)
            if not (partial / MANIFEST).is_file() or (partial / MANIFEST).read_bytes() != content:
                shutil.rmtree(partial, ignore_errors=True)
                write_atomically(partial / MANIFEST, content)
            download_files(store, address.folder, manifest.files, partial, progress)
            try:
                Entry.read(partial)
            except ZooError:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            if folder.exists():  # damaged, or it would have been found above
                dropped = folder.with_name(f"{STAGED}{uuid.uuid4().hex}")
                folder.rename(dropped)
                shutil.rmtree(dropped, ignore_errors=True)
            partial.rename(folder)
            return Entry.read(folder)

    def pull_derived(self, store: Store, entry: Entry, progress: Progress | None) -> None:
        """Bring the derived files of an entry that is here, unless those that the store has are here.

        Raises:
            ZooError: there are none, they belong to other weights, or a file is not as the list says.
        """
        manifest = entry.manifest
        if manifest is None or entry.folder != self.path(manifest.address):
            raise ZooError(f"Expected an entry pulled from {store.address}. Received: {entry.folder}")
        address = manifest.address
        try:
            content = store.read(f"{address.folder}/{DERIVED}", MAX_DOCUMENT_BYTES)
        except MissingError:
            raise MissingError(
                f"Expected derived files of {address}; automl-cells zoo build makes them. Received: {store.address}, "
                "without them"
            ) from None
        derived = parse_document(content, Derived, f"{store.address}/{address.folder}/{DERIVED}")
        check_derived(derived, manifest)
        with self._locked(address):
            here = entry.folder / DERIVED
            if here.is_file() and here.read_bytes() == content and not check_files(entry.folder, derived.files):
                return
            partial = entry.folder.with_name(f"{STAGED}derived-{entry.folder.name}")
            partial.mkdir(exist_ok=True)
            download_files(store, address.folder, derived.files, partial, progress)
            write_atomically(partial / DERIVED, content)
            move_derived(partial, entry.folder)
            shutil.rmtree(partial, ignore_errors=True)

    def _locked(self, address: Address) -> filelock.BaseFileLock:
        """Waited for without a limit: a holder goes on, gives up when the store is silent, or dies and lets go."""
        folder = self.path(address)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder.with_name(f".{folder.name}.lock"))


def check_derived_here(entry: Entry) -> None:
    """Refuse an entry without the derived files that its list names; what offline stands for pulling them.

    Raises:
        ZooError: there is no list, or one of them is not as it says.
    """
    if entry.manifest is None:
        raise ZooError(f"Expected an entry that was published. Received: {entry.folder}, without {MANIFEST}")
    if problems := check_files(entry.folder, read_derived(entry.folder, entry.manifest).files):
        because = f", since {OFFLINE_VARIABLE} is set" if offline() else ""
        raise ZooError(f"Expected the derived files of {entry.address} here{because}. Received: {problems[0]}")
