"""``keras.applications.NASNetMobile`` from scratch: no search, one training.

Keras' documentation recommends nothing for a training from scratch. Here: images resized to 32 × 32, the least that the
network takes, from -1 to 1 as its ``preprocess_input`` has them; Adam, batches of 32 (Keras' defaults), epochs until
the time is over, and the checkpoint with the best validation accuracy.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from peers.recorder import Job, Recorder, accuracy, images

SIZE = 32
EPOCHS = 1_000_000  # the clock ends the training


def prepared(x: np.ndarray) -> np.ndarray:
    """Images (n, height, width, channels) from 0 to 1 → (n, 32, 32, channels) from -1 to 1."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.image.resize(x, (SIZE, SIZE)))) * 2 - 1


def main() -> None:
    """Train until the time is over."""
    job = Job.of_this_process()
    data = images(job.data)
    settings = {"optimizer": "adam", "batch_size": 32, "image_size": SIZE}
    recorder = Recorder(job, ("keras", "tensorflow"), settings)
    keras.utils.set_random_seed(job.seed)
    recorder.candidate()
    shape = (SIZE, SIZE, data.x_train.shape[-1])
    model = keras.applications.NASNetMobile(input_shape=shape, weights=None, classes=data.classes)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    x_test = prepared(data.x_test)

    def record(epoch: int, logs: dict[str, Any]) -> None:
        recorder.model(
            100 * logs["val_accuracy"],
            parameters,
            lambda: accuracy(model.predict(x_test, batch_size=250, verbose=0), data.y_test),
            finished=True,
        )

    model.fit(
        prepared(data.x_train),
        data.y_train,
        epochs=EPOCHS,
        validation_data=(prepared(data.x_validation), data.y_validation),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=record)],
        verbose=0,
    )


if __name__ == "__main__":
    main()
