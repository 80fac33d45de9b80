"""AutoKeras: ``ImageClassifier().fit(x_train, y_train)``, everything at its default.

That is: at most 100 trials of at most 1,000 epochs each, which stop after 10 epochs without a lower validation loss,
on four fifths of the images; its tuner begins with a plain convolutional network, a ResNet-50 and an EfficientNet-B7
with pretrained weights, which it downloads. Where it cannot, that trial fails and the search goes on. After the last
trial the best network is trained anew on all images; before, its user has the best trial's (``get_best_models``).
"""

from __future__ import annotations

import autokeras
import numpy as np
from autokeras.tuners.task_specific import ImageClassifierTuner

from peers.recorded_tuner import Recorded
from peers.recorder import Job, Recorder, images


class RecordedImageClassifierTuner(Recorded, ImageClassifierTuner):
    """AutoKeras' own tuner for images, watched."""


def main() -> None:
    """Search until the time is over."""
    job = Job.of_this_process()
    data = images(job.data)
    settings = {"max_trials": 100, "epochs": "at most 1000, patience 10", "objective": "val_loss", "batch_size": 32}
    Recorded.recorder = Recorder(job, ("autokeras", "keras-tuner", "keras", "tensorflow"), settings)
    Recorded.images = data
    classifier = autokeras.ImageClassifier(
        directory=job.folder, overwrite=True, seed=job.seed, tuner=RecordedImageClassifierTuner
    )
    x = np.concatenate([data.x_train, data.x_validation])  # of which it holds out the last fifth, the same one
    y = np.concatenate([data.y_train, data.y_validation])
    classifier.fit(x, y, verbose=0)
    Recorded.recorder.end("the search ended by itself")


if __name__ == "__main__":
    main()
