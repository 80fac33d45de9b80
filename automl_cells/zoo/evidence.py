"""What a card can prove beyond the training: parity of exports, and what random search reached with the same effort.

Both are measured before an entry is published and written into the ``metrics.json`` of the run, which publishing makes
immutable.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cells.datasets import Dataset
from automl_cells.errors import ExportError, ZooError
from automl_cells.files import write_atomically
from automl_cells.zoo.derive import export_entry
from automl_cells.zoo.entry import METRICS, Entry
from automl_cells.zoo.manifest import read_json
from automl_cells.zoo.shelf import entry_folder

if TYPE_CHECKING:
    from automl_cells.export import ExportResult

EXPORTS, BASELINE = "exports", "random_search"
"""The fields of ``metrics.json``."""

FLOAT_FORMATS = ("savedmodel", "onnx", "litert")


def add_exports(
    run: str | Path, data: Dataset | None = None, watch: Callable[[str], None] = lambda what: None
) -> dict[str, Any]:
    """Export the entry of a run in every format, compare with Keras, and write down how they agree.

    The files themselves are not kept: `automl_cells.zoo.build_entry` makes them again.

    Args:
        run: a training run or its entry folder, not published.
        data: real images; by default the data set that the entry learnt.
        watch: told what is done next.

    Returns:
        For each format parity, size and, for int8, accuracies; ``{"error": …}`` for an int8 file that costs more than a
        point, since the others are good without it.

    Raises:
        ZooError: an entry that was published, or no images.
        ExportError: a float export that does not agree with Keras within 1e-4.
    """
    entry = _open(run)
    with tempfile.TemporaryDirectory(prefix="automl-cells-") as folder:
        results = export_entry(entry, FLOAT_FORMATS, folder, data=data, watch=watch)
        found: dict[str, Any] = {form: _document(result) for form, result in results.items()}
        try:
            found["int8"] = _document(export_entry(entry, ["int8"], folder, data=data, watch=watch)["int8"])
        except ExportError as error:
            found["int8"] = {"error": str(error)}
    _add(entry, EXPORTS, {"formats": found, "versions": _versions()})
    return found


def add_baseline(run: str | Path, search: str | Path) -> dict[str, Any]:
    """Write down what random search reached in the same space, with the same data, protocol and reward.

    Args:
        run: a training run or its entry folder, not published, of a genotype that a search found.
        search: the folder of a search with the strategy ``random``; if its best were trained with ``finetune-top``, the
            one with the highest validation accuracy is noted too.

    Returns:
        Candidates, seconds, seed, the best and the mean reward, and what the best reached when it was trained.

    Raises:
        ZooError: an entry that was published or not searched for, or a search of another kind.
        JournalError: no search in that folder.
    """
    from automl_cells.search import best_trials, read_run

    entry = _open(run)
    settings, trials = read_run(search)
    if "space" not in entry.provenance:
        raise ZooError(f"Expected the entry of a genotype that a search found. Received: {run}, which says of none")
    if settings["strategy"]["name"] != "random":
        raise ZooError(f"Expected a search with the strategy random. Received: {settings['strategy']['name']}")
    same = {
        "space": settings["space"],
        "dataset": settings["dataset"]["fingerprint"],
        "proxy_template": settings["template"],
        "protocol": settings["protocol"]["name"],
    }
    reward = entry.provenance.get("reward", {}).get("name")
    data = entry.provenance.get("dataset")
    fingerprint = data.get("fingerprint") if isinstance(data, dict) else None  # its words depend on where the data lie
    own = {**entry.provenance, "dataset": fingerprint}
    different = [name for name, value in same.items() if own.get(name) != value]
    options = entry.provenance.get("reward", {}).get("options", {})
    if different or reward != settings["reward"] or options != settings.get("reward_options", {}):
        raise ZooError(
            f"Expected a random search like the one that found the {entry.genotype.kind}. "
            f"Received: another {', '.join(different) or 'reward'}"
        )
    done = [trial for trial in best_trials(trials, len(trials)) if not trial.stopped]
    if not done:
        raise ZooError(f"Expected a search with at least one candidate done. Received: {search} without any")
    rewards = [trial.reward for trial in done if trial.reward is not None]
    found: dict[str, Any] = {
        "candidates": sum(trial.finished for trial in trials),
        "search_seconds": round(sum(trial.seconds or 0.0 for trial in trials), 1),
        "seed": settings["seed"],
        "best_reward": max(rewards),
        "mean_reward": sum(rewards) / len(rewards),
    }
    summary = Path(search) / "top" / "summary.json"
    if summary.is_file():
        rows = read_json(summary)
        names = ("validation_accuracy", "test_accuracy", "parameters", "epochs")
        found["trained"] = {"networks": len(rows), **{name: rows[0].get(name) for name in names}}
    _add(entry, BASELINE, found)
    return found


def _open(run: str | Path) -> Entry:
    entry = Entry.read(entry_folder(run))
    if entry.manifest is not None:
        raise ZooError(f"Expected an entry that was not published, since none ever changes. Received: {entry.address}")
    return entry


def _add(entry: Entry, name: str, value: dict[str, Any]) -> None:
    metrics = {**read_json(entry.folder / METRICS), name: value}
    write_atomically(entry.folder / METRICS, json.dumps(metrics, indent=1, allow_nan=False) + "\n")


def _document(result: ExportResult) -> dict[str, Any]:
    """What `ExportResult` says of the file, without its name and hash: it is not kept."""
    left_out = {"path", "sha256"}
    if result.path.is_dir():
        left_out.add("bytes")  # TensorFlow's varies by a byte or two, and the same entry must have the same metrics
    return {name: value for name, value in result.to_document().items() if name not in left_out}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("tensorflow", "tf2onnx", "onnx", "onnxruntime")}
