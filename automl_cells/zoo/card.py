"""The model card: ``README.md`` of an entry, in the form that Hugging Face reads (YAML front matter, then Markdown).

It states what was measured and where from; what is not known is said to be not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from automl_cells.zoo.address import Address
from automl_cells.zoo.entry import DRAWING, Entry
from automl_cells.zoo.manifest import FileRecord
from automl_cells.zoo.structures import structures

UNKNOWN = "not known"


def card(entry: Entry, address: Address, files: Mapping[str, FileRecord]) -> str:
    """The text of the card.

    Args:
        entry: what is published.
        address: where.
        files: the other files of the entry, with size and hash.
    """
    sections = [_description(entry, address), _use(entry, address), _data(entry), _training(entry), _search(entry)]
    return "\n".join([_front_matter(entry, address), *sections, _limits(entry), _files(files)])


def _front_matter(entry: Entry, address: Address) -> str:
    """YAML whose values are JSON, which YAML contains."""
    name = _text(entry.document.dataset.name)
    fields: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["automl_cells", "neural-architecture-search"],
        "datasets": [name],
        "metrics": ["accuracy"],
    }
    accuracy = _number(entry.metrics.get("test_accuracy"))
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

{what} made of repeated {entry.genotype.kind}s that automl_cells built and trained.

| | |
|---|---|
| test accuracy | {_percent(entry.metrics.get("test_accuracy"))} |
| trainable parameters | {cost.parameters:,} |
| multiply-adds for one image | {flops} |
| image (height, width, channels) | {template.input_shape} |
| classes | {template.classes} |
| template | {_text(template.name)}, N = {template.repeats}, filters {", ".join(map(str, template.filters))} |
| genotype | `{entry.genotype.hash}` |

![the {entry.genotype.kind}]({DRAWING})
"""


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
    return f"""## Use

```python
from automl_cells.zoo import resolve

entry = resolve("{address}")  # or the path of this folder
model = entry.load_model()  # keras.Model
inputs = entry.preprocessing(images)  # raw pixels (n, height, width, channels) -> float32
probabilities = model.predict(inputs)  # (n, {entry.template.classes}), in the order of entry.labels
```
{constructor}
`automl-cells zoo build {address}` makes a SavedModel and an ONNX file of it and measures that they agree with Keras.
"""


def _data(entry: Entry) -> str:
    dataset, metrics = entry.document.dataset, entry.metrics
    labels = ", ".join(_text(label) for label in entry.labels[:50])
    if len(entry.labels) > 50:
        labels += f", … ({len(entry.labels)} in all, see `model.json`)"
    mean, std = _floats(entry.preprocessing.mean), _floats(entry.preprocessing.std)
    training, test = _count(metrics.get("training_images")), _count(metrics.get("test_images"))
    return f"""## Data

- data set: {_text(dataset.name)}, fingerprint `{_text(dataset.fingerprint)}`
- images trained on: {training}; images tested on, once, at the end: {test}
- input: (pixels - mean) / std per channel, mean {mean}, std {std}
- labels: {labels}
"""


def _training(entry: Entry) -> str:
    metrics, recipe = entry.metrics, entry.document.recipe
    versions = metrics.get("versions")
    environment = UNKNOWN
    if isinstance(versions, dict):
        environment = ", ".join(f"{_text(name)} {_text(value)}" for name, value in versions.items())
    origin = entry.provenance.get("finetuned_from")
    start = ""
    if isinstance(origin, dict):
        digest = _text(origin.get("weights_sha256", UNKNOWN))
        start = f"- fine-tuned from: {_text(origin.get('entry', UNKNOWN))}, weights `{digest}`\n"
    return f"""## Training

{start}- recipe: {_text(recipe.get("name", UNKNOWN))} (all of it in `model.json`)
- epochs: {_count(metrics.get("epochs"))}, weights kept of epoch {_count(metrics.get("best_epoch"))}
- validation accuracy: {_percent(metrics.get("validation_accuracy"))}
- seed: {_count(metrics.get("seed"))}; time: {_seconds(metrics.get("seconds"))}
- environment: {environment}
- weights are stored as float16 (float32 where float16 cannot hold them) and computed with as float32
"""


def _search(entry: Entry) -> str:
    known = entry.provenance
    if "space" not in known and "source" in known:
        return f"""## Search

The {entry.genotype.kind} was not searched for here. Source: {_text(known["source"])}.
"""
    return f"""## Search

- space: {_named(known.get("space"))}
- strategy: {_named(known.get("strategy"))}
- candidates: {_count(known.get("candidates"))}; this one was trial {_count(known.get("trial"))}
- seed: {_count(known.get("seed"))}
- protocol by which candidates were trained: {_named(known.get("protocol"))}
- reward of this {entry.genotype.kind}: {_named(known.get("reward"))}
- time of all candidates together: {_seconds(known.get("search_seconds"))}
"""


def _limits(entry: Entry) -> str:
    return f"""## Limits

Measured on the test images of {_text(entry.document.dataset.name)} only: accuracy on other images, robustness and
differences between groups of images are {UNKNOWN}. The model knows its {entry.template.classes} classes and answers
with one of them for any image.
"""


def _files(files: Mapping[str, FileRecord]) -> str:
    rows = "\n".join(f"| {name} | {record.bytes:,} | `{record.sha256}` |" for name, record in sorted(files.items()))
    return f"""## Files

| file | bytes | SHA-256 |
|---|---:|---|
{rows}
"""


def _named(value: Any) -> str:
    """A word of the provenance, or a name with its value or options."""
    if not isinstance(value, Mapping):
        return _text(UNKNOWN if value is None else value)
    name, number = _text(value.get("name", UNKNOWN)), _number(value.get("value"))
    if number is not None:
        return f"{number:.6g} ({name})"
    options = value.get("options")
    return f"{name}, options {_text(json.dumps(options))}" if options else name


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _percent(value: Any) -> str:
    number = _number(value)
    return UNKNOWN if number is None else f"{number:.2f} %"


def _seconds(value: Any) -> str:
    number = _number(value)
    return UNKNOWN if number is None else f"{number:,.0f} s"


def _count(value: Any) -> str:
    number = _number(value)
    return _text(UNKNOWN if value is None else value) if number is None else f"{number:,.0f}"


def _floats(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _text(value: Any) -> str:
    """`value` on one line, without characters that Markdown would take for a table, code or HTML."""
    return " ".join("".join(c if c.isprintable() and c not in "|`<>" else " " for c in str(value)).split())[:300]
