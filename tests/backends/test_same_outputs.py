"""The same weights give the same outputs as under TensorFlow."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from automl_cells.training import load_weights
from tests.backends.networks import ENTRY, digits, entry_outputs, noise, random_network, small_networks

REFERENCE = Path(os.environ["AUTOML_CELLS_REFERENCE"])
CLOSE = 5e-5  # of TensorFlow, so that JAX and torch are within 1e-4 of each other too


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE / "outputs.npz") as stored:
        return dict(stored)


def same(ours, theirs):
    print(f"\n{keras.backend.backend()}: largest difference from TensorFlow {np.abs(ours - theirs).max():.2g}")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE)


def test_tensorflow_is_not_there():
    for package in ("tensorflow", "tf2onnx", "onnx", "onnxruntime", "tensorflow_datasets"):
        assert importlib.util.find_spec(package) is None, package
    assert keras.backend.backend() in ("jax", "torch")


def test_an_entry_of_the_shelf(reference):
    outputs = entry_outputs()
    assert len(np.unique(outputs.argmax(1))) > 5
    same(outputs, reference["entry"])


def test_a_constructor_with_weights_that_tensorflow_wrote(reference):
    model = random_network(REFERENCE / "random.weights.h5")
    assert reference["random"].std(0).max() > 0.01  # the outputs depend on the images
    same(model.predict_on_batch(noise()), reference["random"])


@pytest.mark.parametrize("name", ["nasnet_a", "operations", "attention", "chain", "ensemble"])
def test_networks_of_all_kinds_with_weights_that_tensorflow_wrote(reference, name):
    model = small_networks()[name]
    load_weights(model, REFERENCE / f"{name}.weights.h5")
    assert reference[name].std(0).max() > 0.01
    same(model.predict_on_batch(noise()), reference[name])


def test_exporting_says_what_it_needs(tmp_path):
    from automl_cells.errors import ExportError
    from automl_cells.export import export_savedmodel, load_savedmodel
    from automl_cells.zoo import Entry, export_entry

    entry = Entry.read(ENTRY)
    backend = keras.backend.backend()
    message = f"Expected KERAS_BACKEND=tensorflow and TensorFlow installed.* Received: {backend}"
    for form in ("onnx", "savedmodel"):
        with pytest.raises(ExportError, match=message):
            export_entry(entry, [form], tmp_path / "out", data=digits())
    with pytest.raises(ExportError, match=message):
        export_savedmodel(entry.load_model(), tmp_path / "saved")
    with pytest.raises(ExportError, match=message):
        load_savedmodel(tmp_path)
    assert list(tmp_path.iterdir()) == []
