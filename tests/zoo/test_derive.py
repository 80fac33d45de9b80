import dataclasses
import json
import os

import numpy as np
import onnxruntime
import pytest

from automl_cells.datasets import load
from automl_cells.errors import ExportError, ZooError
from automl_cells.export import exporting, load_onnx, read_metadata, sha256_of_file
from automl_cells.zoo import Entry, Shelf, build_entry, export_entry, sample_images
from automl_cells.zoo.derive import pixel_range


@pytest.fixture(scope="module")
def built(tmp_path_factory, run):
    shelf = Shelf(tmp_path_factory.mktemp("built"))
    shelf.publish(run)
    return shelf, build_entry(shelf.find("tiny_blocks"))


def test_derived_files_agree_and_are_listed(built):
    shelf, results = built
    entry = shelf.find("tiny_blocks")
    assert {form: result.parity.images for form, result in results.items()} == {
        "savedmodel": 64,
        "onnx": 64,
        "int8": 64,
    }
    derived = json.loads((entry.folder / "derived.json").read_text())
    assert derived["weights_sha256"] == sha256_of_file(entry.weights)
    assert derived["files"]["model.onnx"]["sha256"] == results["onnx"].sha256
    assert "savedmodel/saved_model.pb" in derived["files"]
    assert derived["parity"]["onnx"]["max_abs_difference"] == results["onnx"].parity.max_abs_difference
    assert shelf.verify() == []


def test_derived_files_are_no_part_of_the_manifest(built):
    entry = built[0].find("tiny_blocks")
    assert not {"model.onnx", "derived.json", "parity.json"} & set(entry.manifest.files)


def test_the_onnx_file_takes_raw_pixels_by_its_own_description(built):
    shelf, results = built
    session = onnxruntime.InferenceSession(str(results["onnx"].path))
    described = session.get_modelmeta().custom_metadata_map
    assert (described["name"], described["version"]) == ("tiny_blocks", "digits-v1")
    images = load("digits").x_test[:20]
    mean, std = (np.float32(json.loads(described[f"input_{what}"])) for what in ("mean", "std"))
    (outputs,) = session.run(["probabilities"], {"image": (images - mean) / std})
    entry = shelf.find("tiny_blocks")
    np.testing.assert_allclose(outputs, entry.load_model()(entry.preprocessing(images)), atol=1e-5)
    assert len(json.loads(described["labels"])) == 10


def test_damaged_and_missing_derived_files_are_found(built):
    shelf, results = built
    path = results["onnx"].path
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert [(problem.path, problem.kind) for problem in shelf.verify()] == [("model.onnx", "damaged")]
        path.unlink()
        assert [(problem.path, problem.kind) for problem in shelf.verify()] == [("model.onnx", "missing")]
    finally:
        path.write_bytes(content)


def test_one_format_can_be_made_after_the_other(shelf):
    entry = shelf.find("tiny_blocks")
    images = load("digits").x_train[:3]
    build_entry(entry, formats=["onnx"], data=images)
    build_entry(entry, formats=["savedmodel"], data=images[:2])
    derived = json.loads((entry.folder / "derived.json").read_text())
    assert {form: what["images"] for form, what in derived["parity"].items()} == {"onnx": 3, "savedmodel": 2}
    assert shelf.verify() == []


def test_the_sample_is_the_first_test_images_of_the_same_data(entry_copy):
    np.testing.assert_array_equal(sample_images(Entry.read(entry_copy), 5), load("digits").x_test[:5])
    path = entry_copy / "model.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "dataset": {"name": "digits", "fingerprint": "sha256:other"}}))
    with pytest.raises(ZooError, match=r"with fingerprint sha256:other. Received: sha256:"):
        sample_images(Entry.read(entry_copy))
    path.write_text(json.dumps({**document, "dataset": {"name": "my_photos", "fingerprint": "sha256:other"}}))
    with pytest.raises(ZooError, match="Other images can be given"):
        build_entry(Entry.read(entry_copy))
    assert not (entry_copy / "derived.json").exists()


def test_an_entry_is_exported_elsewhere(run, tmp_path):
    results = export_entry(Entry.read(run / "entry"), ["onnx"], tmp_path / "out")
    assert results["onnx"].path == tmp_path / "out" / "model.onnx"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.onnx", "parity.json"]


def test_a_failed_export_leaves_the_entry_as_it_was(shelf, monkeypatch):
    monkeypatch.setattr(exporting, "measure_parity", lambda *a: exporting.Parity(0.5, 0.5, 64))
    with pytest.raises(ExportError, match="agree with Keras"):
        build_entry(shelf.find("tiny_blocks"), formats=["onnx"])
    assert shelf.verify() == []
    assert sorted(path.name for path in (shelf.folder / "tiny_blocks").iterdir()) == ["digits-v1"]


def test_an_entry_is_exported_for_images_of_another_size_and_of_any(run, tmp_path):
    entry = Entry.read(run / "entry")
    other = export_entry(entry, ["onnx"], tmp_path / "other", size=(12, 16))["onnx"].path
    open_size = export_entry(entry, ["onnx"], tmp_path / "any", size="any")["onnx"].path
    shapes = [onnxruntime.InferenceSession(str(path)).get_inputs()[0].shape for path in (other, open_size)]
    assert shapes == [["batch", 12, 16, 1], ["batch", "height", "width", 1]]
    images = np.random.default_rng(0).normal(size=(2, 12, 16, 1)).astype(np.float32)
    np.testing.assert_allclose(load_onnx(other)(images), load_onnx(open_size)(images), atol=1e-5)


def test_a_file_with_its_preprocessing_takes_the_pixels_of_the_data_set(run, tmp_path):
    entry = Entry.read(run / "entry")
    path = export_entry(entry, ["onnx"], tmp_path / "out", with_preprocessing=True)["onnx"].path
    images = load("digits").x_test[:9]
    expected = entry.load_model()(entry.preprocessing(images), training=False)
    np.testing.assert_allclose(load_onnx(path)(images.astype(np.uint8)), expected, atol=1e-5)
    assert json.loads(read_metadata(path)["pixel_range"]) == [0, 16]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 0.9, [0, 1]), (0, 1, [0, 1]), (0, 15, [0, 16]), (3, 200, [0, 255]), (-1, 1, [-1, 1]), (0, 4095, [0, 4095])],
)
def test_the_range_of_pixels_is_told_from_some_of_them(low, high, expected):
    assert pixel_range(np.linspace(low, high, 12).reshape(3, 2, 2, 1)) == expected


def test_int8_is_judged_by_the_classes_that_the_network_learnt(run, tmp_path):
    digits = load("digits")
    other = dataclasses.replace(
        digits, class_names=tuple("abcdefghij"), x_test=digits.x_test[:40], y_test=digits.y_test[:40]
    )
    with pytest.raises(ExportError, match=r"of the classes \['0', '1', '2'\] … to judge int8 by"):
        export_entry(Entry.read(run / "entry"), ["int8"], tmp_path / "out", data=other)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [(0, 8), (8, 5000), "ANY", (8.0, 8), (8,), 8])
def test_what_is_no_size_is_refused(run, tmp_path, size):
    with pytest.raises(ExportError, match="Expected a size"):
        export_entry(Entry.read(run / "entry"), ["onnx"], tmp_path / "out", size=size)


def test_a_build_that_was_killed_is_no_problem_and_is_cleared_away(shelf, run, other_run):
    left = shelf.find("tiny_blocks").folder / ".partial-killed"
    left.mkdir()
    (left / "model.onnx").write_text("half")
    assert shelf.verify() == []
    shelf.publish(other_run)
    assert left.exists()  # it may be under way
    os.utime(left, (0, 0))
    shelf.publish(run, tag="again")
    assert not left.exists()
