"""Every operation of blocks that is not in BlockQNN's table 1 survives every export, for any number of images."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from automl_cells.builder import build
from automl_cells.datasets import load
from automl_cells.export import Evaluation, export_model, exporting
from automl_cells.genotypes import BlockGenotype

SIZES = {"repeats": 1, "filters": (4, 8), "input_shape": (8, 8, 1)}
CODES = {
    "separable 3": [(2, 8, 3, 1, 0)],
    "separable 5": [(2, 8, 5, 1, 0)],
    "dilated": [(2, 9, 3, 1, 0)],
    "squeeze and excitation": [(2, 10, 0, 1, 0)],
    "self-attention": [(2, 11, 0, 1, 0)],
    "all": [(2, 8, 3, 1, 0), (3, 9, 3, 2, 0), (4, 10, 0, 3, 0), (5, 11, 0, 4, 0), (6, 5, 0, 1, 5)],
}


def network(name, images):
    """With kernels as they start but the classifier's, and batch normalisation with the statistics of the images."""
    keras.utils.set_random_seed(0)
    codes = [(1, 1, 3, 0, 0), *CODES[name]]
    block = BlockGenotype.from_codes([*codes, (len(codes) + 1, 7, 0, 0, 0)])
    model = build(block, "cifar", **SIZES, batch_norm_momentum=0.0)
    random = np.random.default_rng(0)
    for variable in model.trainable_weights:
        if variable.ndim == 1:
            variable.assign(variable + random.uniform(-0.3, 0.3, variable.shape))
    model(images, training=True)
    kernel = model.get_layer("predictions").kernel
    kernel.assign(kernel * 5)  # so that the outputs depend on the images
    return model


@pytest.mark.parametrize("name", CODES)
def test_exports_agree_with_keras_for_any_number_of_images(name, images, tmp_path):
    model = network(name, images)
    results = export_model(model, ["savedmodel", "onnx", "litert"], tmp_path, images=images, metadata={})
    expected = np.asarray(model(images, training=False))
    assert expected.std(0).max() > 0.01
    for form, result in results.items():
        assert result.parity.max_abs_difference < 1e-5
        assert result.parity.top1_agreement == 1
        read = exporting._READERS[form](result.path)
        for few in (1, 5):
            np.testing.assert_allclose(read(images[:few]), expected[:few], atol=1e-5)
    session = onnxruntime.InferenceSession(str(results["onnx"].path))
    assert session.get_inputs()[0].shape == ["batch", 8, 8, 1]
    graph = onnx.load(results["onnx"].path).graph
    assert {node.domain for node in graph.node} == {""}
    operators = [node.op_type for node in graph.node]
    attentions = 2 if name in ("self-attention", "all") else 0  # one a stage
    assert operators.count("Softmax") == attentions + 1  # and that of the classifier


def test_in_eight_bits_when_trained(tmp_path):
    digits = load("digits")
    train, test = digits.preprocessing(digits.x_train), digits.preprocessing(digits.x_test)
    model = network("all", train[:64])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(train, digits.y_train, batch_size=64, epochs=4, verbose=0)
    model(train, training=True)  # statistics of all images: the momentum is 0
    evaluation = Evaluation(train[:100], test, digits.y_test)
    result = export_model(model, ["int8"], tmp_path, images=test, metadata={}, evaluation=evaluation)["int8"]
    assert result.accuracies.float32 > 60  # chance is 10
    assert result.parity.top1_agreement > 0.95
    operators = [node.op_type for node in onnx.load(result.path).graph.node]
    assert "DequantizeLinear" in operators
    assert operators.count("Softmax") == 3
