import json

import keras
import numpy as np
import onnxruntime
import pytest

from automl_cells.datasets import load
from automl_cells.errors import ExportError
from automl_cells.export import (
    FORMATS,
    Evaluation,
    export_model,
    export_onnx,
    exporting,
    read_metadata,
    sha256_of_file,
    sha256_of_folder,
)
from automl_cells.export.tracing import trace


@pytest.fixture(scope="module")
def results(model, images, labels, metadata, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "export"
    return export_model(
        model, list(FORMATS), out, images=images, metadata=metadata, evaluation=Evaluation(images, images, labels)
    )


def test_every_format_is_exported_and_measured(results):
    assert list(results) == list(FORMATS)
    out = results["onnx"].path.parent
    assert sorted(path.name for path in out.iterdir()) == sorted([*FORMATS.values(), "parity.json"])
    assert [path.name for path in out.parent.iterdir()] == ["export"]
    for form, result in results.items():
        assert result.parity.images == 33
        assert 0 < result.parity.max_abs_difference < (0.5 if form == "int8" else 1e-5)
        assert result.parity.top1_agreement >= (0.9 if form == "int8" else 1.0)
        assert result.seconds > 0
        assert (result.accuracies is not None) == (form == "int8")


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
    def write_another_model(job, path):
        wrong = keras.models.clone_model(model)
        wrong.set_weights([weight + 0.05 for weight in model.get_weights()])
        export_onnx(wrong, path, metadata=job.metadata)

    monkeypatch.setitem(exporting._WRITERS, "onnx", write_another_model)
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


@pytest.mark.parametrize("formats", [["lite"], ["onnx", "tflite"], [], "onnx"])
def test_unknown_formats_are_refused_with_the_known_ones(model, images, tmp_path, formats):
    with pytest.raises(ExportError, match=r"\['savedmodel', 'onnx', 'int8', 'litert'\]. Received: "):
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


def test_one_trace_serves_all_formats(model, images, labels, tmp_path, monkeypatch):
    traces = []

    def counted(*arguments):
        traces.append(trace(*arguments))
        return traces[-1]

    monkeypatch.setattr(exporting, "trace", counted)
    export_model(
        model, list(FORMATS), tmp_path, images=images, metadata={}, evaluation=Evaluation(images, images, labels)
    )
    assert [each.function.experimental_get_tracing_count() for each in traces] == [1]


@pytest.mark.parametrize("form", FORMATS)
def test_pixels_go_in_where_the_preprocessing_is_inside(model, labels, tmp_path, form):
    digits = load("digits")
    pixels = digits.x_test[:33]
    out = export_model(
        model,
        [form],
        tmp_path,
        images=pixels,
        metadata={},
        preprocessing=digits.preprocessing,
        evaluation=Evaluation(pixels, pixels, labels),
    )[form].path
    outputs = exporting._READERS[form](out)(pixels.astype(np.uint8))
    expected = np.asarray(model(digits.preprocessing(pixels), training=False))
    np.testing.assert_allclose(outputs, expected, atol=0.5 if form == "int8" else 1e-5)
    assert outputs.std() > 0.01
    if form in ("onnx", "int8"):
        described = read_metadata(out)
        assert (described["preprocessing"], described["input_dtype"]) == ("inside", "uint8")


@pytest.mark.parametrize("form", ["savedmodel", "onnx", "litert"])
def test_logits_of_a_network_that_gives_probabilities(model, images, tmp_path, form):
    out = export_model(model, [form], tmp_path, images=images, metadata={}, output="logits")[form].path
    logits = exporting._READERS[form](out)(images)
    assert logits.min() < 0
    np.testing.assert_allclose(keras.ops.softmax(logits), model(images, training=False), atol=1e-5)


def test_images_that_are_no_pixels_are_refused_for_a_file_that_takes_pixels(model, images, tmp_path):
    with pytest.raises(ExportError, match=r"whole numbers from 0 to 255 .* Received: float32 from -"):
        export_model(
            model, ["onnx"], tmp_path / "out", images=images, metadata={}, preprocessing=load("digits").preprocessing
        )
    assert list(tmp_path.iterdir()) == []


def test_int8_that_costs_more_than_a_point_fails_and_leaves_nothing(model, images, labels, tmp_path, monkeypatch):
    found = iter([97.0, 95.9])
    monkeypatch.setattr(exporting, "accuracy", lambda *arguments: next(found))
    with pytest.raises(ExportError, match=r"at most 1 point .* on 33 images. Received: 95.90 % against 97.00 %"):
        export_model(
            model,
            ["onnx", "int8"],
            tmp_path / "out",
            images=images,
            metadata={},
            evaluation=Evaluation(images, images, labels),
        )
    assert list(tmp_path.iterdir()) == []


def test_int8_alone_leaves_no_float_file(model, images, labels, tmp_path):
    export_model(model, ["int8"], tmp_path, images=images, metadata={}, evaluation=Evaluation(images, images, labels))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.int8.onnx", "parity.json"]


def test_int8_without_images_to_judge_by_is_refused(model, images, tmp_path):
    with pytest.raises(ExportError, match=r"to judge it by. Received: none$"):
        export_model(model, ["int8"], tmp_path / "out", images=images, metadata={})
