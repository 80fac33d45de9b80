"""What a training leaves on the disk after every epoch, so that an interrupted run can go on where it was.

``RUN/checkpoints`` holds ``run.json`` (which training this is), ``state.npz`` (every variable, the optimizer's vectors,
the history and the weights of the best epoch, in one file written in one step) and ``state.previous.npz``, the one
before. Every part of such a file carries a checksum; a last file that is damaged is passed over for the one before.
"""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.errors import TrainingError
from automl_cells.files import replacing, write_atomically


@dataclass
class State:
    """How far a training has come.

    Attributes:
        epoch: epochs completed.
        step: steps completed.
        seconds: time spent so far, over all sittings.
        best_epoch: the epoch (from 1) whose weights are kept; 0 before the first.
        best_accuracy: its validation accuracy, 0 to 1; -1 without validation.
        history: for each quantity its value in each epoch.
        best: the weights of the best epoch by path, float32.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    history: dict[str, list[float]] = field(default_factory=dict)
    best: dict[str, np.ndarray] = field(default_factory=dict)


class Checkpoints:
    """The folder ``RUN/checkpoints``.

    Args:
        folder: where.
        phase: distinguishes the parts of a training that have a state of their own, such as those of a fine-tuning.
    """

    def __init__(self, folder: Path, phase: str = "") -> None:
        self._run = folder / "run.json"
        self._last = folder / f"{phase}state.npz"
        self._previous = folder / f"{phase}state.previous.npz"

    def begin(self, run: dict[str, Any], write: bool = True) -> None:
        """Note which training this folder belongs to, or hold it against the note of an interrupted one.

        Args:
            run: everything that the course of the training depends on, as JSON data.
            write: whether this process writes.

        Raises:
            TrainingError: the folder belongs to another training; the message names what differs.
        """
        if write:
            for leftover in self._run.parent.glob(".partial-*"):  # of a write that was killed
                leftover.unlink(missing_ok=True)
        if not self._run.exists():
            if write:
                write_atomically(self._run, json.dumps(run, indent=1) + "\n")
            return
        try:
            found = json.loads(self._run.read_bytes())
        except (OSError, ValueError) as error:
            raise TrainingError(f"Expected a readable {self._run}. Received: {error}") from None
        wanted = json.loads(json.dumps(run))
        found = found if isinstance(found, dict) else {}
        differing = [key for key in wanted | found if key not in found or found[key] != wanted.get(key)]
        if differing:
            raise TrainingError(
                f"Expected the training that {self._run.parent.parent} was begun with. "
                f"Received: another {', '.join(differing)}"
            )

    def save(self, variables: Mapping[str, np.ndarray], state: State) -> None:
        """Write the variables of a training and its state; what was the last checkpoint becomes the one before."""
        document = {name: value for name, value in asdict(state).items() if name != "best"}
        arrays = {f"engine/{name}": value for name, value in variables.items()}
        arrays |= {f"best/{name}": value for name, value in state.best.items()}
        with replacing(self._last) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr("state.json", json.dumps(document))
                for name, value in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                        np.lib.format.write_array(file, np.asarray(value, order="C"), allow_pickle=False)
            if self._last.exists():
                os.replace(self._last, self._previous)

    def load(self) -> tuple[dict[str, np.ndarray] | None, State]:
        """The variables and the state last saved; of the checkpoint before, with a warning, if the last is damaged.

        Returns:
            ``None`` and the state of epoch 0 if nothing was saved yet.

        Raises:
            TrainingError: there are checkpoints, and none can be read.
        """
        damage = ""
        for path in (self._last, self._previous):
            if not path.exists():
                continue
            try:
                variables, state = _read(path)
            except Exception as error:  # readers of damaged files raise almost anything; the checksums find the rest
                damage += f"{path} ({error}) "
                continue
            if damage:
                warnings.warn(
                    f"A damaged checkpoint was passed over for the one before, of epoch {state.epoch}: {damage}",
                    stacklevel=2,
                )
            return variables, state
        if damage:
            raise TrainingError(f"Expected a readable checkpoint of this training. Received: {damage}")
        return None, State()


def _read(path: Path) -> tuple[dict[str, np.ndarray], State]:
    """All of a checkpoint, every checksum compared."""
    found: dict[str, dict[str, np.ndarray]] = {"engine": {}, "best": {}}
    with zipfile.ZipFile(path) as archive:
        state = State(**json.loads(archive.read("state.json")))
        for member in archive.namelist():
            part, slash, name = member.removesuffix(".npy").partition("/")
            if slash:
                data = io.BytesIO(archive.read(member))  # which compares the checksum before anything is parsed
                found[part][name] = np.lib.format.read_array(data, allow_pickle=False)
    state.best = found["best"]
    return found["engine"], state
