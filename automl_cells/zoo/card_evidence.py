"""The parts of a card that `automl_cells.zoo.evidence` fills: parity of exports, and random search."""

from __future__ import annotations

from collections.abc import Mapping

from automl_cells.zoo.card_text import UNKNOWN, count, decimal, number, percent, seconds, small, text
from automl_cells.zoo.entry import Entry


def baseline(entry: Entry) -> str:
    """What random search reached in the same space, in a line."""
    found = entry.metrics.get("random_search")
    if not isinstance(found, Mapping):
        return UNKNOWN
    line = (
        f"{count(found.get('candidates'))} candidates (seed {count(found.get('seed'))}, "
        f"{seconds(found.get('search_seconds'))}) reached a reward of {decimal(found.get('best_reward'))} "
        f"at best and {decimal(found.get('mean_reward'))} on average"
    )
    trained = found.get("trained")
    if not isinstance(trained, Mapping):
        return line
    return (
        f"{line}; of the best {count(trained.get('networks'))}, trained fully, the one with the highest validation "
        f"accuracy reached {percent(trained.get('test_accuracy'))} on the test images "
        f"with {count(trained.get('parameters'))} parameters"
    )


def exports(entry: Entry) -> str:
    """How exported files agreed with Keras when the entry was published."""
    found = entry.metrics.get("exports")
    formats = found.get("formats") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(formats, Mapping):
        return f"## Exports\n\nHow exported files agree with Keras: {UNKNOWN}. `automl-cells export` measures it.\n"
    rows, accuracy = [], ""
    for form, about in formats.items():
        if not isinstance(about, Mapping) or "error" in about:
            reason = about.get("error") if isinstance(about, Mapping) else UNKNOWN
            accuracy += f"\n{text(form)} was refused: {text(reason)}\n"
            continue
        agreement = number(about.get("top1_agreement"))
        rows.append(
            f"| {text(form)} | {count(about.get('bytes', 'varies'))} | {small(about.get('max_abs_difference'))} "
            f"| {percent(None if agreement is None else 100 * agreement)} | {count(about.get('images'))} |"
        )
        if "accuracy_int8" in about:
            accuracy += (
                f"\nAccuracy on {count(about.get('accuracy_images'))} test images: "
                f"{percent(about.get('accuracy_int8'))} in int8, {percent(about.get('accuracy_float'))} in float32.\n"
            )
    versions = found.get("versions")
    listed = [f"{text(k)} {text(v)}" for k, v in versions.items()] if isinstance(versions, Mapping) else [UNKNOWN]
    table = "\n".join(rows)
    return f"""## Exports

Compared with Keras on real images when the entry was published ({", ".join(listed)}):

| format | bytes | largest difference of an output | same first class | images |
|---|---:|---:|---:|---:|
{table}
{accuracy}"""
