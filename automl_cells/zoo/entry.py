"""A zoo entry: a folder with everything that is needed to use a trained model, read and validated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny

from automl_cells.builder import Cost, Template, cost, plan
from automl_cells.builder import template as make_template
from automl_cells.builder.image_size import check_size
from automl_cells.builder.template import from_document as template_of
from automl_cells.datasets import Preprocessing
from automl_cells.errors import AutoMLCellsError, ZooError
from automl_cells.genotypes import Genotype
from automl_cells.genotypes.serialization import from_document, parse
from automl_cells.zoo.address import Address
from automl_cells.zoo.manifest import MANIFEST, Manifest, read_bytes, read_document, read_json

if TYPE_CHECKING:
    import keras

GENOTYPE, MODEL, WEIGHTS = "genotype.json", "model.json", "model.weights.h5"
METRICS, HISTORY, DRAWING, CARD = "metrics.json", "history.json", "drawing.svg", "README.md"
REQUIRED = (GENOTYPE, MODEL, WEIGHTS, METRICS, DRAWING)


class DatasetReference(BaseModel):
    """Which data a model learnt: the name, and the fingerprint of its arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=500)]
    fingerprint: Annotated[str, Field(max_length=200)]


def _any_template(value: Any) -> Template:
    """A template of whatever kind."""
    return value if isinstance(value, Template) else template_of(value)


class ModelDocument(BaseModel):
    """``model.json``, as `automl_cells.training` writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["automl_cells/model"]
    version: Literal[1]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    tag: Annotated[str, Field(min_length=1, max_length=200)]
    template: Annotated[SerializeAsAny[Template], BeforeValidator(_any_template)]
    preprocessing: dict[str, Any]
    labels: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(min_length=2)]
    dataset: DatasetReference
    recipe: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A trained model in a folder: the ``entry`` of a training run, or one on a shelf.

    Attributes:
        folder: where the files are.
        genotype: what was trained.
        provenance: where the genotype comes from (free JSON), e.g. space, strategy and reward of the search.
        document: the content of ``model.json``.
        preprocessing: raw pixel values → the model's input.
        metrics: the content of ``metrics.json``; accuracies in per cent.
        manifest: size and hash of every file, if the entry was published.

    Example:
        ```python
        entry = Entry.read("runs/digits/entry")
        probabilities = entry.load_model().predict(entry.preprocessing(images))
        ```
    """

    folder: Path
    genotype: Genotype
    provenance: dict[str, Any]
    document: ModelDocument
    preprocessing: Preprocessing
    metrics: dict[str, Any]
    manifest: Manifest | None

    @classmethod
    def read(cls, folder: str | Path) -> Entry:
        """Read and validate an entry folder. The weights are not read yet.

        Raises:
            ZooError: a file is missing, too large or not valid, or the files do not fit each other.
        """
        folder = Path(folder)
        missing = [name for name in REQUIRED if not (folder / name).is_file()]
        if missing:
            raise ZooError(f"Expected an entry folder with {', '.join(REQUIRED)}. Received: {folder} without {missing}")
        manifest = read_document(folder / MANIFEST, Manifest) if (folder / MANIFEST).exists() else None
        document = read_document(folder / MODEL, ModelDocument)
        try:
            genotype_document = parse(read_bytes(folder / GENOTYPE))
            genotype = from_document(genotype_document)
            preprocessing = Preprocessing.from_document(document.preprocessing)
        except AutoMLCellsError as error:
            raise ZooError(f"{folder}: {error}") from None
        metrics = read_json(folder / METRICS)
        if not isinstance(metrics, dict):
            raise ZooError(f"Expected a JSON object in {folder / METRICS}. Received: {type(metrics).__name__}")
        template = document.template
        if len(document.labels) != template.classes:
            raise ZooError(f"Expected {template.classes} labels in {folder / MODEL}. Received: {len(document.labels)}")
        if len(preprocessing.mean) != template.input_shape[2]:
            raise ZooError(
                f"Expected a mean for each of {template.input_shape[2]} channels in {folder / MODEL}. "
                f"Received: {len(preprocessing.mean)}"
            )
        provenance = genotype_document.get("provenance", {})
        return cls(folder, genotype, provenance, document, preprocessing, metrics, manifest)

    @property
    def name(self) -> str:
        """The structure."""
        return self.document.name

    @property
    def tag(self) -> str:
        """The data that the weights learnt."""
        return self.document.tag

    @property
    def address(self) -> Address | None:
        """Where it stands on a shelf; ``None`` if it was not published."""
        return None if self.manifest is None else self.manifest.address

    @property
    def template(self) -> Template:
        """The frame of the network, with all sizes."""
        return self.document.template

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each class, in the order of the model's outputs."""
        return self.document.labels

    @property
    def weights(self) -> Path:
        """The file with the weights."""
        return self.folder / WEIGHTS

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds, from the plan."""
        return cost(plan(self.genotype, self.template))

    def load_model(self, size: tuple[int, int] | Literal["any"] | None = None) -> keras.Model:
        """The Keras model with its weights: float32 (batch, height, width, channels), normalised → probabilities.

        Args:
            size: (height, width) of the images, or ``any``; by default that of the entry. No weight depends on it, save
                in a chain that flattens its map or a block with self-attention.

        Raises:
            TemplateError: a size that the network cannot have.
            ZooError: the weights are missing, damaged (against the manifest, where there is one) or of another network.
        """
        from automl_cells.builder import build
        from automl_cells.training import load_weights
        from automl_cells.zoo.verify import check_files

        if self.manifest is not None and (problems := check_files(self.folder, self.manifest.files)):
            raise ZooError(f"Expected the files of {self.address} as published. Received: {problems[0]}")
        template = self.template
        if size is not None:
            height, width = (None, None) if size == "any" else size
            template = make_template(template, input_shape=(height, width, template.input_shape[2]))
        try:
            check_size(self.genotype, self.template, template, head=True)
            model = build(self.genotype, template, name=self.name)
            load_weights(model, self.weights)
        except AutoMLCellsError as error:
            raise ZooError(f"{self.folder}: {error}") from None
        return model

    def export_metadata(self) -> dict[str, str]:
        """What an exported file should say about itself: see `automl_cells.export.export_onnx`."""
        address = self.address
        accuracy = self.metrics.get("test_accuracy")
        return {
            "name": self.name,
            "version": "not published" if address is None else f"{address.tag}-v{address.version}",
            "genotype_sha256": self.genotype.hash.removeprefix("sha256:"),
            "input_mean": json.dumps(self.preprocessing.mean),
            "input_std": json.dumps(self.preprocessing.std),
            "labels": json.dumps(self.labels, ensure_ascii=False),
            **({} if accuracy is None else {"test_accuracy": f"{accuracy}"}),
        }
