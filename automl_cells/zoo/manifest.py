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
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
)

from automl_cells import __version__
from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.files import write_atomically
from automl_cells.zoo.address import WORD, Address

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
DERIVED = "derived.json"
UNFINISHED = ".partial"
"""How the names of files end that are being downloaded."""

INDEX = "index.json"
MAX_DOCUMENT_BYTES = 16_000_000
MAX_CHANGES = 500
MAX_FILE_BYTES = 8_000_000_000  # float32 weights of the largest network that the builder builds

# Every segment starts with a letter, digit or '_': neither '..' nor an absolute path nor a hidden file can be written.
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}"
# Rust's regular expressions: "$" is the very end, not "before a last newline".
FilePath = Annotated[str, StringConstraints(pattern=rf"^{_SEGMENT}(/{_SEGMENT}){{0,7}}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
GenotypeHash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
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


def _one_place_each(files: dict[str, FileRecord]) -> dict[str, FileRecord]:
    """Refuse two names of one place: such as differ in case only, a file that is a folder, the manifest itself."""
    places = {MANIFEST, DERIVED}
    folders = {parent.as_posix().lower() for name in files for parent in PurePosixPath(name).parents}
    for name in files:
        if name.lower() in places | folders or name.lower().partition("/")[0] in (MANIFEST, DERIVED):
            raise ValueError(f"{name} would overwrite another file")
        if name.lower().endswith(UNFINISHED):
            raise ValueError(f"{name} has the name of an unfinished download")
        places.add(name.lower())
    return files


def _once_each(entries: tuple[IndexItem, ...]) -> tuple[IndexItem, ...]:
    """Refuse two entries of the same address."""
    seen: set[Address] = set()
    for item in entries:
        if item.address in seen:
            raise ValueError(f"{item.address} stands there twice")
        seen.add(item.address)
    return entries


Files = Annotated[dict[FilePath, FileRecord], Field(min_length=1, max_length=1000), AfterValidator(_one_place_each)]


class _Changing(_Data):
    """What may say how an entry differs from the version before."""

    changes: Annotated[str, Field(min_length=1, max_length=MAX_CHANGES)] | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `changes` out where there are none: documents from before the field stay byte for byte the same."""
        document: dict[str, Any] = handler(self)
        changes = document.pop("changes")
        return document if changes is None else {**document, "changes": changes}


class Manifest(_Changing):
    """``manifest.json``: an entry as it was published; none of `files` may ever change."""

    format: Literal["automl_cells/manifest"] = "automl_cells/manifest"
    format_version: Annotated[Literal[1], Field(alias="version")] = 1
    name: Word
    tag: Word
    entry_version: Version
    published: AwareDatetime
    genotype: GenotypeHash
    files: Files

    @property
    def address(self) -> Address:
        """Where the entry stands."""
        return Address(self.name, self.tag, self.entry_version)


class Derived(_Data):
    """``derived.json``: the files made from an entry, the weights they were made from, and how they compare."""

    format: Literal["automl_cells/derived"] = "automl_cells/derived"
    format_version: Annotated[Literal[1], Field(alias="version")] = 1
    made: AwareDatetime
    weights_sha256: Sha256
    parity: dict[str, dict[str, Any]]
    files: Files


class IndexItem(_Changing):
    """One line of ``index.json``."""

    name: Word
    tag: Word
    version: Version
    published: AwareDatetime
    genotype: GenotypeHash
    parameters: int | None
    test_accuracy: Annotated[float, Field(ge=0, le=100)] | None
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
    entries: Annotated[tuple[IndexItem, ...], Field(max_length=50_000), AfterValidator(_once_each)] = ()


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


def parse_json(content: bytes, where: object) -> Any:
    """The JSON document in `content`; `where` it was read is for the message.

    Raises:
        ZooError: not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        found = "a page of HTML or XML" if content.lstrip()[:1] == b"<" else str(error) or type(error).__name__
        raise ZooError(f"Expected JSON in {where}. Received: {found}") from None


def parse_document(content: bytes, kind: type[Document], where: object) -> Document:
    """A validated document from the bytes of it.

    Raises:
        ZooError: not JSON, or a field is missing, unknown or out of range; the message names it.
    """
    document = parse_json(content, where)
    version = document.get("version") if isinstance(document, dict) and "format" in document else None
    if type(version) is int and version > FORMAT_VERSION:
        raise ZooError(
            f"Expected {where} in format version {FORMAT_VERSION}, which automl_cells {__version__} reads. "
            f"Received: version {version!s:.20}, which a later release has written and reads"
        )
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise ZooError(
            f"Expected a valid {place:.200} in {where}: {first['msg']}. Received: {first['input']!r:.80}"
        ) from None


def read_json(path: Path) -> Any:
    """The JSON document in a file.

    Raises:
        ZooError: as `read_bytes`, or not JSON.
    """
    return parse_json(read_bytes(path), path)


def read_document(path: Path, kind: type[Document]) -> Document:
    """A validated document.

    Raises:
        ZooError: as `read_bytes` and `parse_document`.
    """
    return parse_document(read_bytes(path), kind, path)


def serialize(document: BaseModel) -> bytes:
    """The bytes that a document is written as."""
    return (document.model_dump_json(indent=1, by_alias=True) + "\n").encode()


def write_document(path: Path, document: BaseModel) -> None:
    """Write a document, beside its place first and then renamed.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_atomically(path, serialize(document))
