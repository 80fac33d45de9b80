"""A shelf: a folder of published entries, ``<name>/<tag>-v<N>/``, that nobody may change, and an index of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import filelock

from automl_cells.errors import ZooError
from automl_cells.export.digests import sha256_of_file
from automl_cells.zoo.address import Address, Query, check_word
from automl_cells.zoo.copying import copied, move_derived
from automl_cells.zoo.entry import MODEL, Entry
from automl_cells.zoo.indexing import Content, Documents, check_structure, check_version, content
from automl_cells.zoo.manifest import INDEX, MANIFEST, Index, IndexItem, Manifest, read_document, write_document
from automl_cells.zoo.publishing import changes_line, finish, records, remove_leftovers, staged
from automl_cells.zoo.verify import Problem, verify_entry

# `Shelf.list` hides the built-in in the annotations of its class
Items = list[IndexItem]
Problems = list[Problem]
Addresses = list[Address]

LOCK = ".lock"
LOCK_SECONDS = 60.0


class Publication(NamedTuple):
    """What `Shelf.publish` did.

    Attributes:
        address: where the entry stands.
        place: its folder, or its address in the store.
        created: ``False`` if the same files stood there already, and nothing was written.
    """

    address: Address
    place: str
    created: bool

    @property
    def folder(self) -> Path:
        """The folder of the entry, on a shelf in a folder."""
        return Path(self.place)


class Shelf:
    """A shelf in a local folder, which need not exist yet.

    Example:
        ```python
        shelf = Shelf("zoo")
        address = shelf.publish("runs/digits").address       # blockqnn_digits/digits-v1
        model = shelf.find("blockqnn_digits").load_model()
        ```
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def place(self) -> str:
        """Where the shelf is, for people to read."""
        return str(self.folder)

    def list(self) -> Items:
        """What the index says stands here, by address; without an index, what the folders say.

        Raises:
            ZooError: the index is not valid. `reindex` makes it anew.
        """
        path = self.folder / INDEX
        items = read_document(path, Index).entries if path.exists() else self._scan()
        return sorted(items, key=lambda item: item.address)

    def find(self, query: str) -> Entry:
        """The entry at ``name/tag-vN``, the newest version of ``name/tag``, or the newest entry of ``name``.

        Raises:
            ZooError: not an address, nothing there, or an entry that cannot be read.
        """
        wanted = Query.parse(query)
        items = self.list()
        found = [item for item in items if wanted.matches(item.address)]
        if not found:
            there = ", ".join(str(item.address) for item in items if item.name == wanted.name) or "none of that name"
            raise ZooError(f"Expected an entry on the shelf {self.folder} (there: {there}). Received: {query}")
        newest = max(found, key=lambda item: (item.published, item.version))
        entry = Entry.read(self._path(newest.address))
        if entry.address != newest.address:
            raise ZooError(f"Expected the manifest of {newest.address}. Received: that of {entry.address}")
        return entry

    def publish(
        self,
        run_folder: str | Path,
        name: str | None = None,
        tag: str | None = None,
        version: int | None = None,
        changes: str | None = None,
    ) -> Publication:
        """Put the entry of a training run on the shelf, as the version after the highest one.

        Files that stand here already under this name and tag are not published twice. The new version appears whole or
        not at all: it is staged in a hidden folder and renamed, and the index is replaced last.

        Args:
            run_folder: a training run (with ``entry/`` in it) or an entry folder.
            name: the structure; by default the name in ``model.json``.
            tag: the data; by default the tag in ``model.json``.
            version: the version that it must become, for scripts that must not publish anything else.
            changes: a line on how it differs from the version before.

        Raises:
            ZooError: not an entry, weights that do not fit, a name or tag that is not of a-z, 0-9 and '_', a name that
                means another structure, a version that does not follow, or a shelf that another process keeps locked.
        """
        entry = Entry.read(entry_folder(run_folder))
        name = check_word(name or entry.name, "name")
        tag = check_word(tag or entry.tag, "tag")
        changes = changes_line(changes)
        entry.load_model()  # what cannot be loaded must not be published
        with self._locked():
            remove_leftovers(self.folder)
            check_structure(name, Documents.of(entry), self._of_name(name))
            with staged(entry, name, tag, self.folder / name) as stage:
                files = records(stage)
                versions = [address for address in self.addresses() if (address.name, address.tag) == (name, tag)]
                for address in reversed(versions):
                    if self._content(address) == files and version in (None, address.version):
                        self._write_index()
                        return Publication(address, str(self._path(address)), created=False)
                following = 1 + max((address.version for address in versions), default=0)
                check_version(version, following, versions)
                address = Address(name, tag, following)
                before = [item for item in self._scan() if (item.name, item.tag) == (name, tag)]
                finish(stage, files, address, changes, before)
                stage.rename(self._path(address))
            self._write_index()
        return Publication(address, str(self._path(address)), created=True)

    def add(self, entry: Entry, derived: bool = False) -> Publication:
        """Put a published entry of another shelf here, under the same address and byte for byte the same.

        Args:
            entry: the entry, with a manifest.
            derived: bring the derived files too, in place of those that are here.

        Raises:
            ZooError: an entry that was not published or is damaged, other files at its address, a name that means
                another structure here, or a shelf that another process keeps locked.
        """
        address = entry.address
        if address is None:
            raise ZooError(f"Expected an entry that was published. Received: {entry.folder}, without {MANIFEST}")
        place = self._path(address)
        with self._locked():
            remove_leftovers(self.folder)
            check_structure(address.name, Documents.of(entry), self._of_name(address.name))
            with copied(entry, derived, place.parent) as stage:
                if created := not place.exists():
                    stage.rename(place)
                elif self._content(address) != content(read_document(stage / MANIFEST, Manifest)):
                    raise ZooError(
                        f"Expected the files of {address} as they stand on the shelf {self.folder}: no version ever "
                        f"changes. Received: other files, from {entry.folder}"
                    )
                elif derived:
                    move_derived(stage, place)
            self._write_index()
        return Publication(address, str(place), created)

    def verify(self, query: str | None = None) -> Problems:
        """Read every file again and hold it against its manifest, and the manifests against the index.

        Args:
            query: an address whose open parts stand for all; by default the whole shelf.

        Returns:
            What is damaged, missing, extra or invalid, and where index and folders disagree; empty if all is well.

        Raises:
            ZooError: not an address, or nothing there.
        """
        present = self.addresses()
        wanted = None if query is None else Query.parse(query)
        chosen = [address for address in present if wanted is None or wanted.matches(address)]
        problems = [problem for address in chosen for problem in verify_entry(self._path(address))]
        try:
            indexed = {item.address: item for item in self.list()}
        except ZooError as error:
            return [*problems, Problem("the shelf", INDEX, "invalid", str(error))]
        lost = [address for address in indexed if address not in present and (not wanted or wanted.matches(address))]
        if wanted is not None and not chosen and not lost:
            raise ZooError(f"Expected an entry on the shelf {self.folder}. Received: {query}")
        problems += [Problem(str(address), INDEX, "index", "in the index, but there is no folder") for address in lost]
        for address in chosen:
            manifest = self._path(address) / MANIFEST
            if address not in indexed:
                problems.append(Problem(str(address), INDEX, "index", "a folder that is not in the index"))
            elif manifest.is_file() and sha256_of_file(manifest) != indexed[address].manifest_sha256:
                problems.append(Problem(str(address), MANIFEST, "damaged", "not the manifest that the index names"))
        return problems

    def reindex(self) -> Items:
        """Make the index anew from the folders; entries that cannot be read are left out (`verify` names them).

        Raises:
            ZooError: another process keeps the shelf locked.
        """
        with self._locked():
            self._write_index()
        return self.list()

    def addresses(self) -> Addresses:
        """The addresses of all folders on the shelf, indexed or not, in order."""
        found = []
        for path in self.folder.glob("*/*-v*"):
            try:
                address = Address.parse(f"{path.parent.name}/{path.name}")
            except ZooError:
                continue  # a folder with another purpose
            if path.is_dir() and not path.is_symlink():
                found.append(address)
        return sorted(found)

    def _path(self, address: Address) -> Path:
        return self.folder / address.name / f"{address.tag}-v{address.version}"

    def _content(self, address: Address) -> Content | None:
        """See `content`; ``None`` if the manifest is damaged."""
        try:
            return content(read_document(self._path(address) / MANIFEST, Manifest))
        except ZooError:
            return None

    def _of_name(self, name: str) -> Iterator[tuple[str, Documents]]:
        """What stands here under a name; what cannot be read is left out."""
        for address in self.addresses():
            if address.name == name:
                try:
                    yield str(address), Documents.of(Entry.read(self._path(address)))
                except ZooError:
                    continue

    def _scan(self) -> Items:
        items = []
        for address in self.addresses():
            folder = self._path(address)
            try:
                entry = Entry.read(folder)
            except ZooError:
                continue
            if entry.manifest is not None and entry.manifest.address == address:
                items.append(Documents.of(entry).index_item(entry.manifest, sha256_of_file(folder / MANIFEST)))
        return items

    def _write_index(self) -> None:
        write_document(self.folder / INDEX, Index(entries=tuple(self._scan())))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.folder / LOCK, timeout=LOCK_SECONDS):
                yield
        except filelock.Timeout:
            raise ZooError(
                f"Expected to lock the shelf {self.folder} within {LOCK_SECONDS:g} s. "
                "Received: another process holds it"
            ) from None


def holds_entry(folder: Path) -> bool:
    """Whether `folder` is, by the names in it, a training run or an entry, if perhaps an unfinished or damaged one."""
    return any((folder / name).exists() for name in ("entry", "checkpoints", MODEL))


def entry_folder(run_or_entry: str | Path) -> Path:
    """The folder of the entry: that of a training run (``RUN/entry``), or `run_or_entry` itself.

    Raises:
        ZooError: no such folder, or a run whose training has not finished.
    """
    folder = Path(run_or_entry)
    if (folder / "entry").is_dir():
        return folder / "entry"
    if not folder.is_dir():
        raise ZooError(f"Expected the folder of a training run or of an entry. Received: {folder}")
    if (folder / "checkpoints").is_dir():
        raise ZooError(f"Expected a training run that has finished. Received: {folder}, without entry/")
    return folder
