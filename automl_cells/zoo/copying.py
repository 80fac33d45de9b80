"""Copying a published entry byte for byte, and bringing derived files beside one; every copy is checked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_cells.errors import ZooError
from automl_cells.zoo.entry import WEIGHTS, Entry
from automl_cells.zoo.manifest import DERIVED, MANIFEST, Derived, FileRecord, Manifest, read_document
from automl_cells.zoo.publishing import hidden_folder
from automl_cells.zoo.verify import check_files


@contextmanager
def copied(entry: Entry, derived: bool, folder: Path) -> Iterator[Path]:
    """A hidden folder in `folder` with a copy of a published entry; removed when the block ends.

    Rename it to keep it. Only what the manifest names is copied, so nothing else of the entry's folder comes along.

    Args:
        entry: the entry, with a manifest.
        derived: copy its derived files too.
        folder: where.

    Raises:
        ZooError: a file is missing, damaged or a link.
    """
    with hidden_folder(folder) as stage:
        shutil.copyfile(entry.folder / MANIFEST, stage / MANIFEST)
        manifest = read_document(stage / MANIFEST, Manifest)
        _copy(entry.folder, stage, manifest.files)
        if derived:
            document = read_derived(entry.folder, manifest)
            _copy(entry.folder, stage, document.files)
            shutil.copyfile(entry.folder / DERIVED, stage / DERIVED)
        yield stage


def read_derived(folder: Path, manifest: Manifest) -> Derived:
    """The list of derived files in an entry's folder.

    Raises:
        ZooError: there is none, or it is not about this entry.
    """
    if not (folder / DERIVED).is_file():
        raise ZooError(
            f"Expected derived files of {manifest.address}: automl-cells zoo build makes them. Received: {folder}, "
            f"without {DERIVED}"
        )
    document = read_document(folder / DERIVED, Derived)
    check_derived(document, manifest)
    return document


def check_derived(document: Derived, manifest: Manifest) -> None:
    """Refuse a list of derived files that belongs to other weights or names an immutable file.

    Raises:
        ZooError: one of the two.
    """
    weights = manifest.files.get(WEIGHTS)
    if weights is None or document.weights_sha256 != weights.sha256:
        raise ZooError(
            f"Expected derived files of the weights of {manifest.address}; automl-cells zoo build makes them anew. "
            f"Received: files of the weights {document.weights_sha256}"
        )
    immutable = {name.lower() for name in manifest.files}
    tops = {name.partition("/")[0] for name in immutable}
    for name in document.files:
        if name.lower() in immutable or name.lower().partition("/")[0] in tops:
            raise ZooError(f"Expected derived files beside those of {manifest.address}. Received: {name}, one of them")


def move_derived(source: Path, entry: Path) -> None:
    """Move the derived files from one folder to an entry's, in place of those there; the list of them comes last.

    In between the entry has files that no list names, never a list that names other files.
    """
    names = set(read_document(source / DERIVED, Derived).files)
    with suppress(ZooError):
        names |= set(read_document(entry / DERIVED, Derived).files)
    (entry / DERIVED).unlink(missing_ok=True)
    immutable = {name.partition("/")[0] for name in read_document(entry / MANIFEST, Manifest).files}
    for top in sorted({name.partition("/")[0] for name in names} - immutable):
        place = entry / top
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        if (source / top).exists():
            (source / top).replace(place)
    (source / DERIVED).replace(entry / DERIVED)


def _copy(source: Path, target: Path, files: dict[str, FileRecord]) -> None:
    for name, record in files.items():
        if problems := check_files(source, {name: record}):
            raise ZooError(f"Expected the files of the entry as published. Received: {problems[0]}")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    if problems := check_files(target, files):
        raise ZooError(f"Expected a copy like the file itself. Received: {problems[0]}")
