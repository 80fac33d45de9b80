"""The documents that hold a shelf together: the manifest of an entry, the list of derived files, the index.

    <shelf>/index.json                        {"format": "automl_cells/index", "version": 1, "entries": [{…}, …]}
    <shelf>/<name>/<tag>-v<N>/manifest.json   size and SHA-256 of every immutable file
    <shelf>/<name>/<tag>-v<N>/derived.json    the same for what `build_entry` made of them

Everything is validated on reading: a path in a document cannot leave the folder of its entry, and no document or file
may be larger than its limit.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.files import write_atomically
from automl_cells.zoo.address import WORD, Address

MANIFEST = "manifest.json"
DERIVED = "derived.json"
INDEX = "index.json"
MAX_DOCUMENT_BYTES = 16_000_000
MAX_FILE_BYTES = 8_000_000_000  # float32 weights of the largest network that the builder builds

# Every segment starts with a letter, digit or '_': neither '..' nor an absolute path nor a hidden file can be written.
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}"
# Rust's regular expressions: "$" is the very end, not "before a last newline".
FilePath = Annotated[str, StringConstraints(pattern=rf"^{_SEGMENT}(/{_SEGMENT}){{0,7}}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(pattern=rf"^{WORD}$")]
Version = Annotated[int, Field(ge=1, le=999_999)]

Document = TypeVar("Document", bound=BaseModel)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FileRecord(_Data):
    """Size in bytes and hexadecimal SHA-256 of a file."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)]

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """What the file is now."""
        return cls(sha256=sha256_of_file(path), bytes=path.stat().st_size)


Files = Annotated[dict[FilePath, FileRecord], Field(min_length=1, max_length=1000)]


class Manifest(_Data):
    """``manifest.json``: an entry as it was published; none of `files` may ever change."""

    format: Literal["automl_cells/manifest"] = "automl_cells/manifest"
    format_version: Annotated[Literal[1], Field(alias="version")] = 1
    name: Word
    tag: Word
    entry_version: Version
    published: datetime
    genotype: str
    files: Files

    @property
    def address(self) -> Address:
        """Where the entry stands."""
        return Address(self.name, self.tag, self.entry_version)


class Derived(_Data):
    """``derived.json``: the files made from an entry, the weights they were made from, and how they compare."""

    format: Literal["automl_cells/derived"] = "automl_cells/derived"
    format_version: Annotated[Literal[1], Field(alias="version")] = 1
    made: datetime
    weights_sha256: Sha256
    parity: dict[str, dict[str, Any]]
    files: Files


class IndexItem(_Data):
    """One line of ``index.json``."""

    name: Word
    tag: Word
    version: Version
    published: datetime
    genotype: str
    parameters: int | None
    test_accuracy: float | None
    bytes: int
    manifest_sha256: Sha256

    @property
    def address(self) -> Address:
        """Where the entry stands."""
        return Address(self.name, self.tag, self.version)


class Index(_Data):
    """``index.json``: what stands on the shelf."""

    format: Literal["automl_cells/index"] = "automl_cells/index"
    format_version: Annotated[Literal[1], Field(alias="version")] = 1
    entries: Annotated[tuple[IndexItem, ...], Field(max_length=50_000)] = ()


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def read_bytes(path: Path, limit: int = MAX_DOCUMENT_BYTES) -> bytes:
    """The content of a document of at most `limit` bytes that is a plain file, not a link.

    Raises:
        ZooError: missing, unreadable, a link, or too large.
    """
    try:
        if path.is_symlink():
            raise ZooError(f"Expected a plain file. Received: {path}, a link")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ZooError(f"Expected a readable file. Received: {path} ({error.strerror})") from None
    if len(content) > limit:
        raise ZooError(f"Expected at most {limit:,} bytes in {path.name}. Received: {path} with more")
    return content


def read_json(path: Path) -> Any:
    """The JSON document in a file.

    Raises:
        ZooError: as `read_bytes`, or not JSON.
    """
    content = read_bytes(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ZooError(f"Expected JSON in {path}. Received: {str(error) or type(error).__name__}") from None


def read_document(path: Path, kind: type[Document]) -> Document:
    """A validated document.

    Raises:
        ZooError: as `read_json`, or a field is missing, unknown or out of range; the message names it.
    """
    document = read_json(path)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "document"
        raise ZooError(
            f"Expected a valid {where} in {path}: {first['msg']}. Received: {first['input']!r:.80}"
        ) from None


def write_document(path: Path, document: BaseModel) -> None:
    """Write a document, beside its place first and then renamed.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_atomically(path, document.model_dump_json(indent=1, by_alias=True) + "\n")
