"""The best trained networks of a search as one: a Keras model that averages their probabilities, left as a zoo entry.

MetaQNN (arXiv 1611.02167v2, section 5.1 and table 4) ensembles its best five networks (for MNIST all ten).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras

from automl_cells.builder import Template, build
from automl_cells.builder.ensemble_network import prefixed
from automl_cells.builder.template import from_document
from automl_cells.datasets import Dataset, Preprocessing, load
from automl_cells.errors import TrainingError
from automl_cells.genotypes import EnsembleGenotype, Genotype
from automl_cells.genotypes.serialization import from_file
from automl_cells.training import entry as entries
from automl_cells.training.conclusion import TrainingResult, accuracy
from automl_cells.training.fit import split
from automl_cells.training.recipes import from_document as recipe_of
from automl_cells.training.top import SUMMARY
from automl_cells.training.weights import load_weights, save_values

_ALIKE = ("template", "preprocessing", "labels", "dataset", "recipe")
"""What the members' ``model.json`` must agree in."""


class Member(NamedTuple):
    """One trained network: its row of the summary, its entry folder, genotype, provenance and ``model.json``."""

    row: dict[str, Any]
    entry: Path
    genotype: Genotype
    provenance: dict[str, Any]
    document: dict[str, Any]


def ensemble(
    run: str | Path,
    top: int = 5,
    *,
    out: str | Path | None = None,
    dataset: Dataset | str | None = None,
    name: str | None = None,
    tag: str | None = None,
) -> TrainingResult:
    """Make one network of the `top` best ones that `train_top` has trained, and measure it on the test images.

    The best are those of the highest validation accuracy (where the recipe holds no images out, of the largest reward
    in the search), as ``RUN/top/summary.json`` lists them. Nothing is trained: the weights are those of the members,
    as stored. An ensemble made before in `out` is replaced.

    Args:
        run: the folder of a search.
        top: how many networks.
        out: the folder for the entry; by default ``RUN/ensemble``.
        dataset: the data that the members learnt, or words that name it; by default what they were trained with.
        name: name of the zoo entry; by default kind and hash of the ensemble.
        tag: tag of the zoo entry; by default the members'.

    Returns:
        The ensemble, as a training's result; ``metrics["members"]`` lists the members with their accuracies.

    Raises:
        TrainingError: fewer than two networks asked for or fewer trained than asked for, members of different
            trainings, other data, or a folder in the way.
        DataError: the data set cannot be used.
    """
    if type(top) is not int or top < 2:
        raise TrainingError(f"Expected at least two networks to average. Received: top={top!r}")
    members = _members(Path(run), top)
    genotype = EnsembleGenotype(tuple(member.genotype for member in members))
    document = members[0].document
    template, preprocessing = (
        from_document(document["template"]),
        Preprocessing.from_document(document["preprocessing"]),
    )
    data = load(_words(Path(run), members[0].row) if dataset is None else dataset)
    if data.fingerprint != document["dataset"]["fingerprint"]:
        raise TrainingError(
            f"Expected the data that the members learnt, {document['dataset']['name']} with the fingerprint "
            f"{document['dataset']['fingerprint']}. Received: {data.name} with {data.fingerprint}"
        )
    name = entries.check_word(name or f"ensemble_{genotype.hash[7:15]}", "name")
    tag = entries.check_word(tag or document["tag"], "tag")
    folder = Path(run) / "ensemble" if out is None else Path(out)
    _check_folder(folder)
    partial = folder / ".partial-entry"
    shutil.rmtree(partial, ignore_errors=True)
    model = _assembled(genotype, template, members, partial / entries.WEIGHTS)
    metrics = {
        **_measured(model, preprocessing, data, members),
        **entries.costs(genotype, template),
        **_of_the_trainings(members),
        "test_images": len(data.x_test),
        "members": [_about(member) for member in members],
        "versions": entries.environment(),
    }
    made = {**document, "name": name, "tag": tag}
    entry = folder / "entry"
    entries.complete_entry(partial, entry, genotype, _provenance(members), made, metrics, {})
    return TrainingResult(folder, entry, metrics, {}, model)


def _members(run: Path, top: int) -> list[Member]:
    """The first rows of the summary with what their folders hold."""
    summary = run / "top" / SUMMARY
    try:
        rows = json.loads(summary.read_bytes())
        found = [_member(run, row) for row in rows[:top]]
    except FileNotFoundError as error:
        raise TrainingError(
            f"Expected a search whose best were trained (automl-cells finetune-top {run}). Received: no "
            f"{error.filename}"
        ) from None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise TrainingError(f"Expected a readable {summary} and the entries it lists. Received: {error}") from None
    if len(found) < top:
        raise TrainingError(
            f"Expected {top} trained networks in {run / 'top'} (automl-cells finetune-top {run} --top {top}). "
            f"Received: {len(found)}"
        )
    for member in found[1:]:
        different = [field for field in _ALIKE if member.document[field] != found[0].document[field]]
        if different:
            raise TrainingError(
                f"Expected members of one template, data set and recipe. Received: another {different[0]} in "
                f"{member.entry}"
            )
    return found


def _member(run: Path, row: dict[str, Any]) -> Member:
    if not isinstance(row, dict):
        raise TrainingError(f"Expected rows of the summary as JSON objects. Received: {row!r:.80}")
    entry = run / "top" / row["hash"][7:15] / "entry"
    document = json.loads((entry / "model.json").read_bytes())
    genotype, provenance = from_file(entry / "genotype.json")
    known = isinstance(document, dict) and {*_ALIKE, "tag"} <= set(document)
    if not known or not isinstance(document["dataset"], dict) or not isinstance(document["tag"], str):
        raise TrainingError(f"Expected a model.json with {', '.join(_ALIKE)} and tag. Received: {entry / 'model.json'}")
    metrics = json.loads((entry / "metrics.json").read_bytes())  # the summary decides the order only
    numbers = [metrics.get(name) if isinstance(metrics, dict) else None for name in ("test_accuracy", "parameters")]
    if not all(type(number) in (int, float) for number in numbers):
        raise TrainingError(f"Expected metrics.json with accuracy and parameters. Received: {entry / 'metrics.json'}")
    return Member({**row, **metrics}, entry, genotype, provenance, document)


def trained_on(run: str | Path) -> str:
    """Words that name the data with which the best networks of a search were trained.

    Raises:
        TrainingError: none were, or what is left of it cannot be read.
    """
    return _words(Path(run), _members(Path(run), 1)[0].row)


def _words(run: Path, row: Mapping[str, Any]) -> str:
    """Words that name the data: arrays given in Python are kept in the run folder, wherever that is now."""
    kept = run / "dataset.npz"
    given = row.get("dataset")
    if not isinstance(given, str) or not given:
        raise TrainingError(f"Expected the data set in {run / 'top' / SUMMARY}, or given. Received: {given!r:.80}")
    return f"npz:{kept}" if kept.is_file() and given.endswith("dataset.npz") else given


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an ensemble."""
    inside = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    entry = folder / "entry" / "genotype.json"
    ours = not inside or (entry.is_file() and from_file(entry)[0].kind == EnsembleGenotype.kind)
    if folder.is_file() or not (ours or inside == [".partial-entry"]):
        raise TrainingError(f"Expected an empty folder, or that of an ensemble. Received: {folder}")


def _assembled(genotype: EnsembleGenotype, template: Template, members: list[Member], path: Path) -> keras.Model:
    """The ensemble with the weights of its members, which are written to `path` and read back."""
    values = {}
    for number, member in enumerate(members, start=1):
        network = build(member.genotype, template)
        load_weights(network, member.entry / entries.WEIGHTS)
        for variable, value in zip(network.weights, network.get_weights(), strict=True):
            values[prefixed(number, variable.path)] = value
    save_values(values, path)
    model = build(genotype, template)
    load_weights(model, path)
    return model


def _measured(
    model: keras.Model, preprocessing: Preprocessing, data: Dataset, members: list[Member]
) -> dict[str, float | None]:
    """Accuracies in per cent: on the test images, and on the validation images if the members held the same out."""
    test = 100 * accuracy(model, preprocessing, data.x_test, data.y_test)
    recipe, seed = recipe_of(members[0].document["recipe"]), members[0].row.get("seed")
    validation = None
    if recipe.validation_fraction > 0 and type(seed) is int and all(m.row.get("seed") == seed for m in members):
        _, held_out = split(data, recipe, seed)
        validation = round(100 * accuracy(model, preprocessing, data.x_train[held_out], data.y_train[held_out]), 4)
    return {"test_accuracy": round(test, 4), "test_error": round(100 - test, 4), "validation_accuracy": validation}


def _of_the_trainings(members: list[Member]) -> dict[str, Any]:
    """What the members' trainings have in common, and their time together."""
    rows = [member.row for member in members]
    shared = {name: rows[0].get(name) for name in ("epochs", "training_images", "precision", "replicas", "seed")}
    seconds = [row.get("seconds") for row in rows]
    return {**shared, "seconds": round(sum(value for value in seconds if isinstance(value, int | float)), 2)}


def _about(member: Member) -> dict[str, Any]:
    names = ("hash", "trial", "reward", "validation_accuracy", "test_accuracy", "parameters")
    return {name: member.row.get(name) for name in names}


def _provenance(members: list[Member]) -> dict[str, Any]:
    """That of the search; the trials of all members, and no reward, since none was given to the ensemble."""
    found: Mapping[str, Any] = members[0].provenance
    own = {name: value for name, value in found.items() if name not in ("trial", "reward", "metrics")}
    trials = ", ".join(str(member.row.get("trial")) for member in members)
    reward = found.get("reward")
    return {**own, "trial": trials, "reward": {"name": reward.get("name") if isinstance(reward, dict) else None}}
