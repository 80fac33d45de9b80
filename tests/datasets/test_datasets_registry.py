import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from automl_cells.datasets import (
    absolute,
    dataset_names,
    embedded,
    from_arrays,
    load,
    npz,
    save_npz,
    with_data_dir,
    without_folder,
)
from automl_cells.errors import DataError

IMAGES = np.arange(12 * 2 * 2 * 3, dtype=np.uint8).reshape(12, 2, 2, 3)
ARRAYS = {"x_train": IMAGES, "y_train": np.arange(12) % 2, "x_test": IMAGES[:4], "y_test": np.array([0, 1, 1, 0])}


def test_digits_are_the_real_ones():
    digits = load("digits")
    assert (digits.x_train.shape, digits.x_test.shape) == ((1347, 8, 8, 1), (450, 8, 8, 1))
    assert (digits.x_train.dtype, digits.x_train.min(), digits.x_train.max()) == (np.float32, 0, 16)
    assert digits.class_names == tuple("0123456789")
    assert np.ptp(np.bincount(digits.y_test)) <= 3  # stratified; the classes have 174 to 183 images
    # Published weights were measured on this very split.
    assert digits.fingerprint == "sha256:63abe140f0a43302ef36c448762e4344e2ca56d971a7c3b63d6be333b3fbdf1b"


def test_a_dataset_is_handed_back_as_it_is():
    dataset = from_arrays(**ARRAYS)
    assert load(dataset) is dataset


@pytest.mark.parametrize("spec", ["cifar", "", "npz:", "zip:a", "digits:x", "folder:", "tfds"])
def test_an_unknown_name_lists_what_there_is(spec):
    with pytest.raises(DataError, match=f"among {', '.join(dataset_names())}. Received: {spec}"):
        load(spec)


def test_a_saved_dataset_comes_back_the_same(tmp_path):
    saved = from_arrays(**ARRAYS, class_names=["cat", "dög"], name="pets")
    save_npz(saved, tmp_path / "any.npz")
    found = load(f"npz:{tmp_path / 'any.npz'}")
    assert (found.name, found.class_names, found.fingerprint) == ("pets", ("cat", "dög"), saved.fingerprint)
    assert [file.name for file in tmp_path.iterdir()] == ["any.npz"]


def test_the_layout_of_keras_datasets_is_read(tmp_path):
    np.savez(tmp_path / "small.npz", **ARRAYS, classes=np.array([b"cat", b"dog"]))
    found = load(f"npz:{tmp_path / 'small.npz'}")
    assert (found.name, found.class_names) == ("small", ("cat", "dog"))
    np.testing.assert_array_equal(found.x_train, IMAGES)


def refused(path, message):
    with pytest.raises(DataError, match=message):
        load(f"npz:{path}")


def test_files_that_are_no_data_sets_are_refused(tmp_path):
    file = tmp_path / "file.npz"
    refused(file, "no such file")
    refused(tmp_path, "a folder")
    file.write_bytes(b"hello")
    refused(file, "Expected an .npz file")
    np.savez(file, x_train=IMAGES, y_train=ARRAYS["y_train"])
    refused(file, "no x_test, y_test among")
    np.savez(file, **{**ARRAYS, "x_train": np.array([{}, 1], object)}, allow_pickle=True)
    refused(file, "Received: Python objects")
    np.savez(file, **{**ARRAYS, "y_train": ARRAYS["y_train"][:3]})
    refused(file, "file.npz: Expected as many labels")


def test_a_truncated_file_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "whole.npz", **ARRAYS)
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "damaged.npz").write_bytes(content[:80] + b"\0" * 40 + content[120:])
    refused(tmp_path / "damaged.npz", "damaged.npz")


def test_a_file_that_says_it_is_huge_is_refused_before_it_is_unpacked(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (npz.MAX_BYTES, 2, 2, 1)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for key in ARRAYS:
            archive.writestr(f"{key}.npy", header.getvalue())
    refused(tmp_path / "huge.npz", r"at most .* bytes of arrays.*Received: x_train")


@pytest.mark.parametrize(
    ("words", "whole"),
    [("digits", True), ("digits?train=500", False), ("npz:a.npz", False), ("npz", False), ("nothing", False)],
)
def test_what_an_entry_finds_again_by_its_name(words, whole):
    assert embedded(words) == whole


def test_words_without_folders_say_nothing_about_the_machine():
    assert without_folder("npz:/home/ada/a.npz?train=20") == "npz:a.npz?train=20"
    assert without_folder("folder:/data/pets?size=6") == "folder:pets?size=6"
    assert without_folder("tfds:mnist/small?data_dir=/here&train=20") == "tfds:mnist/small?train=20"
    assert without_folder("digits") == "digits"
    assert without_folder("my own arrays") == "my own arrays"


def test_words_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("npz:a.npz?train=20") == f"npz:{tmp_path}/a.npz?train=20"
    assert absolute("folder:pets?size=6&corrupt=skip") == f"folder:{tmp_path}/pets?size=6&corrupt=skip"
    assert absolute("tfds:mnist/small?data_dir=here&train=20") == f"tfds:mnist/small?data_dir={tmp_path}/here&train=20"
    assert absolute("digits?train=20") == "digits?train=20"
    assert absolute("unknown:a") == "unknown:a"


def test_a_path_with_a_question_mark_is_still_read(tmp_path):
    save_npz(from_arrays(**ARRAYS), tmp_path / "why?.npz")
    assert len(load(absolute(f"npz:{tmp_path}/why?.npz")).x_train) == 12
    assert len(load(absolute(f"npz:{tmp_path}/why?.npz?train=10")).x_train) == 10


def test_the_folder_of_prepared_sets_becomes_an_option():
    assert with_data_dir("tfds:mnist?size=8", "/data") == "tfds:mnist?size=8&data_dir=/data"
    assert with_data_dir("npz:a", None) == "npz:a"
    for words in ("npz:a", "tfds:mnist?data_dir=/other"):
        with pytest.raises(DataError, match="Received: "):
            with_data_dir(words, "/data")


def test_no_framework_is_imported():
    heavy = {"keras", "tensorflow", "tensorflow_datasets", "sklearn", "PIL"}
    code = f"import sys, automl_cells.datasets; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
