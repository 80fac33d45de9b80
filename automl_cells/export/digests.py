"""SHA-256 and size of files and folders, read in pieces so that a large file never lies in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

_PIECE = 1 << 20


def sha256_of_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of the content of a file.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def files_below(folder: str | Path) -> list[Path]:
    """Everything below `folder` that is not a folder itself, links included, in the order of the paths."""
    paths = (path for path in Path(folder).rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def sha256_of_folder(folder: str | Path) -> str:
    """Hexadecimal SHA-256 over the lines ``<SHA-256 of the file>  <path in the folder>``, in the order of the paths.

    The lines are those that ``sha256sum`` prints, so the value can be recomputed with a shell.

    Raises:
        OSError: a file cannot be read.
    """
    folder = Path(folder)
    lines = [f"{sha256_of_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in files_below(folder)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def size_of(path: str | Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    path = Path(path)
    return sum(file.stat().st_size for file in files_below(path)) if path.is_dir() else path.stat().st_size
