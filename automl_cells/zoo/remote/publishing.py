"""Publishing to a store that others publish to as well, so that no reader ever sees half an entry.

    <name>/<tag>-v<N>/.claim         first: whose upload it is. It is created, never replaced: there is one winner.
    <name>/<tag>-v<N>/<file>         then the files
    <name>/<tag>-v<N>/manifest.json  then the manifest, created as well: from here on the version is taken for good
    index.json                       last. Readers go by it alone.

A publisher that is killed leaves a claim. The same files published again go on under it; other files get the next
number, and the one claimed stays unused: nobody can know whether its publisher is dead or slow.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from automl_cells.errors import ZooError
from automl_cells.zoo.address import Address, check_word
from automl_cells.zoo.copying import read_derived
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.indexing import Documents, check_structure, check_version, content
from automl_cells.zoo.manifest import (
    DERIVED,
    INDEX,
    MANIFEST,
    MAX_DOCUMENT_BYTES,
    Derived,
    Index,
    parse_document,
    serialize,
)
from automl_cells.zoo.publishing import changes_line, finish, records, staged
from automl_cells.zoo.remote.download import Progress
from automl_cells.zoo.remote.standing import Standing, first_of, list_folders, read_manifest, read_standing
from automl_cells.zoo.remote.store import MissingError, Store
from automl_cells.zoo.shelf import Publication, entry_folder
from automl_cells.zoo.verify import check_files

CLAIM = ".claim"
_TRIES = 20


class _LostError(Exception):
    """Another publisher has the version."""


def publish(
    store: Store,
    run_folder: str | Path,
    name: str | None = None,
    tag: str | None = None,
    version: int | None = None,
    changes: str | None = None,
    progress: Progress | None = None,
) -> Publication:
    """Put the entry of a training run into the store, as the version after the highest one.

    Args:
        store: where.
        run_folder: a training run (with ``entry/`` in it) or an entry folder.
        name: the structure; by default the name in ``model.json``.
        tag: the data; by default the tag in ``model.json``.
        version: the version that it must become.
        changes: a line on how it differs from the version before.
        progress: is told of the bytes that go.

    Raises:
        ZooError: as `automl_cells.zoo.Shelf.publish`, or the store cannot be reached or written to.
    """
    entry = Entry.read(entry_folder(run_folder))
    name = check_word(name or entry.name, "name")
    tag = check_word(tag or entry.tag, "tag")
    changes = changes_line(changes)
    _check_writable(store)
    entry.load_model()  # what cannot be loaded must not be published
    for _ in range(_TRIES):
        with tempfile.TemporaryDirectory() as scratch, staged(entry, name, tag, Path(scratch) / name) as stage:
            try:
                return _publish(store, stage, name, tag, version, changes, progress)
            except _LostError:
                continue
    raise ZooError(f"Expected a version of {name}/{tag} in {store.address}. Received: others came first, every time")


def add_derived(store: Store, entry: Entry, address: Address | None = None, progress: Progress | None = None) -> None:
    """Upload what `automl_cells.zoo.build_entry` has made of an entry; the list of it comes last.

    Args:
        store: a store with the entry.
        entry: a local entry of the same weights, e.g. in the cache or of the training run, with its derived files.
        address: where it stands in the store; by default the entry's own address.
        progress: is told of the bytes that go.

    Raises:
        ZooError: the store does not have this entry, or the derived files are missing, damaged or of other weights.
    """
    address = address or entry.address
    if address is None:
        raise ZooError(f"Expected an entry that was published. Received: {entry.folder}, without {MANIFEST}")
    _check_writable(store)
    folder = address.folder
    manifest = read_manifest(store, address)
    if manifest is None:
        raise ZooError(f"Expected {address} in {store.address} before its derived files. Received: nothing there")
    derived = read_derived(entry.folder, manifest)
    if problems := check_files(entry.folder, derived.files):
        raise ZooError(f"Expected the derived files that {DERIVED} lists. Received: {problems[0]}")
    before: set[str] = set()
    with suppress(ZooError):  # none yet, or none that can be read
        listed = store.read(f"{folder}/{DERIVED}", MAX_DOCUMENT_BYTES)
        before = set(parse_document(listed, Derived, f"{store.address}/{folder}/{DERIVED}").files)
    _upload(store, entry.folder, folder, {name: record.bytes for name, record in derived.files.items()}, progress)
    store.write(f"{folder}/{DERIVED}", (entry.folder / DERIVED).read_bytes())
    for name in sorted(before - set(derived.files) - set(manifest.files)):
        store.remove(f"{folder}/{name}")


def update_index(store: Store) -> None:
    """Add to the index every whole entry that it lacks, and look again until it lacks none.

    Two publishers that write the index at once may each overwrite the other's line; who writes last also looks last,
    and brings back what was lost.

    Raises:
        ZooError: the store cannot be reached or written to, or its index is not valid.
    """
    for _ in range(_TRIES):
        standing = read_standing(store)
        if len(standing.indexed) == len(standing.items):
            return
        entries = tuple(standing.items[address] for address in sorted(standing.items))
        store.write(INDEX, serialize(Index(entries=entries)))
    raise ZooError(f"Expected to write {store.address}/{INDEX}. Received: others did, {_TRIES} times")


def _check_writable(store: Store) -> None:
    if not store.writable:
        raise ZooError(f"Expected a store that can be written to, such as s3://. Received: {store.address}")


def _publish(
    store: Store,
    stage: Path,
    name: str,
    tag: str,
    version: int | None,
    changes: str | None,
    progress: Progress | None,
) -> Publication:
    """One attempt: it is made anew where another publisher comes first."""
    standing = read_standing(store)
    check_structure(name, Documents.of(Entry.read(stage)), first_of(store, standing, name))
    files = records(stage)
    versions = standing.versions(name, tag)
    for address in reversed(versions):
        manifest = read_manifest(store, address)
        if manifest is not None and content(manifest) == files and version in (None, address.version):
            update_index(store)
            return Publication(address, f"{store.address}/{address.folder}", created=False)
    # with the changes, which the card tells: what goes on under a claim must be the same files, byte for byte
    identity = {"changes": changes, "files": {path: files[path].sha256 for path in sorted(files)}}
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    address, claim = _claimed(store, standing, Address(name, tag, 1), digest, version)
    finish(stage, files, address, changes, [standing.items[before] for before in versions])
    _commit(store, stage, address, claim, progress)
    update_index(store)
    return Publication(address, f"{store.address}/{address.folder}", created=True)


def _claimed(
    store: Store, standing: Standing, first: Address, digest: str, version: int | None
) -> tuple[Address, dict[str, Any]]:
    """The version that is ours to upload, and what its claim says."""
    taken = standing.taken(first.name, first.tag)
    claim = {"content": digest, "publisher": uuid.uuid4().hex}
    content = json.dumps(claim).encode()
    for address in taken:
        sizes = standing.folders.get(address, {})
        if CLAIM in sizes and MANIFEST not in sizes and _claim(store, address).get("content") == digest:
            check_version(version, address.version, [])
            store.write(f"{address.folder}/{CLAIM}", content)
            return address, claim
    following = 1 + max((address.version for address in taken), default=0)
    check_version(version, following, taken)
    address = first._replace(version=following)
    if not store.create(f"{address.folder}/{CLAIM}", content) or _claim(store, address) != claim:
        raise _LostError  # the second condition: in a store where creating is not exclusive, the last one has it
    return address, claim


def _commit(store: Store, stage: Path, address: Address, claim: dict[str, Any], progress: Progress | None) -> None:
    """Upload a staged entry, the manifest last; if the upload fails, what has gone is removed."""
    sizes = {path.name: path.stat().st_size for path in stage.iterdir() if path.name != MANIFEST}
    folder = address.folder
    try:
        _upload(store, stage, folder, sizes, progress)
    except BaseException:
        with suppress(ZooError):
            if _claim(store, address) == claim:  # nobody else has gone on under it
                for name in (*sizes, CLAIM):
                    store.remove(f"{folder}/{name}")
        raise
    # nothing is removed from here on: where no answer comes, the manifest may stand nevertheless
    if not store.create(f"{folder}/{MANIFEST}", (stage / MANIFEST).read_bytes()):
        raise _LostError  # to one who published the same files under the same claim
    there = list_folders(store)[address]  # one of the same files who gave up meanwhile may have removed some
    _upload(store, stage, folder, {name: size for name, size in sizes.items() if there.get(name) != size}, None)
    store.remove(f"{folder}/{CLAIM}")


def _upload(store: Store, source: Path, folder: str, sizes: Mapping[str, int], progress: Progress | None) -> None:
    done, total = 0, sum(sizes.values())
    for name, size in sizes.items():
        store.upload(str(source / name), f"{folder}/{name}")
        done += size
        if progress is not None:
            progress(done, total)


def _claim(store: Store, address: Address) -> dict[str, Any]:
    """What a claim says; nothing if there is none any more."""
    try:
        document = json.loads(store.read(f"{address.folder}/{CLAIM}", 10_000))
    except (MissingError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return document if isinstance(document, dict) else {}
