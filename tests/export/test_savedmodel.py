import pytest

from automl_cells.errors import ExportError
from automl_cells.export import export_savedmodel, load_savedmodel, measure_parity


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
