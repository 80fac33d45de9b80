"""What a training leaves on the disk after every epoch, so that an interrupted run can go on where it was.

``RUN/checkpoints`` holds ``run.json`` (which training this is), ``best.weights.h5`` (float32 weights of the best epoch
so far) and ``state.h5`` (every variable of the model and the optimizer, with the history), each written in one step.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from automl_cells.errors import TrainingError
from automl_cells.files import replacing, write_atomically
from automl_cells.training.weights import save_weights


@dataclass
class State:
    """How far a training has come.

    Attributes:
        epoch: epochs completed.
        seconds: time spent so far, over all sittings.
        best_epoch: the epoch (from 1) whose weights are kept; 0 before the first.
        best_accuracy: its validation accuracy, 0 to 1.
        history: for each quantity its value in each epoch.
    """

    epoch: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    history: dict[str, list[float]] = field(default_factory=dict)


class Checkpoints:
    """The folder ``RUN/checkpoints``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best = folder / "best.weights.h5"
        self._run = folder / "run.json"
        self._state = folder / "state.h5"

    def begin(self, run: dict[str, Any]) -> None:
        """Note which training this folder belongs to, or hold it against the note of an interrupted one.

        Args:
            run: everything that the course of the training depends on, as JSON data.

        Raises:
            TrainingError: the folder belongs to another training; the message names what differs.
        """
        if not self._run.exists():
            write_atomically(self._run, json.dumps(run, indent=1) + "\n")
            return
        try:
            found = json.loads(self._run.read_bytes())
        except (OSError, ValueError) as error:
            raise TrainingError(f"Expected a readable {self._run}. Received: {error}") from None
        wanted = json.loads(json.dumps(run))
        differing = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
        if differing:
            raise TrainingError(
                f"Expected the training that {self._run.parent.parent} was begun with. "
                f"Received: another {', '.join(differing)}"
            )

    def save(self, model: keras.Model, state: State) -> None:
        """Write the variables of `model` and its optimizer, with the state."""
        with replacing(self._state) as temporary, h5py.File(temporary, "w") as file:
            file["state"] = json.dumps(asdict(state))
            for number, variable in enumerate(_variables(model)):
                file[f"variables/{number}"] = variable.numpy()

    def restore(self, model: keras.Model) -> State:
        """Give `model` and its optimizer the variables last saved.

        Returns:
            The state saved with them; that of epoch 0 if nothing was saved yet.

        Raises:
            TrainingError: the file is damaged or belongs to another model.
        """
        if not self._state.exists():
            return State()
        variables = _variables(model)
        try:
            with h5py.File(self._state, "r") as file:
                state = State(**json.loads(file["state"][()]))
                if len(file["variables"]) != len(variables):
                    raise KeyError(f"{len(file['variables'])} variables instead of {len(variables)}")
                values = [np.asarray(file[f"variables/{number}"]) for number in range(len(variables))]
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(
                f"Expected a readable checkpoint of this training. Received: {self._state} ({error})"
            ) from None
        return state


def _variables(model: keras.Model) -> list[Any]:
    """All that a next step depends on: weights, random generators and the optimizer's variables."""
    counted = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in counted]
    return [*own, *model.optimizer.variables]


class KeepCheckpoints(keras.callbacks.Callback):
    """Writes a checkpoint after every epoch and keeps the weights of the best.

    The best epoch has the highest validation accuracy; among equals the latest, whose learning rate is the lowest: with
    few validation images many epochs tie, and a low loss on them can be luck. Without any the last epoch is kept.

    Args:
        checkpoints: where to.
        network: the model whose weights are kept (the one inside the wrapper).
        state: continued, and changed in place.
    """

    def __init__(self, checkpoints: Checkpoints, network: keras.Model, state: State) -> None:
        super().__init__()
        self.checkpoints, self.network, self.state = checkpoints, network, state
        self._since = time.monotonic()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._since = time.monotonic()

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Keep the weights if this validation is the best so far; averaged weights are still in the model here."""
        logs = logs or {}
        accuracy = logs.get("accuracy", 0.0)
        if accuracy >= self.state.best_accuracy:
            save_weights(self.network, self.checkpoints.best, dtype="float32")
            self.state.best_accuracy = float(accuracy)
            self.state.best_epoch = self.state.epoch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the history and the checkpoint.

        Raises:
            TrainingError: the training has diverged.
        """
        values = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(values.get("loss", 0.0)):
            raise TrainingError(
                f"Expected a finite loss (a lower learning rate may help). Received: {values['loss']} "
                f"in epoch {epoch + 1}"
            )
        for name, value in values.items():
            self.state.history.setdefault(name, []).append(value)
        now = time.monotonic()
        self.state.seconds += now - self._since
        self._since = now
        self.state.epoch = epoch + 1
        self.checkpoints.save(self.model, self.state)
