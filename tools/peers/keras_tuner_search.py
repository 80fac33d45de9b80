"""KerasTuner: random search or Hyperband over a hypermodel of its own documentation.

``cnn`` is the convolutional model of its guide "Distributed hyperparameter tuning with KerasTuner", written there for
MNIST; ``resnet`` is its `HyperResNet`, which the page "KerasTuner HyperModels" applies to images of 28 × 28 pixels.
Objective, factor and Hyperband's 50 epochs are the guide's. Random search, for which no epochs are recommended, gets
the same 50. Trainings stop early as in TensorFlow's tutorial "Introduction to the Keras Tuner" (patience of 5 epochs);
the guide's patience of 0 would end most at once. All else is at its default.
"""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

from peers.recorded_tuner import Recorded
from peers.recorder import Job, Recorder, images

EPOCHS, PATIENCE = 50, 5
UNLIMITED = 1_000_000  # trials of a random search, iterations of Hyperband: the clock ends them


def convolutional(hp: Any, shape: tuple[int, ...], classes: int) -> Any:
    """The guide's hypermodel for images of another `shape`; Keras 3 wants the size of a pooling, which was 2."""
    inputs = keras.Input(shape)
    x = inputs
    for i in range(hp.Int("conv_layers", 1, 3, default=3)):
        filters = hp.Int(f"filters_{i}", 4, 32, step=4, default=8)
        kernel = hp.Int(f"kernel_size_{i}", 3, 5)
        x = keras.layers.Conv2D(filters, kernel, activation="relu", padding="same")(x)
        if hp.Choice(f"pooling{i}", ["max", "avg"]) == "max":
            x = keras.layers.MaxPooling2D(2)(x)
        else:
            x = keras.layers.AveragePooling2D(2)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    if hp.Choice("global_pooling", ["max", "avg"]) == "max":
        x = keras.layers.GlobalMaxPooling2D()(x)
    else:
        x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(hp.Choice("optimizer", ["adam", "sgd"]), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    """Search until the time is over; the system's name says how: ``keras_tuner_TUNER`` or ``hyper_resnet_TUNER``."""
    job = Job.of_this_process()
    data = images(job.data)
    resnet, hyperband = job.system.startswith("hyper_resnet"), job.system.endswith("hyperband")
    shape = data.x_train.shape[1:]
    hypermodel = (
        keras_tuner.applications.HyperResNet(input_shape=shape, classes=data.classes)
        if resnet
        else lambda hp: convolutional(hp, shape, data.classes)
    )
    common = {"objective": "val_accuracy", "seed": job.seed, "directory": str(job.folder), "project_name": "tuner"}
    settings = {
        "hypermodel": "HyperResNet" if resnet else "the guide's convolutional model",
        "objective": "val_accuracy",
        "epochs": EPOCHS,
        "patience": PATIENCE,
        "batch_size": 32,
    }
    Recorded.recorder = Recorder(job, ("keras-tuner", "keras", "tensorflow"), settings)
    Recorded.images = data
    base = keras_tuner.Hyperband if hyperband else keras_tuner.RandomSearch
    tuner_class = type("RecordedTuner", (Recorded, base), {})
    budget = {"max_epochs": EPOCHS, "factor": 3, "hyperband_iterations": UNLIMITED}
    tuner = tuner_class(hypermodel, **common, **(budget if hyperband else {"max_trials": UNLIMITED}))
    tuner.search(
        data.x_train,
        keras.utils.to_categorical(data.y_train, data.classes),
        validation_data=(data.x_validation, keras.utils.to_categorical(data.y_validation, data.classes)),
        epochs=EPOCHS,
        callbacks=[keras.callbacks.EarlyStopping("val_accuracy", patience=PATIENCE)],
        verbose=0,
    )
    Recorded.recorder.end("the search ended by itself")


if __name__ == "__main__":
    main()
