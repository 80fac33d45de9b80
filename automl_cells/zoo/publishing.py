"""From the entry of a training run to the folder of a new version: staged beside its place, then renamed."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from automl_cells.errors import ZooError
from automl_cells.export.exporting import STAGED
from automl_cells.files import write_atomically
from automl_cells.genotypes.drawing import draw_svg
from automl_cells.zoo.address import Address
from automl_cells.zoo.card import card
from automl_cells.zoo.entry import CARD, DRAWING, HISTORY, MODEL, REQUIRED, Entry
from automl_cells.zoo.manifest import (
    MANIFEST,
    MAX_CHANGES,
    MAX_FILE_BYTES,
    FileRecord,
    IndexItem,
    Manifest,
    now,
    read_json,
    write_document,
)

EXPORT_SECONDS = 3600
"""How long an export in an entry's folder may go on, which needs no lock of the shelf."""


@contextmanager
def hidden_folder(folder: Path) -> Iterator[Path]:
    """A new folder in `folder` that no shelf lists; removed when the block ends, unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=folder, prefix=STAGED))
    try:
        stage.chmod(folder.stat().st_mode & 0o777)  # mkdtemp makes folders that only their owner can enter
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def staged(entry: Entry, name: str, tag: str, folder: Path) -> Iterator[Path]:
    """A hidden folder in `folder` with the files of `entry` under that name and tag; removed when the block ends.

    Rename it to keep it.
    """
    with hidden_folder(folder) as stage:
        for file in (*REQUIRED, HISTORY):
            source = entry.folder / file
            if source.is_file():
                if source.stat().st_size > MAX_FILE_BYTES:
                    raise ZooError(f"Expected files of at most {MAX_FILE_BYTES:,} bytes. Received: {source}")
                shutil.copyfile(source, stage / file)
        if (entry.name, entry.tag) != (name, tag):
            document = {**read_json(stage / MODEL), "name": name, "tag": tag}
            write_atomically(stage / MODEL, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
            write_atomically(stage / DRAWING, draw_svg(entry.genotype.parts(), f"{name}/{tag}"))
        yield stage


def records(folder: Path) -> dict[str, FileRecord]:
    """Size and hash of every file of a staged entry."""
    return {path.name: FileRecord.of(path) for path in sorted(folder.iterdir())}


def finish(
    stage: Path,
    files: dict[str, FileRecord],
    address: Address,
    changes: str | None = None,
    before: Sequence[IndexItem] = (),
) -> None:
    """Write card and manifest into a staged folder.

    Args:
        stage: the staged folder.
        files: what is in it, see `records`.
        address: where it will stand.
        changes: a line on how it differs from the version before.
        before: the versions before it, of the same name and tag, which the card lists.
    """
    entry = Entry.read(stage)
    versions = [*((item.address, item.changes) for item in before), (address, changes)]
    write_atomically(stage / CARD, card(entry, address, files, versions))
    manifest = Manifest(
        name=address.name,
        tag=address.tag,
        entry_version=address.version,
        published=now(),
        genotype=entry.genotype.hash,
        files={**files, CARD: FileRecord.of(stage / CARD)},
        changes=changes,
    )
    write_document(stage / MANIFEST, manifest)


def changes_line(text: str | None) -> str | None:
    """What a user says about the changes, on one line; ``None`` for nothing.

    Raises:
        ZooError: it is too long.
    """
    line = " ".join((text or "").split())
    if len(line) > MAX_CHANGES:
        raise ZooError(f"Expected at most {MAX_CHANGES} characters on what changed. Received: {len(line)}")
    return line or None


def remove_leftovers(shelf: Path) -> None:
    """Remove what a publication that was killed has left. Call it only with the shelf locked."""
    places = [shelf.glob(f"{stars}{STAGED}*") for stars in ("", "*/", "*/*/")]  # of exports: in the entry itself
    for stage in (stage for place in places for stage in place):
        under_way = time.time() - stage.lstat().st_mtime < EXPORT_SECONDS and stage.parent.parent.parent == shelf
        if stage.is_dir() and not stage.is_symlink() and not under_way:
            shutil.rmtree(stage, ignore_errors=True)
