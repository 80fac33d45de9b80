import keras
import numpy as np
import pytest

from automl_cells.errors import TrainingError
from automl_cells.training import load_weights
from automl_cells.training.checkpoints import Checkpoints, KeepCheckpoints, State


def compiled(seed=0, units=3):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(units, name="top")(keras.layers.Dropout(0.5)(inputs)))
    model.compile(optimizer=keras.optimizers.AdamW(use_ema=True), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_best_epoch_has_the_highest_accuracy_then_comes_latest(tmp_path):
    model, state = compiled(), State()
    keep = KeepCheckpoints(Checkpoints(tmp_path), model, state)
    keep.set_model(model)
    validations = [(0.5, 1.0), (0.8, 0.9), (0.8, 0.7), (0.8, 0.8), (0.7, 0.1)]
    for epoch, (accuracy, loss) in enumerate(validations):
        model.weights[1].assign(np.full(3, epoch))
        keep.on_test_end({"accuracy": accuracy, "loss": loss})
        keep.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": accuracy})
    assert (state.best_epoch, state.best_accuracy, state.epoch) == (4, 0.8, 5)
    assert state.history["val_accuracy"] == [0.5, 0.8, 0.8, 0.8, 0.7]
    load_weights(model, tmp_path / "best.weights.h5")
    assert model.weights[1].numpy().tolist() == [3, 3, 3]


def test_everything_that_a_next_step_depends_on_comes_back(tmp_path):
    source, target, checkpoints = compiled(), compiled(seed=1), Checkpoints(tmp_path)
    for variable in [*source.variables, *source.optimizer.variables]:
        variable.assign(np.full(variable.shape, 3))
    checkpoints.save(source, State(epoch=4, seconds=1.5, best_epoch=2, history={"loss": [4.0, 3.0]}))
    found = checkpoints.restore(target)
    assert (found.epoch, found.seconds, found.best_epoch, found.history) == (4, 1.5, 2, {"loss": [4.0, 3.0]})
    for variable in [*target.variables, *target.optimizer.variables]:
        np.testing.assert_array_equal(variable.numpy(), 3)


def test_without_a_checkpoint_the_training_starts_at_the_beginning(tmp_path):
    assert Checkpoints(tmp_path).restore(compiled()) == State()


def test_a_checkpoint_that_is_damaged_or_of_another_model_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(compiled(), State())
    with pytest.raises(TrainingError, match="checkpoint of this training"):
        checkpoints.restore(compiled(units=4))
    (tmp_path / "state.h5").write_bytes(b"half")
    with pytest.raises(TrainingError, match="checkpoint of this training"):
        checkpoints.restore(compiled())


def test_another_training_is_refused_by_what_differs(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    checkpoints.begin({"seed": 0, "recipe": {"epochs": 3}, "shape": (1, 2)})
    checkpoints.begin({"seed": 0, "recipe": {"epochs": 3}, "shape": (1, 2)})
    with pytest.raises(TrainingError, match="Received: another seed, recipe"):
        checkpoints.begin({"seed": 1, "recipe": {"epochs": 4}, "shape": (1, 2)})


def test_a_training_that_diverges_stops_with_the_epoch(tmp_path):
    keep = KeepCheckpoints(Checkpoints(tmp_path), compiled(), State())
    with pytest.raises(TrainingError, match=r"finite loss.*Received: nan in epoch 3"):
        keep.on_epoch_end(2, {"loss": float("nan")})
    assert not (tmp_path / "state.h5").exists()
