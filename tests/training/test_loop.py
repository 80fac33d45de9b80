import numpy as np
import pytest

from automl_cells.errors import TrainingError
from automl_cells.training import recipe
from automl_cells.training.batches import TrainingBatches
from automl_cells.training.checkpoints import Checkpoints
from automl_cells.training.engines import Totals
from automl_cells.training.loop import Images, evaluate, run

IMAGES = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)
LABELS = np.arange(12) % 2


class Scripted:
    """An engine whose validation accuracies and losses are given; its one weight counts the epochs."""

    replicas = 1

    def __init__(self, right, losses=None):
        self.right, self.losses = right, losses or [1.0] * len(right)
        self.epoch, self.steps, self.averaged = 0, [], []

    def step(self, images, targets, step):
        self.steps.append(step)

    def totals(self):
        self.epoch += 1
        return Totals(self.losses[self.epoch - 1], 0.5)

    def logits(self, images, averaged):
        """The first `right` of the images are right."""
        self.averaged.append(averaged)
        labels = images.ravel() % 2
        hit = np.arange(len(images)) < self.right[self.epoch - 1]
        return np.eye(2, dtype=np.float32)[np.where(hit, labels, 1 - labels)]

    def weights(self, averaged):
        return {"weight": np.float32(self.epoch)}

    def state(self):
        return {"epoch": np.array(self.epoch)}

    def restore(self, state):
        self.epoch = int(state["epoch"])


def train(engine, epochs, folder=None, validation=4, keep="best"):
    chosen = recipe("plain", batch_size=2, augmentation=[])
    batches = TrainingBatches(IMAGES, LABELS, np.arange(8), 2, chosen, 0)
    held_out = Images(IMAGES, LABELS, np.arange(8, 8 + validation))
    return run(engine, batches, held_out, epochs, None if folder is None else Checkpoints(folder), None, keep)


def test_the_best_epoch_has_the_highest_accuracy_then_comes_latest():
    engine = Scripted([2, 3, 3, 3, 1])
    state = train(engine, 5)
    assert (state.best_epoch, state.best_accuracy, state.epoch, state.step) == (4, 0.75, 5, 20)
    assert state.best["weight"] == 4
    assert state.history["val_accuracy"] == [0.5, 0.75, 0.75, 0.75, 0.25]
    assert engine.steps == list(range(20))
    assert all(engine.averaged)


def test_the_last_epoch_can_be_asked_for():
    state = train(Scripted([2, 3, 1]), 3, keep="last")
    assert (state.best_epoch, state.best_accuracy, state.best["weight"]) == (3, 0.25, 3)


def test_without_validation_the_last_epoch_is_kept():
    state = train(Scripted([0, 0, 0]), 3, validation=0)
    assert (state.best_epoch, state.best_accuracy, state.best["weight"]) == (3, -1, 3)
    assert set(state.history) == {"loss", "accuracy"}


def test_an_interrupted_training_ends_with_the_same_number_of_steps(tmp_path):
    class Stopped(Exception):
        pass

    class Stopping(Scripted):
        def step(self, images, targets, step):
            super().step(images, targets, step)
            if step == 9:  # in the middle of the third epoch
                raise Stopped

    with pytest.raises(Stopped):
        train(Stopping([2, 3, 1, 1]), 4, tmp_path)
    engine = Scripted([2, 3, 1, 1])
    state = train(engine, 4, tmp_path)
    assert engine.steps == list(range(8, 16))
    assert (state.epoch, state.step, state.best_epoch, state.best["weight"]) == (4, 16, 2, 2)
    assert train(Scripted([2, 3, 1, 1]), 4, tmp_path).step == 16  # all done: nothing is repeated


def test_a_training_that_diverges_stops_with_the_epoch_and_keeps_the_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"finite loss.*Received: nan in epoch 3"):
        train(Scripted([1, 1, 1], losses=[1, 1, float("nan")]), 3, tmp_path)
    assert Checkpoints(tmp_path).load()[1].epoch == 2


def test_checkpoints_of_another_network_are_refused(tmp_path):
    train(Scripted([1]), 1, tmp_path)

    class Other(Scripted):
        def restore(self, state):
            raise KeyError("variables/0")

    with pytest.raises(TrainingError, match="checkpoint of this network"):
        train(Other([1]), 2, tmp_path)


def test_evaluation_is_the_mean_cross_entropy_and_accuracy():
    engine = Scripted([3])
    engine.epoch = 1
    loss, accuracy = evaluate(engine, Images(IMAGES, LABELS, np.arange(4)), averaged=False)
    # logits are 1 for the class named and 0 for the other: -log(e / (e + 1)) three times, -log(1 / (e + 1)) once
    right, wrong = np.log1p(np.exp(-1)), np.log1p(np.exp(1))
    assert loss == pytest.approx((3 * right + wrong) / 4)
    assert accuracy == 0.75
    assert engine.averaged == [False]
