import h5py
import keras
import numpy as np
import pytest

import automl_cells
from automl_cells.errors import TrainingError
from automl_cells.training import load_weights, save_weights


def model(units=3, names=("hidden", "norm", "top")):
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(4, name=names[0])(inputs)
    normal = keras.layers.BatchNormalization(name=names[1])(hidden)
    return keras.Model(inputs, keras.layers.Dense(units, name=names[2])(normal))


def filled(seed=0, **options):
    made = model(**options)
    random = np.random.default_rng(seed)
    made.set_weights([random.normal(size=weight.shape) for weight in made.weights])
    return made


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_weights_come_back_rounded_to_the_stored_type(tmp_path, dtype):
    source, target = filled(), model()
    save_weights(source, tmp_path / "w.h5", dtype)
    load_weights(target, tmp_path / "w.h5")
    for stored, loaded in zip(source.weights, target.weights, strict=True):
        assert loaded.dtype == "float32"
        np.testing.assert_array_equal(loaded.numpy(), stored.numpy().astype(dtype).astype("float32"))
    with h5py.File(tmp_path / "w.h5") as file:
        assert {file[weight.path].dtype for weight in source.weights} == {np.dtype(dtype)}


def test_what_float16_cannot_hold_is_stored_as_float32(tmp_path):
    source, target = filled(), model()
    source.weights[0].assign(np.full((2, 4), 1e6))
    save_weights(source, tmp_path / "w.h5")
    load_weights(target, tmp_path / "w.h5")
    np.testing.assert_array_equal(target.weights[0].numpy(), 1e6)


def test_weights_that_are_not_finite_are_neither_written_nor_read(tmp_path):
    source = filled()
    save_weights(source, tmp_path / "w.h5")
    before = (tmp_path / "w.h5").read_bytes()
    source.weights[0].assign(np.full((2, 4), np.nan))
    with pytest.raises(TrainingError, match="Received: NaN or infinity in hidden/kernel"):
        save_weights(source, tmp_path / "w.h5")
    assert (tmp_path / "w.h5").read_bytes() == before
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file["hidden/kernel"][0, 0] = np.nan
    with pytest.raises(TrainingError, match="finite"):
        load_weights(model(), tmp_path / "w.h5")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"units": 5}, r"top/kernel of shape \(4, 5\).*Received: \(4, 3\)"),
        ({"names": ("hidden", "norm", "other")}, "missing: other/.*not in the model: top/"),
    ],
)
def test_weights_of_another_model_are_refused_and_change_nothing(tmp_path, target, message):
    save_weights(filled(), tmp_path / "w.h5")
    other = filled(seed=1, **target)
    before = [weight.numpy() for weight in other.weights]
    with pytest.raises(TrainingError, match=message):
        load_weights(other, tmp_path / "w.h5")
    for weight, value in zip(other.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_a_model_without_its_top_takes_the_rest(tmp_path):
    source = filled()
    save_weights(source, tmp_path / "w.h5", "float32")
    headless = keras.Model(source.inputs, source.layers[2].output)
    with pytest.raises(TrainingError, match="not in the model: top/"):
        load_weights(headless, tmp_path / "w.h5")
    load_weights(headless, tmp_path / "w.h5", subset=True)


def test_files_that_hold_no_weights_are_refused(tmp_path):
    for content in (None, b"", b"not HDF5"):
        if content is not None:
            (tmp_path / "w.h5").write_bytes(content)
        with pytest.raises(TrainingError, match="Expected a readable HDF5 file of weights"):
            load_weights(model(), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "w"):
        pass
    with pytest.raises(TrainingError, match="with format 'automl_cells/weights'"):
        load_weights(model(), tmp_path / "w.h5")


def test_a_link_to_another_file_is_not_followed(tmp_path):
    save_weights(filled(), tmp_path / "secret.h5")
    save_weights(filled(), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file["hidden/kernel"]
        file["hidden/kernel"] = h5py.ExternalLink("secret.h5", "hidden/kernel")
    with pytest.raises(TrainingError, match="missing: hidden/kernel"):
        load_weights(model(), tmp_path / "w.h5")


def test_bytes_of_another_file_are_not_read(tmp_path):
    save_weights(filled(), tmp_path / "w.h5")
    (tmp_path / "secret").write_bytes(b"\0" * 16)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file["hidden/kernel"]
        file.create_dataset("hidden/kernel", (2, 4), np.float16, external=[(str(tmp_path / "secret"), 0, 16)])
    with pytest.raises(TrainingError, match="plain float16"):
        load_weights(model(), tmp_path / "w.h5")


def test_weights_of_a_later_format_say_what_they_need(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / "model.weights.h5"
    save_weights(model, path)
    with h5py.File(path, "r+") as file:
        assert file.attrs["writer"] == automl_cells.__version__
        file.attrs["version"], file.attrs["writer"] = 2, "7.5.0"
    with pytest.raises(TrainingError, match=r"version 2 in .*, written by automl_cells 7.5.0; it needs that release"):
        load_weights(model, path)
