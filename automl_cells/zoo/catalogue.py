"""The named structures of the zoo, as data: which genotype stands in which template at which sizes.

They are listed in ``structures.json``. What an address on a shelf means is decided by `differences`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from automl_cells.builder import Cost, Template, cost, plan
from automl_cells.builder import template as make_template
from automl_cells.errors import ZooError
from automl_cells.genotypes import Genotype
from automl_cells.genotypes import load as load_genotype

_FILE = Path(__file__).with_name("structures.json")
_NO_STRUCTURE = {"name", "source", "input_shape", "classes", "max_params", "max_flops"}  # fields of a template


class OfficialFile(BaseModel):
    """A weights file on the web.

    Attributes:
        name: in Keras' cache, that of ``keras.applications``, so that neither fetches it twice.
        url: where it is.
        md5: its hash, as ``keras.applications`` has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    md5: str


class Application(BaseModel):
    """A model of ``keras.applications`` that is the same network as one of ours.

    Attributes:
        model: its name there.
        repeats: N, normal cells a stage.
        top: ImageNet weights with the classifier.
        no_top: those without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    repeats: int
    top: OfficialFile
    no_top: OfficialFile

    def official(self, include_top: bool) -> OfficialFile:
        """The file for a network with or without its classifier."""
        return self.top if include_top else self.no_top


class Structure(BaseModel):
    """One named structure.

    Attributes:
        name: its name in the zoo, and that of its constructor.
        title: what people call it.
        genotype: name of the published genotype.
        template: name of the packaged template.
        repeats: N, blocks a stage; ``None`` for a chain, as the next.
        filters: filters of each stage.
        input_shape: (height, width, channels) by default.
        classes: number of classes by default.
        keras_application: the same network in ``keras.applications``, if there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    genotype: str
    template: str
    repeats: int | None = None
    filters: tuple[int, ...] | None = None
    input_shape: tuple[int, int, int]
    classes: int
    keras_application: Application | None = None

    @property
    def kind(self) -> str:
        """Of its genotype and template."""
        return self.load_genotype().kind

    def load_genotype(self) -> Genotype:
        """The published genotype."""
        return load_genotype(self.genotype)

    def make_template(self) -> Template:
        """The template at the sizes of the structure."""
        return make_template(
            self.template,
            kind=self.kind,
            repeats=self.repeats,
            filters=self.filters,
            input_shape=self.input_shape,
            classes=self.classes,
        )

    def cost(self) -> Cost:
        """Parameters and multiply-adds at the default sizes; nothing is built."""
        return cost(plan(self.load_genotype(), self.make_template()))


@cache
def structures() -> dict[str, Structure]:
    """All named structures by name."""
    document = json.loads(_FILE.read_bytes())
    return {name: Structure(name=name, **fields) for name, fields in document.items()}


def structure(name: str) -> Structure:
    """The structure of that name.

    Raises:
        ZooError: there is none.
    """
    if name not in structures():
        raise ZooError(f"Expected a structure among {sorted(structures())}. Received: {name}")
    return structures()[name]


def differences(
    genotype: Genotype, template: Template, other_genotype: Genotype, other_template: Template
) -> list[str]:
    """In which respects two networks are different structures; an empty list means the same structure.

    Compared are the genotype (by its hash), what the template builds, the channels of the image, and, if nothing else
    differs, the layers of the networks one by one: two genotypes of the same graph may number its parts differently,
    and then weights of the one are none of the other's.
    The size of the image is not, since no weight depends on it, nor is the number of classes: both follow the data set,
    and with it the tag.
    """
    found = [] if genotype.hash == other_genotype.hash else ["genotype"]
    one, other = (t.model_dump(exclude=_NO_STRUCTURE) for t in (template, other_template))
    found += [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    if template.input_shape[2] != other_template.input_shape[2]:
        found.append("number of channels")
    if not found and plan(genotype, template) != plan(other_genotype, template):
        found.append("order of layers")
    return found
