"""Holding the files of an entry in a store against its manifest, without keeping any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from functools import partial

from automl_cells.errors import ZooError
from automl_cells.zoo.copying import check_derived
from automl_cells.zoo.manifest import (
    DERIVED,
    MANIFEST,
    MAX_DOCUMENT_BYTES,
    Derived,
    FileRecord,
    IndexItem,
    Manifest,
    parse_document,
)
from automl_cells.zoo.remote.store import MissingError, Store, UnreachableError, patiently
from automl_cells.zoo.verify import Problem


def verify_remote(store: Store, item: IndexItem) -> list[Problem]:
    """Everything of an entry that is not as the index, the manifest and the list of derived files say.

    Raises:
        UnreachableError: the store does not answer.
    """
    folder, entry = item.address.folder, str(item.address)
    try:
        content = store.read(f"{folder}/{MANIFEST}", MAX_DOCUMENT_BYTES)
        manifest = parse_document(content, Manifest, f"{store.address}/{folder}/{MANIFEST}")
    except UnreachableError:
        raise
    except MissingError:
        return [Problem(entry, MANIFEST, "index", "in the index, but not in the store")]
    except ZooError as error:
        return [Problem(entry, MANIFEST, "invalid", str(error))]
    if hashlib.sha256(content).hexdigest() != item.manifest_sha256 or manifest.address != item.address:
        return [Problem(entry, MANIFEST, "damaged", "not the manifest that the index names")]
    problems = _check_files(store, folder, manifest.files)
    try:
        derived = parse_document(store.read(f"{folder}/{DERIVED}", MAX_DOCUMENT_BYTES), Derived, DERIVED)
        check_derived(derived, manifest)
        problems += _check_files(store, folder, derived.files)
    except UnreachableError:
        raise
    except MissingError:
        pass  # derived files are optional
    except ZooError as error:
        problems.append(Problem(entry, DERIVED, "invalid", str(error)))
    return problems


def _check_files(store: Store, folder: str, files: Mapping[str, FileRecord]) -> list[Problem]:
    problems = []
    for name, record in files.items():
        try:
            size, digest = patiently(partial(_digest, store, f"{folder}/{name}", record), store.patience)
        except MissingError:
            problems.append(Problem(folder, name, "missing", f"{record.bytes} bytes expected"))
            continue
        if size != record.bytes:
            problems.append(Problem(folder, name, "damaged", f"{record.bytes} bytes expected, other found"))
        elif digest != record.sha256:
            problems.append(Problem(folder, name, "damaged", f"SHA-256 {record.sha256} expected, {digest} found"))
    return problems


def _digest(store: Store, path: str, record: FileRecord) -> tuple[int, str]:
    """Size and hash of a file, of which at most one byte more is read than expected."""
    digest, size = hashlib.sha256(), 0
    with closing(store.pieces(path, 0, record.bytes + 1)) as pieces:
        for _, piece in pieces:
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
