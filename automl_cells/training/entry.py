"""The entry that a training leaves in ``RUN/entry``: the files from which the zoo makes a published model."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
from filelock import FileLock, Timeout

from automl_cells.builder import Template, cost, plan
from automl_cells.datasets import Dataset
from automl_cells.errors import TrainingError
from automl_cells.files import WORD, write_atomically
from automl_cells.genotypes import EnsembleGenotype, Genotype
from automl_cells.genotypes import write as write_genotype
from automl_cells.training.distribution import first_machine
from automl_cells.training.recipes import Recipe

FORMAT = "automl_cells/model"
VERSION = 1
WEIGHTS = "model.weights.h5"


def check_word(word: str, what: str) -> str:
    """`word`, if it can stand in a zoo address ``name/tag-vN`` and as a folder.

    Raises:
        TrainingError: it cannot.
    """
    if not re.fullmatch(WORD, word):
        raise TrainingError(f"Expected a {what} of a-z, 0-9 and '_', at most 100. Received: {word!r:.120}")
    return word


def check_trainable(genotype: Genotype) -> None:
    """Refuse what is no network of its own.

    Raises:
        TrainingError: an ensemble, whose members are trained one by one.
    """
    if isinstance(genotype, EnsembleGenotype):
        raise TrainingError(
            "Expected a genotype of one network: the members of an ensemble are trained one by one (finetune-top, then "
            f"ensemble). Received: an ensemble of {len(genotype.members)}"
        )


def as_word(text: str) -> str:
    """`text` with everything replaced that cannot stand in a zoo address."""
    return re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")[:100] or "data"


def model_document(name: str, tag: str, template: Template, dataset: Dataset, recipe: Recipe) -> dict[str, Any]:
    """The content of ``model.json``: what is needed, beside genotype and weights, to use the model."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "tag": tag,
        "template": template.model_dump(mode="json"),
        "preprocessing": dataset.preprocessing.to_document(),
        "labels": list(dataset.class_names),
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "recipe": recipe.model_dump(mode="json"),
    }


def costs(genotype: Genotype, template: Template) -> dict[str, int | None]:
    """Parameters and multiply-adds of the network, read from its plan."""
    found = cost(plan(genotype, template))
    return {"parameters": found.parameters, "total_parameters": found.total_parameters, "flops": found.flops}


def environment() -> dict[str, str]:
    """Where a number was measured: versions, backend and processors."""
    versions = {"python": platform.python_version(), "backend": keras.backend.backend()}
    for package in ("automl_cells", "keras", keras.backend.backend(), "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # run from the source tree
            continue
    return {**versions, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse a run folder that is in use.

    Raises:
        TrainingError: a file, something else than a training, or a training without being told to resume it.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"Expected a folder for the training run. Received: {folder} (a file)")
    if not folder.exists() or not any(folder.iterdir()):
        return
    inside = [path for path in folder.rglob("*") if not path.name.startswith(".")]
    if inside == [folder / "checkpoints"]:  # a training that was killed before it had begun
        return
    if not (folder / "checkpoints" / "run.json").exists():
        raise TrainingError(f"Expected an empty folder for the training run. Received: {folder}")
    if not resume:
        raise TrainingError(
            f"Expected an empty folder for the training run, or to be told to resume. "
            f"Received: {folder} (a training was begun there)"
        )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a run folder for this process, on the first of several machines; the lock goes with the process.

    Raises:
        TrainingError: another training is under way in it.
    """
    if not first_machine():
        yield
        return
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    lock = FileLock(checkpoints / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(f"Expected no other training to be running in {folder}. Received: one that is") from None
    try:
        yield
    finally:
        lock.release()


def complete_entry(
    partial: Path,
    entry: Path,
    genotype: Genotype,
    provenance: Mapping[str, Any],
    model: Mapping[str, Any],
    metrics: Mapping[str, Any],
    history: Mapping[str, list[float]],
) -> None:
    """Write the files beside the weights that are in the folder `partial` already, then name it `entry`.

    The folder gets its name when everything is in it, so that an entry is there whole or not at all.
    """
    from automl_cells.genotypes.drawing import draw_svg

    write_genotype(genotype, partial / "genotype.json", provenance)
    for file, document in (("model.json", model), ("metrics.json", metrics), ("history.json", history)):
        write_atomically(partial / file, json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    write_atomically(partial / "drawing.svg", draw_svg(genotype.parts(), f"{model['name']}/{model['tag']}"))
    if entry.exists():
        shutil.rmtree(entry)
    partial.rename(entry)


def read_documents(entry: Path) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """The metrics and the history in a finished entry.

    Raises:
        TrainingError: they cannot be read.
    """
    try:
        return json.loads((entry / "metrics.json").read_bytes()), json.loads((entry / "history.json").read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"Expected a finished entry with metrics and history in {entry}. Received: {error}"
        ) from None
