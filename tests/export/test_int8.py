import numpy as np
import onnx
import pytest

from automl_cells.errors import ExportError
from automl_cells.export import Accuracies, export_onnx, load_onnx, read_metadata
from automl_cells.export.int8 import accuracy, write_int8


@pytest.fixture(scope="module")
def quantised(model, images, metadata, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    export_onnx(model, folder / "float.onnx", metadata=metadata)
    write_int8(folder / "float.onnx", folder / "int8.onnx", images, {"more": "here"})
    return folder


def test_weights_are_eight_bits_with_a_scale_for_each_channel(quantised):
    proto = onnx.load(quantised / "int8.onnx")
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    kernels = [value for value in stored.values() if value.ndim == 4]
    assert kernels
    assert {value.dtype for value in kernels} == {np.dtype(np.int8)}
    readers = [node for node in proto.graph.node if node.op_type == "DequantizeLinear"]
    assert any(stored[node.input[1]].shape == (8,) for node in readers if node.input[1] in stored)


def test_the_file_describes_itself_as_the_float_file_does_and_more(quantised, metadata):
    described = read_metadata(quantised / "int8.onnx")
    before = read_metadata(quantised / "float.onnx")
    assert {name: described[name] for name in before} == before
    assert described["name"] == metadata["name"]
    assert described["more"] == "here"
    assert described["quantization"].startswith("static, QDQ")
    assert described["calibration_images"] == "33"
    assert set(described) - set(before) == {"more", "quantization", "calibration_images"}


def test_the_outputs_stay_near_and_the_batch_stays_free(quantised, model, images):
    run = load_onnx(quantised / "int8.onnx")
    expected = np.asarray(model(images, training=False))
    difference = np.abs(run(images) - expected)
    assert 0 < difference.max() < 0.3
    np.testing.assert_allclose(run(images[:1]), run(images)[:1], atol=1e-6)


def test_no_images_to_calibrate_with_are_refused(quantised, images, tmp_path):
    with pytest.raises(ExportError, match=r"Expected images to calibrate int8 with. Received: none"):
        write_int8(quantised / "float.onnx", tmp_path / "int8.onnx", images[:0], {})
    assert list(tmp_path.iterdir()) == []


def test_accuracy_is_counted_over_all_batches():
    labels = np.arange(70) % 7
    wrong = labels.copy()
    wrong[[0, 33, 69]] = (wrong[[0, 33, 69]] + 1) % 7
    one_hot = np.eye(7)[wrong]
    images = np.arange(70, dtype=np.float32).reshape(-1, 1, 1, 1)
    measured = accuracy(lambda batch: one_hot[batch[:, 0, 0, 0].astype(int)], images, labels)
    assert measured == pytest.approx(100 * 67 / 70)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (0, np.zeros(0, int)),
        (3, np.zeros(2, int)),
        (3, np.zeros((3, 1), int)),  # would be compared with every guess
        (3, np.zeros(3)),
        (3, np.array(["a", "b", "c"])),
        (3, np.array([0, 1, 4])),
        (3, np.array([-1, 0, 1])),
    ],
)
def test_each_image_needs_the_number_of_its_class(images, labels):
    with pytest.raises(ExportError, match="Received: "):
        accuracy(lambda batch: np.zeros((len(batch), 4)), np.zeros((images, 1, 1, 1)), labels)


def test_a_map_is_no_classifier():
    with pytest.raises(ExportError, match=r"outputs of shape \(2, 3, 3, 4\)"):
        accuracy(lambda batch: np.zeros((len(batch), 3, 3, 4)), np.zeros((2, 1, 1, 1)), np.array([0, 1]))


@pytest.mark.parametrize("calibration", [np.zeros((2, 9, 9, 1)), np.full((2, 8, 8, 1), np.nan)])
def test_images_that_cannot_calibrate_are_refused(quantised, tmp_path, calibration):
    with pytest.raises(ExportError, match="Received: "):
        write_int8(quantised / "float.onnx", tmp_path / "int8.onnx", calibration.astype(np.float32), {})
    assert list(tmp_path.iterdir()) == []


def test_a_point_may_be_lost_and_no_more():
    assert Accuracies(97.0, 96.0, 100).holds
    assert not Accuracies(97.0, 95.99, 100).holds
    assert Accuracies(97.0, 98.0, 100).holds
