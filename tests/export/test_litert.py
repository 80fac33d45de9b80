import pytest

from automl_cells.errors import ExportError
from automl_cells.export import load_litert, measure_parity
from automl_cells.export.litert import write_litert
from automl_cells.export.tracing import trace


def test_a_litert_file_computes_what_keras_does_in_batches_of_any_size(model, images, tmp_path, capfd):
    write_litert(trace(model), tmp_path / "model.tflite")
    assert measure_parity(model, load_litert(tmp_path / "model.tflite"), images).holds
    assert "W0000" not in "".join(capfd.readouterr())


def test_a_file_that_is_not_litert_is_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"no flatbuffer")
    with pytest.raises(ExportError, match="Expected a LiteRT file"):
        load_litert(tmp_path / "model.tflite")
    with pytest.raises(ExportError, match="Expected a LiteRT file"):
        load_litert(tmp_path / "missing.tflite")
