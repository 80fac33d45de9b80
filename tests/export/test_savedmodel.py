import json

import pytest
import tensorflow as tf

from automl_cells.errors import ExportError
from automl_cells.export import export_savedmodel, load_savedmodel, measure_parity
from automl_cells.export.savedmodel import write_savedmodel
from automl_cells.export.tracing import trace


def test_a_savedmodel_serves_what_keras_computes(model, images, tmp_path, capfd):
    export_savedmodel(model, tmp_path / "new")
    run = load_savedmodel(tmp_path / "new")
    assert measure_parity(model, run, images).holds
    assert "Saved artifact" not in "".join(capfd.readouterr())


def test_nothing_is_written_over(model, tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(ExportError, match="Expected a folder that is empty"):
        export_savedmodel(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_without_a_savedmodel_is_refused(tmp_path):
    with pytest.raises(ExportError, match="Expected the folder of a SavedModel"):
        load_savedmodel(tmp_path)


def test_the_signature_has_the_names_of_the_onnx_file_and_the_folder_its_metadata(model, tmp_path):
    write_savedmodel(trace(model), tmp_path / "new", {"name": "tiny", "labels": '["a"]'})
    signature = tf.saved_model.load(str(tmp_path / "new")).signatures["serving_default"]
    assert signature.structured_input_signature[1]["image"].shape.as_list() == [None, 8, 8, 1]
    assert list(signature.structured_outputs) == ["probabilities"]
    described = json.loads((tmp_path / "new" / "assets.extra" / "metadata.json").read_text())
    assert described == {"name": "tiny", "labels": '["a"]'}
