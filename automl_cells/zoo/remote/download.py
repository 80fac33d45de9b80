"""Downloading files of a known size and hash: bounded, hashed on the way, resumed where an earlier attempt ended."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.zoo.manifest import FileRecord
from automl_cells.zoo.remote.store import RangeError, Store, UnreachableError

Progress = Callable[[int, int], None]
"""Is told how many bytes are there, of how many in all."""

_PIECE = 1 << 20
_ENOUGH = 1 << 20  # bytes after which an attempt has got on, so that the failures before it no longer count


def download_files(
    store: Store, place: str, files: Mapping[str, FileRecord], folder: Path, progress: Progress | None = None
) -> None:
    """Download files into a folder, from where an earlier call for the same folder ended.

    Args:
        store: where they are.
        place: their folder in the store.
        files: what they must be.
        folder: where they go; an unfinished file ends in ``.partial``.
        progress: is told how far it is.

    Raises:
        UnreachableError: the store does not answer any more. What has come is kept for the next call.
        ZooError: a file is missing or is not as it must be, or the disk is too small.
    """
    total = sum(record.bytes for record in files.values())
    present = {name: _size(folder / name) or _size(_partial(folder / name)) for name in files}
    _check_disk(folder, total - sum(present.values()))
    done = 0

    def tell(position: int) -> None:
        if progress is not None:
            progress(done + position, total)

    for name, record in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if _size(target) != record.bytes or sha256_of_file(target) != record.sha256:
            _download(store, f"{place}/{name}", record, target, tell)
        done += record.bytes
        tell(0)


def _download(store: Store, path: str, record: FileRecord, target: Path, tell: Callable[[int], None]) -> None:
    """Download one file; `tell` hears how many of its bytes are there."""
    partial = _partial(target)
    target.unlink(missing_ok=True)
    if _size(partial) > record.bytes:
        partial.unlink()
    failures, furthest, anew = 0, _size(partial), False
    while True:
        resumed = _size(partial) > 0
        try:
            digest = _attempt(store, path, record, partial, tell)
        except UnreachableError as error:
            if isinstance(error, RangeError):
                partial.unlink(missing_ok=True)
            # counted from the furthest byte: a server that always starts anew and breaks off is given up
            if _size(partial) >= furthest + _ENOUGH:
                failures, furthest = 0, _size(partial)
            failures += 1
            if failures >= store.patience.attempts:
                raise
            store.patience.wait(failures)
            continue
        if digest == record.sha256:
            partial.replace(target)
            return
        partial.unlink()  # bytes of a wrong file must not become the start of the next attempt
        if anew or not resumed:
            raise ZooError(f"Expected {store.address}/{path} with SHA-256 {record.sha256}. Received: {digest}")
        anew = True  # its start may have come from an earlier, other file


def _attempt(store: Store, path: str, record: FileRecord, partial: Path, tell: Callable[[int], None]) -> str:
    """Continue the file to its full size; returns its hash."""
    position = _size(partial)
    digest = hashlib.sha256()
    with partial.open("r+b" if position else "wb") as file:
        while piece := file.read(_PIECE) if position else b"":
            digest.update(piece)
        # nothing to ask for where an attempt that was killed had the last byte
        with closing(store.pieces(path, position, record.bytes)) as pieces:
            for start, piece in pieces if position < record.bytes else ():
                if start != position:  # the store sends the file from its first byte
                    file.seek(start)
                    file.truncate()
                    digest, position = hashlib.sha256(), start
                file.write(piece)
                file.flush()  # what has come outlives this process
                digest.update(piece)
                position += len(piece)
                tell(position)
    if position < record.bytes:
        raise UnreachableError(
            f"Expected {record.bytes:,} bytes from {store.address}/{path}. Received: {position:,}, then the end"
        )
    return digest.hexdigest()


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ZooError(f"Expected {needed:,} bytes free for {folder}. Received: {free:,}")


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
