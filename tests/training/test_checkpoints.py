import shutil

import numpy as np
import pytest

from automl_cells.errors import TrainingError
from automl_cells.training.checkpoints import Checkpoints, State

VARIABLES = {"variables/0": np.arange(6, dtype=np.float32).reshape(2, 3), "slots/momentum": np.zeros(6, np.float32)}
BEST = {"stem/kernel": np.full((2, 3), 7, np.float32)}


def saved(folder, *epochs):
    checkpoints = Checkpoints(folder)
    for epoch in epochs:
        state = State(epoch=epoch, step=10 * epoch, seconds=1.5, best_epoch=2, best_accuracy=0.5, best=BEST)
        state.history["loss"] = [1.0 / (number + 1) for number in range(epoch)]
        checkpoints.save({name: value + epoch for name, value in VARIABLES.items()}, state)
    return checkpoints


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    elif how == "empty":
        data.clear()
    else:
        data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))


def test_everything_that_a_next_step_depends_on_comes_back(tmp_path):
    variables, state = saved(tmp_path, 4).load()
    assert (state.epoch, state.step, state.seconds, state.best_epoch, state.best_accuracy) == (4, 40, 1.5, 2, 0.5)
    assert state.history == {"loss": [1, 0.5, 1 / 3, 0.25]}
    assert variables.keys() == VARIABLES.keys()
    for name, value in VARIABLES.items():
        np.testing.assert_array_equal(variables[name], value + 4)
    np.testing.assert_array_equal(state.best["stem/kernel"], BEST["stem/kernel"])


def test_without_a_checkpoint_the_training_starts_at_the_beginning(tmp_path):
    assert Checkpoints(tmp_path).load() == (None, State())


@pytest.mark.parametrize("how", ["cut", "empty", "a flipped byte"])
def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path, how):
    checkpoints = saved(tmp_path, 1, 2, 3)
    damage(tmp_path / "state.npz", how)
    with pytest.warns(UserWarning, match="passed over for the one before, of epoch 2"):
        variables, state = checkpoints.load()
    assert state.epoch == 2
    np.testing.assert_array_equal(variables["variables/0"], VARIABLES["variables/0"] + 2)


def test_every_byte_of_a_checkpoint_is_checked(tmp_path):
    """Flip one byte at many places: either it is noticed, or what is read is the same."""
    checkpoints = saved(tmp_path, 1)
    whole = (tmp_path / "state.npz").read_bytes()
    for place in range(0, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 0x10
        (tmp_path / "state.npz").write_bytes(bytes(data))
        try:
            variables, state = checkpoints.load()
        except TrainingError:
            continue
        assert state.epoch == 1
        np.testing.assert_array_equal(variables["variables/0"], VARIABLES["variables/0"] + 1)
        np.testing.assert_array_equal(state.best["stem/kernel"], BEST["stem/kernel"])


def test_a_training_killed_between_the_two_renamings_has_the_one_before(tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    (tmp_path / "state.npz").unlink()
    assert checkpoints.load()[1].epoch == 1


def test_when_none_can_be_read_both_are_named(tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    for name in ("state.npz", "state.previous.npz"):
        (tmp_path / name).write_bytes(b"half")
    with pytest.raises(TrainingError, match=r"readable checkpoint.*state\.npz.*state\.previous\.npz"):
        checkpoints.load()


def test_phases_keep_apart(tmp_path):
    saved(tmp_path, 5)
    assert Checkpoints(tmp_path, "head-").load() == (None, State())


def test_another_training_is_refused_by_what_differs(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    checkpoints.begin({"seed": 0, "recipe": {"epochs": 3}, "shape": (1, 2)})
    checkpoints.begin({"seed": 0, "recipe": {"epochs": 3}, "shape": (1, 2)})
    with pytest.raises(TrainingError, match="Received: another seed, recipe"):
        checkpoints.begin({"seed": 1, "recipe": {"epochs": 4}, "shape": (1, 2)})


def test_another_machine_writes_nothing(tmp_path):
    Checkpoints(tmp_path / "checkpoints").begin({"seed": 0}, write=False)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path):
    checkpoints = saved(tmp_path, 1)
    with pytest.raises(ValueError, match="pickle"):  # an array of objects cannot be written
        checkpoints.save({"variables/0": np.array([object()])}, State(epoch=2))
    assert checkpoints.load()[1].epoch == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
    shutil.rmtree(tmp_path)
