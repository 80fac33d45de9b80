"""Weights of keras.applications' NASNet models, mapped onto ours.

The official files cannot be had without a network; a randomly initialised model of theirs, with random statistics of
batch normalisation, is saved in the format of those files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from automl_cells.errors import TemplateError, ZooError
from automl_cells.zoo import keras_weights, nasnet_a_cifar, nasnet_a_large, nasnet_a_mobile, structure
from automl_cells.zoo.keras_weights import their_place

# What NumPy says of Keras' variables when Keras saves or copies them is Keras' own affair.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Save = Callable[[keras.Model, Path], None]
RANDOM = np.random.default_rng(0)


def randomised(model: keras.Model) -> keras.Model:
    """`model` with other scales, offsets and statistics of batch normalisation than the first ones, which hide much."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            layer.set_weights(
                [
                    RANDOM.uniform(0.5, 1.5, width),
                    RANDOM.normal(0, 0.2, width),
                    RANDOM.normal(0, 0.5, width),
                    RANDOM.uniform(0.5, 2.0, width),
                ]
            )
    return model


def old_style(model: keras.Model, path: Path) -> None:
    """As Keras 2 saved weights, and as the official files are."""
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)


def whole_model(model: keras.Model, path: Path) -> None:
    """As the weights lie in a whole model that was saved as HDF5."""
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file.create_group("model_weights"), model)


def images(side: int, count: int = 2) -> np.ndarray:
    return RANDOM.uniform(-1, 1, (count, side, side, 3)).astype(np.float32)


def outputs(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Layer by layer: to trace a graph of 700 layers takes longer."""
    return keras.ops.convert_to_numpy(model(inputs, training=False))


def largest_difference(one: keras.Model, other: keras.Model, inputs: np.ndarray) -> float:
    return float(np.abs(outputs(one, inputs) - outputs(other, inputs)).max())


@pytest.fixture(scope="module")
def theirs() -> keras.Model:
    return randomised(keras.applications.NASNetMobile(weights=None))


@pytest.fixture(scope="module")
def file(theirs: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "nasnet_mobile.h5"
    old_style(theirs, path)
    return path


@pytest.mark.slow
def test_mobile_gives_the_outputs_of_keras_applications(theirs: keras.Model, file: Path) -> None:
    ours = nasnet_a_mobile(weights=file)
    assert ours.count_params() == theirs.count_params() == 5_326_716
    assert sum(int(np.prod(v.shape)) for v in ours.trainable_variables) == 5_289_978
    inputs = images(224)
    assert largest_difference(ours, theirs, inputs) <= 1e-5
    assert outputs(theirs, inputs).max() > 0.01  # not the same nothing everywhere


@pytest.mark.slow
@pytest.mark.parametrize("side", [96, 225])
def test_the_same_weights_serve_other_sizes_and_open_ones(theirs: keras.Model, file: Path, side: int) -> None:
    inputs = images(side)
    fixed = nasnet_a_mobile(weights=file, input_shape=(side, side, 3))
    reference = keras.applications.NASNetMobile(weights=None, input_shape=(side, side, 3))
    reference.set_weights(theirs.get_weights())
    assert largest_difference(fixed, reference, inputs) <= 1e-5
    assert largest_difference(fixed, nasnet_a_mobile(weights=file, input_shape=(None, None, 3)), inputs) <= 1e-5


@pytest.mark.slow
def test_without_the_top_from_files_with_and_without(theirs: keras.Model, file: Path, tmp_path: Path) -> None:
    bare = keras.applications.NASNetMobile(weights=None, include_top=False, pooling="avg")
    bare.set_weights(theirs.get_weights()[:-2])
    old_style(bare, tmp_path / "no_top.h5")
    inputs = images(224)
    for path in (file, tmp_path / "no_top.h5"):
        ours = nasnet_a_mobile(weights=path, include_top=False, pooling="avg", input_shape=(224, 224, 3))
        assert largest_difference(ours, bare, inputs) <= 1e-5
    with pytest.raises(ZooError, match=r"NASNetMobile with its classifier of 1000 classes, .*Received: .*no_top\.h5"):
        nasnet_a_mobile(weights=tmp_path / "no_top.h5")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("keras3.weights.h5", lambda model, path: model.save_weights(path)),
        ("whole.h5", whole_model),
    ],
)
def test_other_files_that_keras_writes(theirs: keras.Model, tmp_path: Path, name: str, save: Save) -> None:
    save(theirs, tmp_path / name)
    assert largest_difference(nasnet_a_mobile(weights=tmp_path / name), theirs, images(224, 1)) <= 1e-5


@pytest.mark.slow
def test_a_file_of_other_classes(tmp_path: Path) -> None:
    theirs = keras.applications.NASNetMobile(weights=None, classes=7)
    theirs.save_weights(tmp_path / "seven.weights.h5")
    ours = nasnet_a_mobile(weights=tmp_path / "seven.weights.h5", classes=7)
    assert largest_difference(ours, theirs, images(224, 1)) <= 1e-5


@pytest.mark.slow
def test_a_file_with_other_names_of_layers_is_read_in_its_order(theirs: keras.Model, tmp_path: Path) -> None:
    def other_name(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config({**layer.get_config(), "name": f"x_{layer.name}"})

    renamed = keras.models.clone_model(theirs, clone_function=other_name)
    renamed.set_weights(theirs.get_weights())
    old_style(renamed, tmp_path / "renamed.h5")
    ours = nasnet_a_mobile(weights=tmp_path / "renamed.h5")
    assert largest_difference(ours, theirs, images(224, 1)) <= 1e-5


@pytest.mark.slow
def test_large_gives_the_outputs_of_keras_applications(tmp_path: Path) -> None:
    theirs = randomised(keras.applications.NASNetLarge(weights=None))
    old_style(theirs, tmp_path / "nasnet_large.h5")
    ours = nasnet_a_large(weights=tmp_path / "nasnet_large.h5")
    assert ours.count_params() == theirs.count_params() == 88_949_818
    assert largest_difference(ours, theirs, images(331, 1)) <= 1e-5
    with pytest.raises(ZooError, match=r"weights of keras\.applications\.NASNetMobile"):
        nasnet_a_mobile(weights=tmp_path / "nasnet_large.h5")


def test_the_file_of_the_other_model_is_refused(file: Path) -> None:
    with pytest.raises(ZooError, match=r"weights of keras\.applications\.NASNetLarge"):
        nasnet_a_large(weights=file, input_shape=(32, 32, 3))


def test_every_variable_of_ours_has_a_place_of_its_own() -> None:
    ours = nasnet_a_mobile(weights=None, input_shape=(64, 64, 3))
    places = [their_place(variable.path, 4) for variable in ours.weights]
    assert len(set(places)) == len(places) == 1126 == len(keras.applications.NASNetMobile(weights=None).weights)


class Fetched:
    """Stands in for `keras.utils.get_file`."""

    def __init__(self, answer: Path | Exception) -> None:
        self.answer, self.asked = answer, []

    def __call__(self, *args: object, **options: object) -> str:
        self.asked.append((*args, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return str(self.answer)


@pytest.mark.slow
def test_imagenet_fetches_the_official_file(theirs: keras.Model, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = Fetched(file)
    monkeypatch.setattr(keras_weights.keras.utils, "get_file", fetched)
    ours = nasnet_a_mobile(weights="imagenet")
    assert largest_difference(ours, theirs, images(224, 1)) <= 1e-5
    nasnet_a_mobile(weights="imagenet", include_top=False, input_shape=(64, 64, 3))
    base = "https://storage.googleapis.com/tensorflow/keras-applications/nasnet/"
    assert fetched.asked == [
        (
            "nasnet_mobile.h5",
            f"{base}NASNet-mobile.h5",
            {"cache_subdir": "models", "file_hash": "020fb642bf7360b370c678b08e0adf61"},
        ),
        (
            "nasnet_mobile_no_top.h5",
            f"{base}NASNet-mobile-no-top.h5",
            {"cache_subdir": "models", "file_hash": "1ed92395b5b598bdda52abe5c0dbfd63"},
        ),
    ]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Incomplete or corrupted file detected. The md5 …"),
        Exception("URL fetch failure on …"),
        TimeoutError(),
    ],
)
def test_what_cannot_be_fetched_is_said_plainly(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_weights.keras.utils, "get_file", Fetched(error))
    with pytest.raises(ZooError, match=r"ImageNet weights of keras\.applications\.NASNetMobile, https://.* MD5 020f.*"):
        nasnet_a_mobile(weights="imagenet", input_shape=(64, 64, 3))


def test_the_hashes_and_addresses_are_those_of_keras() -> None:
    from keras.src.applications import nasnet

    source = Path(nasnet.__file__).read_text(encoding="utf-8")
    for name in ("nasnet_a_mobile", "nasnet_a_large"):
        application = structure(name).keras_application
        assert application is not None
        for official in (application.top, application.no_top):
            assert f'"{official.name}"' in source
            assert f'file_hash="{official.md5}"' in source
            assert official.url.startswith(nasnet.BASE_WEIGHTS_PATH)


def test_imagenet_has_a_thousand_classes_and_softmax() -> None:
    with pytest.raises(ZooError, match=r"classes=1000 .* nasnet_mobile\.h5\. Received: 10"):
        nasnet_a_mobile(weights="imagenet", classes=10)
    with pytest.raises(ZooError, match=r"None or 'softmax' with weights\. Received: 'sigmoid'"):
        nasnet_a_mobile(weights="imagenet", classifier_activation="sigmoid")


def test_imagenet_is_no_word_where_keras_has_no_such_network() -> None:
    with pytest.raises(ZooError, match="there: none: nobody has published weights"):
        nasnet_a_cifar(weights="imagenet")


def test_a_file_of_nonsense_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as stored:
        stored.attrs["layer_names"] = 5
    with pytest.raises(ZooError, match=r"Received: .*x\.h5"):
        nasnet_a_mobile(weights=tmp_path / "x.h5", input_shape=(64, 64, 3))


@pytest.mark.parametrize("content", [b"", b"not HDF5", None])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes | None, file: Path) -> None:
    path = tmp_path / "nasnet.h5"
    path.write_bytes(file.read_bytes()[:200_000] if content is None else content)
    with pytest.raises(ZooError, match=r"Received: .*nasnet\.h5"):
        nasnet_a_mobile(weights=path, input_shape=(64, 64, 3))


def test_images_that_are_too_small() -> None:
    with pytest.raises(TemplateError, match=r"at least 19x19 for the template imagenet_mobile .* Received: .*16"):
        nasnet_a_mobile(weights=None, input_shape=(16, 32, 3))
