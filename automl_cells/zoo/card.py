"""The model card: ``README.md`` of an entry, in the form that Hugging Face reads (YAML front matter, then Markdown).

It states what was measured and where from; what is not known is said to be not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from automl_cells.builder.template import StagedTemplate
from automl_cells.genotypes.ensemble import EnsembleGenotype
from automl_cells.zoo.address import Address
from automl_cells.zoo.card_evidence import baseline, exports
from automl_cells.zoo.card_text import UNKNOWN, count, floats, named, number, percent, seconds, text
from automl_cells.zoo.catalogue import structures
from automl_cells.zoo.entry import DRAWING, Entry
from automl_cells.zoo.manifest import FileRecord


def card(
    entry: Entry,
    address: Address,
    files: Mapping[str, FileRecord],
    versions: Sequence[tuple[Address, str | None]] = (),
) -> str:
    """The text of the card.

    Args:
        entry: what is published.
        address: where.
        files: the other files of the entry, with size and hash.
        versions: those of this name and tag up to this one, each with what changed against the one before.
    """
    sections = [_description(entry, address), _use(entry, address), _data(entry), _training(entry), _search(entry)]
    last = [exports(entry), _limits(entry), *_versions(versions), _files(files)]
    return "\n".join([_front_matter(entry, address), *sections, *last])


def _front_matter(entry: Entry, address: Address) -> str:
    """YAML whose values are JSON, which YAML contains."""
    name = text(entry.document.dataset.name)
    fields: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["automl_cells", "neural-architecture-search"],
        "datasets": [name],
        "metrics": ["accuracy"],
    }
    accuracy = number(entry.metrics.get("test_accuracy"))
    if accuracy is not None:
        measured = {"type": "accuracy", "name": "accuracy on the test images", "value": round(accuracy / 100, 6)}
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"name": name, "type": name},
            "metrics": [measured],
        }
        fields["model-index"] = [{"name": str(address), "results": [result]}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def _description(entry: Entry, address: Address) -> str:
    template, cost = entry.template, entry.cost
    titled = structures().get(address.name)
    what = "An image classifier" if titled is None else f"{titled.title}: an image classifier"
    flops = "open (any image size)" if cost.flops is None else f"{cost.flops:,}"
    return f"""# {address}

{what} {_made_of(entry)} that automl_cells built and trained.

| | |
|---|---|
| test accuracy | {percent(entry.metrics.get("test_accuracy"))} |
| trainable parameters | {cost.parameters:,} |
| multiply-adds for one image | {flops} |
| image (height, width, channels) | {template.input_shape} |
| classes | {template.classes} |
| template | {text(template.name)}, {template.size} |
| genotype | `{entry.genotype.hash}` |

![the {entry.genotype.kind}]({DRAWING})
"""


def _made_of(entry: Entry) -> str:
    """What the network consists of, in words."""
    if isinstance(entry.genotype, EnsembleGenotype):
        return f"that averages the probabilities of {len(entry.genotype.members)} networks"
    if isinstance(entry.template, StagedTemplate):
        return f"made of repeated {entry.genotype.kind}s"
    return f"made of a {entry.genotype.kind} of layers"


def _use(entry: Entry, address: Address) -> str:
    constructor = ""
    if address.name in structures():
        constructor = f"""
With the interface of `keras.applications`:

```python
from automl_cells.zoo import {address.name}

model = {address.name}(weights="{address.tag}-v{address.version}", classes={entry.template.classes})
features = {address.name}(weights="{address.tag}-v{address.version}", include_top=False, pooling="avg")
```
"""
    other = ""
    if not isinstance(entry.genotype, EnsembleGenotype):
        other = f"""
other_classes = zoo.load("{address}", num_classes=5)  # a new classifier on this body, to be trained"""
    return f"""## Use

```python
from automl_cells import zoo

model = zoo.load("{address}")  # keras.Model; the path of this folder does, too
inputs = zoo.preprocess_input(images, "{address}")  # raw pixels (n, height, width, channels) -> float32
probabilities = model.predict(inputs)  # (n, {entry.template.classes})
zoo.decode_predictions(probabilities, "{address}", top={min(3, entry.template.classes)}){other}
```
{constructor}
`automl-cells export {address} --format onnx --format savedmodel --int8 --out DIR` makes files for
deployment and measures that they agree with Keras.
"""


def _data(entry: Entry) -> str:
    dataset, metrics = entry.document.dataset, entry.metrics
    labels = ", ".join(text(label) for label in entry.labels[:50])
    if len(entry.labels) > 50:
        labels += f", … ({len(entry.labels)} in all, see `model.json`)"
    mean, std = floats(entry.preprocessing.mean), floats(entry.preprocessing.std)
    training, test = count(metrics.get("training_images")), count(metrics.get("test_images"))
    return f"""## Data

- data set: {text(dataset.name)}, fingerprint `{text(dataset.fingerprint)}`
- images trained on: {training}; images tested on, once, at the end: {test}
- input: (pixels - mean) / std per channel, mean {mean}, std {std}
- labels: {labels}
"""


def _training(entry: Entry) -> str:
    metrics, recipe = entry.metrics, entry.document.recipe
    versions = metrics.get("versions")
    environment = UNKNOWN
    if isinstance(versions, dict):
        environment = ", ".join(f"{text(name)} {text(value)}" for name, value in versions.items())
    origin = entry.provenance.get("finetuned_from")
    start = ""
    if isinstance(origin, dict):
        digest = text(origin.get("weights_sha256", UNKNOWN))
        start = f"- fine-tuned from: {text(origin.get('entry', UNKNOWN))}, weights `{digest}`\n"
    kept = "" if _members(entry) else f", weights kept of epoch {count(metrics.get('best_epoch'))}"
    return f"""## Training

{start}- recipe: {text(recipe.get("name", UNKNOWN))} (all of it in `model.json`)
- epochs: {count(metrics.get("epochs"))}{kept}
{_members(entry)}- validation accuracy: {percent(metrics.get("validation_accuracy"))}
- seed: {count(metrics.get("seed"))}; time: {seconds(metrics.get("seconds"))}
- environment: {environment}
- weights are stored as float16 (float32 where float16 cannot hold them) and computed with as float32
"""


def _members(entry: Entry) -> str:
    """Of an ensemble, a line a member; each was trained by itself, with the same recipe."""
    members = entry.metrics.get("members")
    if not isinstance(entry.genotype, EnsembleGenotype) or not isinstance(members, list):
        return ""
    rows = [member for member in members if isinstance(member, Mapping)]
    return "".join(
        f"- member {number}: {percent(row.get('test_accuracy'))} of the test images alone, trial "
        f"{count(row.get('trial'))}, {count(row.get('parameters'))} parameters\n"
        for number, row in enumerate(rows, start=1)
    )


def _search(entry: Entry) -> str:
    known = entry.provenance
    if "space" not in known and "source" in known:
        return f"""## Search

The {entry.genotype.kind} was not searched for here. Source: {text(known["source"])}.
"""
    which = "the members were trials" if isinstance(entry.genotype, EnsembleGenotype) else "this one was trial"
    return f"""## Search

- space: {named(known.get("space"))}
- strategy: {named(known.get("strategy"))}
- candidates: {count(known.get("candidates"))}; {which} {count(known.get("trial"))}
- seed: {count(known.get("seed"))}
- protocol by which candidates were trained: {named(known.get("protocol"))}
- reward of this {entry.genotype.kind}: {named(known.get("reward"))}
- time of all candidates together: {seconds(known.get("search_seconds"))}
- random search, for comparison: {baseline(entry)}
"""


def _limits(entry: Entry) -> str:
    return f"""## Limits

Measured on the test images of {text(entry.document.dataset.name)} only: accuracy on other images, robustness and
differences between groups of images are {UNKNOWN}. The model knows its {entry.template.classes} classes and answers
with one of them for any image.
"""


def _versions(versions: Sequence[tuple[Address, str | None]]) -> list[str]:
    """The section on versions; none where there is but one of which nothing is said."""
    if len(versions) < 2 and not any(changes for _, changes in versions):
        return []
    rows = "\n".join(
        f"| {address.tag}-v{address.version} | {text(changes or _unsaid(address), 500)} |"
        for address, changes in sorted(versions, reverse=True)
    )
    return [
        f"""## Versions

| version | changes |
|---|---|
{rows}
"""
    ]


def _unsaid(address: Address) -> str:
    return "the first" if address.version == 1 else UNKNOWN


def _files(files: Mapping[str, FileRecord]) -> str:
    rows = "\n".join(f"| {name} | {record.bytes:,} | `{record.sha256}` |" for name, record in sorted(files.items()))
    return f"""## Files

| file | bytes | SHA-256 |
|---|---:|---|
{rows}
"""
