import json

import keras
import numpy as np
import onnxruntime
import pytest

from automl_cells.errors import ExportError
from automl_cells.export import FORMATS, export_model, export_onnx, exporting, sha256_of_file, sha256_of_folder


@pytest.fixture(scope="module")
def results(model, images, metadata, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "export"
    return export_model(model, ["savedmodel", "onnx"], out, images=images, metadata=metadata)


def test_every_format_is_exported_and_measured(results):
    assert list(results) == list(FORMATS)
    out = results["onnx"].path.parent
    assert sorted(path.name for path in out.iterdir()) == ["model.onnx", "parity.json", "savedmodel"]
    assert [path.name for path in out.parent.iterdir()] == ["export"]
    for result in results.values():
        assert result.parity.images == 33
        assert 0 < result.parity.max_abs_difference < 1e-5
        assert result.parity.top1_agreement == 1.0
        assert result.seconds > 0


def test_hashes_and_parity_are_written_down(results):
    assert results["onnx"].sha256 == sha256_of_file(results["onnx"].path)
    assert results["savedmodel"].sha256 == sha256_of_folder(results["savedmodel"].path)
    assert results["onnx"].bytes == results["onnx"].path.stat().st_size
    document = json.loads((results["onnx"].path.parent / "parity.json").read_text())
    assert (document["format"], document["version"]) == ("automl_cells/parity", 1)
    assert document["results"] == {form: result.to_document() for form, result in results.items()}


def test_the_onnx_file_carries_its_parity(results):
    described = onnxruntime.InferenceSession(str(results["onnx"].path)).get_modelmeta().custom_metadata_map
    assert float(described["parity_max_abs"]) == pytest.approx(results["onnx"].parity.max_abs_difference, rel=1e-2)


def test_an_export_that_disagrees_leaves_nothing_behind(model, images, tmp_path, monkeypatch):
    def export_another_model(given, path, metadata, opset):
        wrong = keras.models.clone_model(given)
        wrong.set_weights([weight + 0.05 for weight in given.get_weights()])
        export_onnx(wrong, path, metadata=metadata, opset=opset)

    monkeypatch.setitem(exporting._WRITERS, "onnx", export_another_model)
    with pytest.raises(ExportError, match=r"Expected the onnx export to agree .* Received: a difference of 0\.\d"):
        export_model(model, ["savedmodel", "onnx"], tmp_path / "out", images=images, metadata={})
    assert list(tmp_path.iterdir()) == []


def test_a_new_export_replaces_the_old_one_and_keeps_the_other_format(make_tiny, images, tmp_path):
    out = tmp_path / "out"
    export_model(make_tiny(), ["savedmodel", "onnx"], out, images=images, metadata={})
    before = json.loads((out / "parity.json").read_text())["results"]
    (out / "notes.txt").write_text("mine")
    logits = make_tiny(classifier_activation=None)
    result = export_model(logits, ["savedmodel"], out, images=images[:2], metadata={})["savedmodel"]
    after = json.loads((out / "parity.json").read_text())["results"]
    assert after["onnx"] == before["onnx"]
    assert after["savedmodel"] == result.to_document() != before["savedmodel"]
    assert sha256_of_folder(out / "savedmodel") == result.sha256
    assert sorted(path.name for path in out.iterdir()) == ["model.onnx", "notes.txt", "parity.json", "savedmodel"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("formats", [["litert"], ["onnx", "tflite"], [], "onnx"])
def test_unknown_formats_are_refused_with_the_known_ones(model, images, tmp_path, formats):
    with pytest.raises(ExportError, match=r"\['savedmodel', 'onnx'\]. Received: "):
        export_model(model, formats, tmp_path / "out", images=images, metadata={})
    assert list(tmp_path.iterdir()) == []


def test_another_backend_is_refused(model, images, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match=r"Expected KERAS_BACKEND=tensorflow .* Received: jax"):
        export_model(model, ["onnx"], tmp_path / "out", images=images, metadata={})


def test_half_precision_is_refused(tmp_path):
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Flatten(dtype="mixed_float16", name="half")(inputs))
    with pytest.raises(ExportError, match="Received: half, which computes in float16"):
        export_model(model, ["onnx"], tmp_path / "out", images=np.zeros((1, 4, 4, 1)), metadata={})


def test_a_file_in_the_place_of_the_folder_is_refused(model, images, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExportError, match="Expected a folder to export to"):
        export_model(model, ["onnx"], tmp_path / "out", images=images, metadata={})
    assert (tmp_path / "out").read_text() == "mine"
