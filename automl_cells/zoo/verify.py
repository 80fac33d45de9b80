"""Holding the files of an entry against its manifest, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from automl_cells.errors import ZooError
from automl_cells.export.digests import files_below, sha256_of_file
from automl_cells.export.exporting import STAGED
from automl_cells.zoo.manifest import DERIVED, MANIFEST, Derived, FileRecord, Manifest, read_document


class Problem(NamedTuple):
    """One thing that is not as it was published.

    Attributes:
        entry: address of the entry.
        path: of the file in the entry's folder.
        kind: ``damaged``, ``missing``, ``extra``, ``invalid`` (a manifest that cannot be read) or ``index`` (the index
            and the folders do not agree).
        detail: what exactly.
    """

    entry: str
    path: str
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.path} is {self.kind} ({self.detail})"


def check_files(folder: Path, files: Mapping[str, FileRecord]) -> list[Problem]:
    """The files of `files` that are missing in `folder`, or have other content. Links count as damaged."""
    problems = []
    entry = f"{folder.parent.name}/{folder.name}"
    for name, record in files.items():
        path = folder / name
        steps = [folder.joinpath(*Path(name).parts[: depth + 1]) for depth in range(len(Path(name).parts))]
        if any(step.is_symlink() for step in steps):
            problems.append(Problem(entry, name, "damaged", "a link instead of a file"))
        elif not path.is_file():
            problems.append(Problem(entry, name, "missing", f"{record.bytes} bytes expected"))
        elif (size := path.stat().st_size) != record.bytes:
            problems.append(Problem(entry, name, "damaged", f"{record.bytes} bytes expected, {size} found"))
        elif (digest := sha256_of_file(path)) != record.sha256:
            problems.append(Problem(entry, name, "damaged", f"SHA-256 {record.sha256} expected, {digest} found"))
    return problems


def verify_entry(folder: Path) -> list[Problem]:
    """Everything in an entry's folder that is not as the manifest, and the list of derived files, say."""
    entry = f"{folder.parent.name}/{folder.name}"
    try:
        manifest = read_document(folder / MANIFEST, Manifest)
    except ZooError as error:
        return [Problem(entry, MANIFEST, "invalid", str(error))]
    problems = []
    if str(manifest.address) != entry:
        problems.append(Problem(entry, MANIFEST, "invalid", f"it is the manifest of {manifest.address}"))
    files = dict(manifest.files)
    known = {MANIFEST, *files}
    if (folder / DERIVED).exists():
        known.add(DERIVED)
        try:
            derived = read_document(folder / DERIVED, Derived)
        except ZooError as error:
            problems.append(Problem(entry, DERIVED, "invalid", str(error)))
        else:
            files = {**derived.files, **files}
            known.update(derived.files)
    problems += check_files(folder, files)
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        if name not in known and not name.startswith(STAGED):  # an export that is under way
            problems.append(Problem(entry, name, "extra", "in no manifest"))
    return problems
