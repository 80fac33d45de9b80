"""A streamed data set in proxy training, which keeps its images in memory."""

import numpy as np

from automl_cells.builder import template
from automl_cells.datasets import from_arrays, load
from automl_cells.evaluation import proxy_training
from automl_cells.evaluation.proxy_training import ProxyTraining
from tests.datasets.pictures import class_folders, picture


def evaluator(data):
    return ProxyTraining(data, template("cifar", repeats=1, input_shape=(8, 8, 3), classes=2))


def test_all_of_a_streamed_set_that_fits_is_taken(tmp_path):
    class_folders(tmp_path, count=40)
    streamed, decoded = load(f"folder:{tmp_path}?memory=0"), load(f"folder:{tmp_path}")
    for found, expected in zip(evaluator(streamed)._split(), evaluator(decoded)._split(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_stratified_sample_is_taken_of_a_larger_one(tmp_path, monkeypatch):
    class_folders(tmp_path, count=40)
    monkeypatch.setattr(proxy_training, "_SAMPLE_BYTES", 20 * 8 * 8 * 3 * 4)
    monkeypatch.setattr(proxy_training, "_SAMPLE_LEAST", 1)
    streamed = load(f"folder:{tmp_path}?memory=0")
    monkeypatch.setattr(type(streamed), "preprocessing", property(lambda self: 1 / 0))  # would look at every image
    x_train, y_train, x_validation, y_validation = evaluator(streamed)._split()
    assert len(x_train) + len(x_validation) == 20
    assert np.bincount(np.concatenate([y_train, y_validation])).tolist() == [10, 10]
    assert x_train.dtype == np.float32
    assert abs(np.concatenate([x_train, x_validation]).mean()) < 1e-5


def test_a_set_in_memory_is_never_sampled(monkeypatch):
    monkeypatch.setattr(proxy_training, "_SAMPLE_BYTES", 1)
    monkeypatch.setattr(proxy_training, "_SAMPLE_LEAST", 1)
    images = np.stack([picture(i) for i in range(40)])
    arrays = evaluator(from_arrays(images, np.arange(40) % 2))._split()
    assert len(arrays[0]) + len(arrays[2]) == 30
