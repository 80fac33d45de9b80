"""What publishing decides the same way on every shelf: lines of the index, the next version, what a name means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from automl_cells.builder import Template, cost, plan
from automl_cells.datasets import Preprocessing
from automl_cells.errors import AutoMLCellsError, ZooError
from automl_cells.genotypes import Genotype
from automl_cells.genotypes.serialization import from_document, parse
from automl_cells.zoo.address import Address
from automl_cells.zoo.catalogue import differences, structures
from automl_cells.zoo.entry import CARD, GENOTYPE, METRICS, MODEL, Entry, ModelDocument
from automl_cells.zoo.manifest import FileRecord, IndexItem, Manifest, parse_document, parse_json

Content = Mapping[str, FileRecord]


class Documents(NamedTuple):
    """What the small files of an entry say, without its weights.

    Attributes:
        genotype: what was trained.
        template: the frame of the network.
        metrics: the content of ``metrics.json``.
    """

    genotype: Genotype
    template: Template
    metrics: dict[str, Any]

    @classmethod
    def parse(cls, contents: Mapping[str, bytes], where: object) -> Documents:
        """From the bytes of ``genotype.json``, ``model.json`` and ``metrics.json``.

        Raises:
            ZooError: one of them is not valid.
        """
        model = parse_document(contents[MODEL], ModelDocument, f"{where}/{MODEL}")
        metrics = parse_json(contents[METRICS], f"{where}/{METRICS}")
        try:
            genotype = from_document(parse(contents[GENOTYPE]))
            Preprocessing.from_document(model.preprocessing)
        except AutoMLCellsError as error:
            raise ZooError(f"{where}: {error}") from None
        return cls(genotype, model.template, metrics if isinstance(metrics, dict) else {})

    @classmethod
    def of(cls, entry: Entry) -> Documents:
        """From an entry that has been read."""
        return cls(entry.genotype, entry.template, entry.metrics)

    def index_item(self, manifest: Manifest, manifest_sha256: str) -> IndexItem:
        """The line of the index about the entry."""
        accuracy = self.metrics.get("test_accuracy")
        return IndexItem(
            name=manifest.name,
            tag=manifest.tag,
            version=manifest.entry_version,
            published=manifest.published,
            genotype=self.genotype.hash,
            parameters=cost(plan(self.genotype, self.template)).parameters,
            # not what is NaN, or a number past all floats, or no share at all
            test_accuracy=accuracy if isinstance(accuracy, int | float) and 0 <= accuracy <= 100 else None,
            bytes=sum(record.bytes for record in manifest.files.values()),
            manifest_sha256=manifest_sha256,
            changes=manifest.changes,
        )


def content(manifest: Manifest) -> Content:
    """The immutable files of an entry without the card, which names the version."""
    return {name: record for name, record in manifest.files.items() if name != CARD}


def check_structure(name: str, mine: Documents, others: Iterable[tuple[str, Documents]]) -> None:
    """A name on a shelf always means one structure: that of the zoo, or the one first published under it.

    Args:
        name: the name.
        mine: what is to be published under it.
        others: what stands under it already, each with its address.

    Raises:
        ZooError: another structure.
    """
    zoos = []
    if name in structures():
        known = structures()[name]
        zoos = [(f"the zoo's {name}", Documents(known.load_genotype(), known.make_template(), {}))]
    for what, other in [*zoos, *others]:
        if different := differences(mine.genotype, mine.template, other.genotype, other.template):
            raise ZooError(
                f"Expected the structure of {what} under the name {name}; publish it under another --name. "
                f"Received: another {', '.join(different)}"
            )


def check_version(wanted: int | None, following: int, standing: Sequence[Address]) -> None:
    """Refuse a version that was asked for, but is not the one that follows.

    Call it when the files are found not to stand on the shelf yet.

    Raises:
        ZooError: it is taken by other files, or would leave a gap.
    """
    if wanted is None or wanted == following:
        return
    for address in standing:
        if address.version == wanted:
            raise ZooError(
                f"Expected the files of {address} as they were published: no version ever changes, the next one is "
                f"{following}. Received: other files for --version {wanted}"
            )
    raise ZooError(f"Expected --version {following}, the one that follows. Received: {wanted}")
