"""Training the best candidates of a search fully: any space, any number, resumable.

A proxy accuracy ranks roughly, so the papers retrain the best few (BlockQNN its top 100, NASNet 250, MetaQNN 10) and
pick among those. The choice is by validation accuracy: the test accuracy of each is reported, and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from automl_cells.builder import Template, plan
from automl_cells.builder import template as make_template
from automl_cells.builder.template import from_document
from automl_cells.datasets import load
from automl_cells.errors import TrainingError
from automl_cells.files import write_atomically
from automl_cells.search.api import provenance
from automl_cells.search.run_folder import read_run
from automl_cells.search.trials import Trial, best_trials
from automl_cells.training.fit import train
from automl_cells.training.recipes import Recipe
from automl_cells.training.recipes import recipe as make_recipe

SUMMARY = "summary.json"


class TopResult(NamedTuple):
    """One of the best, fully trained: its trial, the run folder of its training, its metrics."""

    trial: Trial
    out: Path
    metrics: dict[str, Any]


def train_top(
    run: str | Path,
    top: int,
    recipe: str | Path | Recipe = "plain",
    *,
    dataset: str | None = None,
    repeats: int | None = None,
    filters: Sequence[int] | None = None,
    filter_multiplier: float | None = None,
    seed: int = 0,
    progress: Console | None = None,
    announce: Callable[[int, Trial], None] | None = None,
) -> list[TopResult]:
    """Train the `top` best candidates of the search in `run`, one after the other.

    Different blocks can make the same network, layer for layer (an identity or a pooling with kernel 1 is no layer):
    such a network is trained once, for the block of the larger reward, and the next best takes the place of the other.
    Each gets a run folder of its own, ``RUN/top/<hash>``, in which `train` goes on where it was interrupted; one
    that is finished is not trained again. ``RUN/top/summary.json`` lists them, with those of earlier calls that were
    trained in the same way.

    Args:
        run: the folder of a search.
        top: how many; fewer if the search has fewer that succeeded.
        recipe: how to train.
        dataset: words that name the data; by default the search's.
        repeats: N of the full network; by default the proxy network's, and so for the next two.
        filters: filters of each stage.
        filter_multiplier: scales the filters of every stage.
        seed: as in `train`.
        progress: as in `train`.
        announce: called with rank (from 1) and trial before each training.

    Returns:
        The trainings, best validation accuracy first; where few validation images tie, the search's reward decides,
        which rests on other held-out images.

    Raises:
        TrainingError: `top` is not positive, no candidate succeeded, or a folder in the way.
        AutoMLCellsError: the run, the data or a size is not valid.
    """
    if top < 1:
        raise TrainingError(f"Expected at least one candidate to train. Received: top={top}")
    settings, trials = read_run(run)
    if not best_trials(trials):
        raise TrainingError(f"Expected a search with at least one candidate done. Received: {run} without any")
    words = dataset or _words(settings, Path(run))
    data = load(words)
    if dataset is None and data.fingerprint != settings["dataset"]["fingerprint"]:
        raise TrainingError(
            f"Expected the data of the search, fingerprint {settings['dataset']['fingerprint']} (another data set must "
            f"be asked for by name). Received: {data.fingerprint}"
        )
    frame = make_template(
        from_document(settings["template"]),
        repeats=repeats,
        filters=None if filters is None else tuple(filters),
        filter_multiplier=filter_multiplier,
        input_shape=data.input_shape,
        classes=data.classes,
    )
    chosen = make_recipe(recipe)
    best = _distinct(best_trials(trials, len(trials)), frame)[:top]
    folder = Path(run) / "top"
    results = []
    for rank, trial in enumerate(best, start=1):
        if announce is not None:
            announce(rank, trial)
        out = folder / trial.genotype.hash[7:15]
        origin = provenance(settings, trial, trials)
        try:
            trained = train(
                trial.genotype,
                data,
                frame,
                chosen,
                out=out,
                provenance=origin,
                seed=seed,
                progress=progress,
                resume=True,
            )
        except TrainingError as error:
            if "was begun with" in str(error):
                error = TrainingError(f"Remove {folder} to train the best anew. {error}")
            raise error from None
        results.append(TopResult(trial, out, trained.metrics))
    results.sort(key=_validation_then_reward, reverse=True)
    rows = [
        {
            "trial": r.trial.number,
            "hash": r.trial.genotype.hash,
            "run": str(r.out),
            "dataset": words,
            "reward": r.trial.reward,
            **r.metrics,
        }
        for r in results
    ]
    alike = {
        "dataset": data.fingerprint,
        "template": frame.model_dump(mode="json"),
        "recipe": chosen.model_dump(mode="json"),
    }
    rows += _others(folder, [row["hash"] for row in rows], alike)
    rows.sort(key=lambda row: (row["validation_accuracy"] or 0.0, row["reward"] or 0.0), reverse=True)
    write_atomically(folder / SUMMARY, json.dumps(rows, indent=1) + "\n")
    return results


def _others(folder: Path, hashes: Sequence[str], alike: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an earlier summary about other networks, trained on the same data in the same template and recipe."""
    try:
        rows = json.loads((folder / SUMMARY).read_bytes())
        return [row for row in rows if row["hash"] not in hashes and _trained(folder / row["hash"][7:15]) == alike]
    except (OSError, ValueError, LookupError, TypeError):
        return []  # none yet, or one that says nothing


def _trained(run: Path) -> dict[str, Any] | None:
    """Of a finished training what the members of an ensemble must agree in."""
    model = run / "entry" / "model.json"
    document = json.loads(model.read_bytes()) if model.is_file() else {}
    names = {"dataset": document.get("dataset", {}).get("fingerprint")}
    return {**names, **{name: document.get(name) for name in ("template", "recipe")}}


def _validation_then_reward(result: TopResult) -> tuple[float, float]:
    return result.metrics["validation_accuracy"] or 0.0, result.trial.reward or 0.0


def _distinct(trials: Sequence[Trial], frame: Template) -> list[Trial]:
    """The first trial of every network, in order."""
    networks: dict[Any, Trial] = {}
    for trial in trials:
        layers = plan(trial.genotype, frame)
        networks.setdefault(tuple(layer._replace(name="") for layer in layers), trial)
    return list(networks.values())


def _words(settings: dict[str, Any], run: Path) -> str:
    """Words that name the search's data: arrays given in Python are kept in the run folder."""
    kept = run / "dataset.npz"
    return f"npz:{kept}" if kept.is_file() else settings["dataset"]["words"]
