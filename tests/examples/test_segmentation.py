"""The segmentation example: mIoU by hand, scenes, and a tiny run from end to end."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from automl_cells.zoo import resolve

PATH = Path(__file__).resolve().parents[2] / "examples" / "segmentation.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("segmentation_example", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mean_iou_by_hand(example):
    truth = np.array([[0, 0, 0], [1, 1, 2]])
    predicted = np.array([[0, 0, 1], [1, 2, 2]])
    # class 0: 2 of 3; class 1: 1 of 3; class 2: 1 of 2; class 3 occurs in neither and does not count
    assert example.mean_iou(truth, predicted, 4) == pytest.approx((2 / 3 + 1 / 3 + 1 / 2) / 3)
    assert example.mean_iou(truth, truth, 4) == 1
    assert example.mean_iou(np.zeros(4, int), np.ones(4, int), 2) == 0


def test_scenes_hold_digits_where_the_truth_says_so(example):
    digits, labels = np.ones((2, 8, 8), np.float32), np.array([3, 7])
    scenes = example.make_scenes(digits, labels, 3, seed=0)
    assert (scenes.images.shape, scenes.truth.shape) == ((3, 64, 64, 1), (3, 64, 64))
    assert set(np.unique(scenes.truth)) == {0, 4, 8}
    assert scenes.images[scenes.truth > 0].min() >= 0.69 > np.median(scenes.images[scenes.truth == 0])
    again = example.make_scenes(digits, labels, 3, seed=0)
    np.testing.assert_array_equal(scenes.images, again.images)


def test_an_image_is_enlarged_bilinearly(example):
    image = np.array([[0.0, 1.0], [2.0, 3.0]])
    expected = [0, 0.25, 0.75, 1]
    np.testing.assert_allclose(example.enlarged(image, 4)[0], expected)
    np.testing.assert_allclose(example.enlarged(image, 2), image)


@pytest.mark.slow
def test_a_tiny_run(example, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("AUTOML_CELLS_DATA", raising=False)
    out = tmp_path / "picture.png"
    found = example.main(["--scenes", "4", "--test-scenes", "2", "--epochs", "4", "--seeds", "1", "--out", str(out)])
    assert found.shape == (1, 2)
    assert ((found >= 0) & (found <= 100)).all()
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "from scratch" in capsys.readouterr().out
    assert resolve(example.default_entry()).name == "blockqnn_found_digits"
