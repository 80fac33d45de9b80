"""Folders are written by TensorFlow Datasets itself, without a network, and read back."""

import builtins
import json
import lzma
import os
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from automl_cells.datasets import SkippedImagesWarning, load, load_tfds
from automl_cells.errors import DataError
from tests.datasets.pictures import picture

SHARED = Path(os.environ.get("AUTOML_CELLS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def prepare(home, name, splits, config=None, version="1.0.0", features=None, shape=(None, None, 3)):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets as tfds

        features = features or {
            "image": tfds.features.Image(shape=shape),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            data_dir=str(home),
            config=config,
            split_datasets={split: list(enumerate(examples)) for split, examples in splits.items()},
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )
    return home


def examples(count, start=0, channels=3, **shape):
    found = []
    for i in range(start, start + count):
        image = picture(i, channels=channels, **shape)
        found.append({"image": image[..., None] if channels == 1 else image, "label": i % 2})
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    prepare(folder, "pets", {"train": examples(20), "test": examples(6, 100)})
    prepare(folder, "pets", {"train": examples(12), "test": examples(4, 100)}, version="1.10.0")
    return folder


@pytest.fixture
def no_network(monkeypatch):
    def connect(*arguments):
        raise AssertionError(f"a connection to {arguments[1:]}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


def test_a_prepared_set_is_read_without_a_network(home, no_network):
    found = load(f"tfds:pets:1.0.0?data_dir={home}")
    assert (found.name, found.class_names) == ("pets", ("cat", "dog"))
    np.testing.assert_array_equal(found.x_train, [picture(i) for i in range(20)])
    np.testing.assert_array_equal(found.x_test, [picture(i) for i in range(100, 106)])
    assert found.y_train.tolist() == [0, 1] * 10


def test_no_connection_is_opened_by_a_fresh_process_either(home):
    """The import of the libraries counts too; Python's own audit events report every connection and name looked up."""
    code = f"""
import sys
opened = []
sys.addaudithook(lambda event, arguments: event in ("socket.connect", "socket.getaddrinfo", "urllib.Request",
    "socket.sendto") and opened.append((event, arguments)))
from automl_cells.datasets import load
print(len(load("tfds:pets?data_dir={home}").x_train), opened)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split(maxsplit=1) == ["12", "[]\n"]


def test_the_newest_version_is_taken_and_the_folder_may_come_from_the_environment(home, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(home))
    assert len(load("tfds:pets").x_train) == 12  # 1.10.0 is newer than 1.0.0


def test_the_home_folder_is_the_last_resort(home, monkeypatch, tmp_path):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=str(tmp_path / "tensorflow_datasets")):
        load("tfds:pets")
    (tmp_path / "tensorflow_datasets").symlink_to(home)
    assert load("tfds:pets").name == "pets"


def test_what_is_not_prepared_is_refused_with_how_to_prepare_it(home):
    with pytest.raises(
        DataError, match=r"mnist in .*nothing of that name.*tfds\.load\('mnist'.*copy the folder"
    ) as caught:
        load(f"tfds:mnist?data_dir={home}")
    assert str(home) in str(caught.value)
    with pytest.raises(DataError, match=r"Received: only version 1\.0\.0, 1\.10\.0\."):
        load(f"tfds:pets:2.0.0?data_dir={home}")


@pytest.mark.parametrize("name", ["../pets", "pets/../x/", "Pets", "pets:1", "pets:1.0.0:2", "/etc"])
def test_names_that_are_none_are_refused(home, name):
    with pytest.raises(DataError, match="Expected tfds:NAME"):
        load(f"tfds:{name}?data_dir={home}")


def test_images_of_different_sizes_are_fitted_and_a_test_part_held_out(tmp_path, no_network):
    prepare(tmp_path, "mixed", {"train": examples(10) + examples(10, 10, height=12, width=9)})
    found = load(f"tfds:mixed?data_dir={tmp_path}")
    assert (found.input_shape, len(found.x_train), len(found.x_test)) == ((8, 8, 3), 15, 5)
    assert load(f"tfds:mixed?data_dir={tmp_path}&size=6").input_shape == (6, 6, 3)


def test_a_large_set_is_streamed_from_its_shards(home):
    decoded = load(f"tfds:pets:1.0.0?data_dir={home}")
    streamed = load(f"tfds:pets:1.0.0?data_dir={home}&memory=1k")
    assert streamed.streamed
    assert streamed.fingerprint == decoded.fingerprint


def test_validation_serves_where_the_labels_of_test_are_unknown(tmp_path):
    import tensorflow_datasets as tfds

    def labelled(count, label):
        return [
            {"picture": picture(i, channels=1)[..., None], "label": i % 2 if label is None else label}
            for i in range(count)
        ]

    features = {"picture": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.Scalar(np.int64)}
    splits = {"train": labelled(12, None), "validation": labelled(4, None), "test": labelled(3, -1)}
    prepare(tmp_path, "contest", splits, features=features)
    with pytest.raises(DataError, match="image of 8 or 16 bits under 'image'"):
        load(f"tfds:contest?data_dir={tmp_path}")
    path = tmp_path / "contest" / "1.0.0" / "dataset_info.json"
    document = json.loads(path.read_text())
    document["supervisedKeys"] = {"tuple": {"items": [{"featureKey": "picture"}, {"featureKey": "label"}]}}
    path.write_text(json.dumps(document))
    found = load(f"tfds:contest?data_dir={tmp_path}")
    assert (len(found.x_test), found.input_shape, found.class_names) == (4, (8, 8, 1), ("0", "1"))


def test_configurations(home, tmp_path):
    for config in ("small", "large"):
        shutil.copytree(home / "pets" / "1.0.0", tmp_path / "zoo" / config / "1.0.0")
    with pytest.raises(DataError, match=r"tfds:zoo/large, tfds:zoo/small. Received: tfds:zoo"):
        load_tfds("zoo", tmp_path)
    shutil.rmtree(tmp_path / "zoo" / "large")
    assert load_tfds("zoo/small", tmp_path).name == "zoo_small"
    assert len(load_tfds("zoo", tmp_path).x_train) == 20


@pytest.fixture
def copy(home, tmp_path):
    return shutil.copytree(home / "pets" / "1.0.0", tmp_path / "pets" / "1.0.0")


def test_a_shard_that_is_cut_off_or_gone_is_refused(copy, tmp_path):
    shard = copy / "pets-train.tfrecord-00000-of-00001"
    content = shard.read_bytes()
    for kept in (content[:-10], content[:5]):
        shard.write_bytes(kept)
        with pytest.raises(DataError, match=r"whole records in .*pets-train"):
            load_tfds("pets", tmp_path)
    shard.unlink()
    with pytest.raises(DataError, match=r"shard .*pets-train.*No such file"):
        load_tfds("pets", tmp_path)


def test_a_damaged_image_is_refused_or_left_out(copy, tmp_path):
    shard = copy / "pets-train.tfrecord-00000-of-00001"
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"IDAT", b"iDAX", 1))
    with pytest.raises(DataError, match=r"1 of 26 that cannot: .*pets-train.* at byte"):
        load_tfds("pets", tmp_path)
    with pytest.warns(SkippedImagesWarning):
        assert len(load(f"tfds:pets?data_dir={tmp_path}&corrupt=skip").x_train) == 19


def test_damaged_descriptions_are_refused(copy, tmp_path):
    features = (copy / "features.json").read_text()
    foreign = features.replace("tensorflow_datasets.core.features.image_feature.Image", "antigravity.Image")
    for text, message in ((foreign, "Received: antigravity"), ("{", "readable features.json"), ("{}", "prepared by")):
        (copy / "features.json").write_text(text)
        with pytest.raises(DataError, match=message):
            load_tfds("pets", tmp_path)
    assert "antigravity" not in sys.modules
    (copy / "features.json").write_text(features)
    (copy / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="prepared by TensorFlow Datasets"):
        load_tfds("pets", tmp_path)


def test_without_the_package_it_says_what_to_install(home, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name == "tensorflow_datasets":
            raise ModuleNotFoundError("No module named 'tensorflow_datasets'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(DataError, match=r"pip install tensorflow-datasets tensorflow.*No module"):
        load_tfds("pets", home)


def test_real_digits(tmp_path, no_network):
    file = SHARED / "mnist" / "mnist.npz"
    if not file.is_file():
        pytest.skip(f"the shared data set mnist is not in {SHARED}")
    with np.load(file) as archive:
        count, height, width, channels = map(int, archive["test_shape"])
        raw = np.frombuffer(lzma.decompress(archive["test_xz"].tobytes()), np.uint8)
        images, labels = raw.reshape(count, height, width, channels)[:400], archive["test_y"][:400].astype(np.int64)
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(28, 28, 1)), "label": tfds.features.ClassLabel(num_classes=10)}
    rows = [{"image": image, "label": int(label)} for image, label in zip(images, labels, strict=True)]
    prepare(tmp_path, "mnist", {"train": rows[:300], "test": rows[300:]}, features=features)
    found = load(f"tfds:mnist?data_dir={tmp_path}")
    np.testing.assert_array_equal(found.x_train, images[:300])
    np.testing.assert_array_equal(found.y_test, labels[300:])
    assert found.class_names == tuple("0123456789")
