"""Genotypes as JSON files: schema version, canonical hash, provenance.

    {"format": "automl_cells/genotype", "version": 1, "kind": "block", "layers": [[1, 1, 3, 0, 0], …],
     "hash": "sha256:…", "provenance": {"space": "blockqnn", …}}

The hash is that of the canonical graph; provenance (where the genotype was found, by what, with which reward) is free
JSON and not hashed. Reading validates everything and never executes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl_cells.errors import GenotypeError
from automl_cells.files import write_atomically
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.block import BlockGenotype
from automl_cells.genotypes.cell import CellGenotype
from automl_cells.genotypes.chain import ChainGenotype
from automl_cells.genotypes.ensemble import EnsembleGenotype
from automl_cells.genotypes.nasbench201 import NasBench201Genotype

FORMAT = "automl_cells/genotype"
VERSION = 1
MAX_BYTES = 1_000_000  # a block of 128 layers takes about 4 kB; the rest is for provenance

KINDS: dict[str, type[Genotype]] = {
    kind.kind: kind for kind in (BlockGenotype, CellGenotype, ChainGenotype, EnsembleGenotype, NasBench201Genotype)
}


def to_document(genotype: Genotype, provenance: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON document of a genotype."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": genotype.kind,
        **genotype.body(),
        "hash": genotype.hash,
        "provenance": dict(provenance or {}),
    }


def from_document(document: Any) -> Genotype:
    """The genotype of a JSON document.

    Raises:
        GenotypeError: not a genotype document, of another version or an unknown kind, not valid, or its hash is not
            the hash of what it describes.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        received = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise GenotypeError(f"Expected a JSON object with format {FORMAT!r}. Received: {received!r:.80}")
    if type(document.get("version")) is not int or document["version"] != VERSION:  # True == 1.0 == 1 in Python
        raise GenotypeError(
            f"Expected genotype version {VERSION}, which this release reads. Received: {document.get('version')!r:.80}"
        )
    kind = KINDS.get(document["kind"]) if isinstance(document.get("kind"), str) else None
    if kind is None:
        raise GenotypeError(f"Expected a kind among {sorted(KINDS)}. Received: {document.get('kind')!r:.80}")
    frame = {"format", "version", "kind", "hash", "provenance"}
    if not isinstance(document.get("provenance", {}), dict):
        raise GenotypeError(f"Expected provenance as a JSON object. Received: {document['provenance']!r:.80}")
    genotype = kind.from_body({name: value for name, value in document.items() if name not in frame})
    if "hash" not in document or document["hash"] != genotype.hash:
        raise GenotypeError(f"Expected hash {genotype.hash}. Received: {document.get('hash')!r:.90}")
    return genotype


def dumps(genotype: Genotype, provenance: Mapping[str, Any] | None = None) -> str:
    """The JSON text of a genotype, with one layer a line so that people can read and diff it.

    Raises:
        GenotypeError: JSON cannot hold the provenance (NaN, infinity, other objects).
    """
    try:
        json.dumps(provenance and dict(provenance), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise GenotypeError(f"Expected provenance that JSON can hold. Received: {error}") from None
    lines = []
    for name, value in to_document(genotype, provenance).items():
        if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
            items = ",\n    ".join(json.dumps(item) for item in value)
            lines.append(f"  {json.dumps(name)}: [\n    {items}\n  ]")
        else:
            lines.append(f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def parse(text: str | bytes) -> dict[str, Any]:
    """The JSON document in `text`, as plain data that has not been validated yet.

    Raises:
        GenotypeError: not JSON, nested too deeply, or more than 1 MB.
    """
    if len(text) > MAX_BYTES:
        raise GenotypeError(f"Expected a genotype of at most {MAX_BYTES} bytes. Received: {len(text)}")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise GenotypeError(f"Expected a JSON document. Received: {error or type(error).__name__}") from None


def _no_constant(name: str) -> None:
    """NaN and infinities, which Python reads and JSON does not have."""
    raise ValueError(name)


def loads(text: str | bytes) -> Genotype:
    """The genotype in a JSON text: the inverse of `dumps`.

    Raises:
        GenotypeError: see `from_document` and `parse`.
    """
    return from_document(parse(text))


def read(path: str | Path) -> Genotype:
    """Read a genotype file.

    Raises:
        GenotypeError: the file cannot be read or is not a valid genotype; the message names the file.
    """
    return from_file(path)[0]


def from_file(path: str | Path) -> tuple[Genotype, dict[str, Any]]:
    """Read a genotype file with its provenance.

    Returns:
        The genotype and its provenance.

    Raises:
        GenotypeError: as `read`.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # never more than the limit in memory
    except OSError as error:
        raise GenotypeError(f"Expected a readable genotype file. Received: {path} ({error.strerror})") from None
    try:
        document = parse(content)
        return from_document(document), document.get("provenance", {})
    except GenotypeError as error:
        raise GenotypeError(f"{path}: {error}") from None


def write(genotype: Genotype, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a genotype file, beside its place first and then renamed.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_atomically(path, dumps(genotype, provenance))
