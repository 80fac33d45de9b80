import logging

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from automl_cells.errors import ExportError
from automl_cells.export import export_onnx, load_onnx, measure_parity
from automl_cells.export import onnx as onnx_module
from automl_cells.export.onnx_graph import add_metadata, keep_used_domains


@pytest.fixture(scope="module")
def exported(model, metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(model, path, metadata=metadata)
    return path


def shapes(values):
    return [(value.name, value.shape) for value in values]


def test_input_output_and_batch_axis_have_stable_names(exported):
    session = onnxruntime.InferenceSession(str(exported))
    assert shapes(session.get_inputs()) == [("image", ["batch", 8, 8, 1])]
    assert shapes(session.get_outputs()) == [("probabilities", ["batch", 10])]


def test_the_file_describes_itself(exported, metadata):
    described = onnxruntime.InferenceSession(str(exported)).get_modelmeta().custom_metadata_map
    assert {name: described[name] for name in metadata} == metadata
    assert (described["input_layout"], described["opset"]) == ("NHWC", "17")
    assert described["keras"] == keras.__version__
    assert described["tf2onnx"]
    assert [item.version for item in onnx.load(exported).opset_import if item.domain == ""] == [17]


def test_metadata_can_be_added(exported, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(exported.read_bytes())
    add_metadata(path, {"parity_max_abs": "1e-07", "version": "digits-v2"})
    described = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    assert (described["name"], described["version"], described["parity_max_abs"]) == ("tiny", "digits-v2", "1e-07")


@pytest.mark.parametrize("opset", [14, 15, 18])
def test_both_ends_of_the_opsets_agree_with_keras(model, images, tmp_path, opset):
    export_onnx(model, tmp_path / "model.onnx", metadata={}, opset=opset)
    assert measure_parity(model, load_onnx(tmp_path / "model.onnx"), images).holds
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == opset


@pytest.mark.parametrize("opset", [13, 19])
def test_an_opset_outside_is_refused(model, tmp_path, opset):
    with pytest.raises(ExportError, match=f"from 14 to 18. Received: {opset}"):
        export_onnx(model, tmp_path / "model.onnx", metadata={}, opset=opset)
    assert list(tmp_path.iterdir()) == []


def test_logits_are_called_logits(make_tiny, images, tmp_path):
    model = make_tiny(classifier_activation=None)
    export_onnx(model, tmp_path / "model.onnx", metadata={})
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert shapes(session.get_outputs()) == [("logits", ["batch", 10])]
    assert measure_parity(model, load_onnx(tmp_path / "model.onnx"), images).holds


def test_a_body_of_open_size_names_its_axes(make_tiny, tmp_path):
    model = make_tiny(include_top=False, input_shape=(None, None, 3))
    export_onnx(model, tmp_path / "model.onnx", metadata={})
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert shapes(session.get_inputs()) == [("image", ["batch", "height", "width", 3])]
    assert shapes(session.get_outputs()) == [("features", ["batch", "features_height", "features_width", 8])]
    images = np.random.default_rng(0).normal(size=(2, 9, 12, 3))
    assert measure_parity(model, load_onnx(tmp_path / "model.onnx"), images).holds


def test_a_model_beyond_two_gigabytes_is_refused_before_anything_is_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_module, "MAX_BYTES", 1000)
    with pytest.raises(ExportError, match="Expected weights of at most"):
        export_onnx(model, tmp_path / "model.onnx", metadata={})
    assert list(tmp_path.iterdir()) == []


def test_the_converter_is_quiet_and_its_logger_left_as_it_was(model, tmp_path, caplog, capfd):
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    export_onnx(model, tmp_path / "model.onnx", metadata={})
    assert not [record for record in caplog.records if record.name.startswith("tf2onnx")]
    assert "tf2onnx" not in "".join(capfd.readouterr())
    assert logger.level == before


def test_the_graph_holds_no_normalisation_and_no_foreign_operators(exported):
    proto = onnx.load(exported)
    operators = {node.op_type for node in proto.graph.node}
    assert "Conv" in operators
    assert not operators & {"BatchNormalization", "Identity"}
    assert {node.domain for node in proto.graph.node} == {""}
    assert [(item.domain, item.version) for item in proto.opset_import] == [("", 17)]
    assert sum(node.op_type == "Transpose" for node in proto.graph.node) <= 2  # one in, one before the classifier


def test_the_same_model_gives_the_same_file(model, metadata, exported, tmp_path):
    export_onnx(model, tmp_path / "again.onnx", metadata=metadata)
    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_a_graph_with_foreign_operators_is_refused(exported):
    proto = onnx.load(exported)
    proto.graph.node[0].domain = "com.example"
    with pytest.raises(ExportError, match=r"ONNX's own operators. Received: some of \['com.example'\]"):
        keep_used_domains(proto, 17)


def test_a_file_that_is_not_onnx_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no protobuf")
    with pytest.raises(ExportError, match="Expected an ONNX file"):
        load_onnx(tmp_path / "model.onnx")
