"""A tuner of KerasTuner, AutoKeras' among them, that tells the recorder of its trials and epochs.

It hangs on the methods that KerasTuner calls for that purpose (`Tuner.on_epoch_end` and the like), not on callbacks:
AutoKeras 3.0.0 puts the copies of a user's callbacks, after the search, into a list within a list.
"""

from __future__ import annotations

import math
from typing import Any

from peers.recorder import Images, Recorder, accuracy


class Recorded:
    """To be inherited from before the tuner's class; `recorder` and `images` are set on the new class.

    What KerasTuner hands over (``get_best_models``) is the best epoch of the best trial among those that have ended.
    """

    recorder: Recorder
    images: Images
    oracle: Any

    def on_trial_begin(self, trial: Any) -> None:
        """One more candidate."""
        super().on_trial_begin(trial)  # type: ignore[misc]
        self.recorder.candidate()
        self._kept: dict[str, Any] | None = None  # the trial's best epoch, if it was the best of all so far

    def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: dict[str, float] | None = None) -> None:
        """A checkpoint, if the tuner's objective has improved."""
        super().on_epoch_end(trial, model, epoch, logs=logs)  # type: ignore[misc]
        values = logs or {}
        objective = self.oracle.objective
        value = values[objective.name]

        def measured() -> float:
            test = accuracy(model.predict(self.images.x_test, batch_size=250, verbose=0), self.images.y_test)
            self._kept = {**known, "test_accuracy": lambda: test}
            return test

        known: dict[str, Any] = {
            "validation": 100 * values["val_accuracy"],
            "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
            "score": (-value if objective.direction == "min" else value,),
        }
        self.recorder.model(**known, test_accuracy=measured, finished=False)

    def on_trial_end(self, trial: Any) -> None:
        """The trial's best epoch may be handed over from now on."""
        super().on_trial_end(trial)  # type: ignore[misc]
        if self._kept is not None and trial.status == "COMPLETED":
            self.recorder.model(**self._kept, finished=True)
