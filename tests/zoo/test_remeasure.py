import json

import numpy as np
import pytest

from automl_cells.datasets import from_arrays, load, save_npz
from automl_cells.errors import ZooError
from automl_cells.training.conclusion import accuracy
from automl_cells.zoo import Entry
from automl_cells.zoo.data import dataset_of
from automl_cells.zoo.remeasure import Remeasured, remeasure


@pytest.fixture
def mine():
    """A data set that only a file can give back."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 17, (80, 8, 8, 1), np.uint8), np.arange(80) % 10
    return from_arrays(images, labels, name="mine")


@pytest.fixture
def entry_of_mine(entry_copy, mine):
    document = json.loads((entry_copy / "model.json").read_text())
    document["dataset"] = {"name": mine.name, "fingerprint": mine.fingerprint}
    (entry_copy / "model.json").write_text(json.dumps(document))
    return Entry.read(entry_copy)


def test_the_accuracy_is_measured_from_the_embedded_data(run):
    entry = Entry.read(run / "entry")
    digits = load("digits")
    found = remeasure(entry)
    expected = 100 * accuracy(entry.load_model(), entry.preprocessing, digits.x_test, digits.y_test)
    assert found.measured == pytest.approx(expected, abs=1e-3)
    assert (found.published, found.images) == (91.25, 450)
    assert not found.agrees  # its weights are random


def test_a_data_set_is_found_by_its_name_in_a_folder(entry_of_mine, mine, tmp_path, monkeypatch):
    save_npz(mine, tmp_path / "data" / "mine.npz")
    assert dataset_of(entry_of_mine, tmp_path / "data").fingerprint == mine.fingerprint
    monkeypatch.setenv("AUTOML_CELLS_DATA", str(tmp_path / "data"))
    assert remeasure(entry_of_mine).images == len(mine.x_test)


def test_data_that_are_not_there_or_not_the_same_are_refused(entry_of_mine, mine, tmp_path, monkeypatch):
    monkeypatch.delenv("AUTOML_CELLS_DATA", raising=False)
    with pytest.raises(ZooError, match=r"'mine'.*as mine\.npz.*AUTOML_CELLS_DATA.*Received: no folder"):
        dataset_of(entry_of_mine)
    with pytest.raises(ZooError, match=r"Received: .*mine\.npz"):
        dataset_of(entry_of_mine, tmp_path)
    other = from_arrays(mine.x_train, mine.y_train, mine.x_test[::-1], mine.y_test[::-1], name="mine")
    save_npz(other, tmp_path / "mine.npz")
    with pytest.raises(ZooError, match="fingerprint"):
        dataset_of(entry_of_mine, tmp_path)


def test_a_name_that_points_elsewhere_is_not_followed(entry_copy, tmp_path, mine):
    save_npz(mine, tmp_path / "mine.npz")
    document = json.loads((entry_copy / "model.json").read_text())
    document["dataset"] = {"name": "sub/../mine", "fingerprint": mine.fingerprint}
    (entry_copy / "model.json").write_text(json.dumps(document))
    (tmp_path / "sub").mkdir()
    with pytest.raises(ZooError, match="Expected the data set"):
        dataset_of(Entry.read(entry_copy), tmp_path)


@pytest.mark.parametrize(
    ("measured", "images", "agrees"),
    [(99.0, 10_000, True), (99.05, 10_000, True), (99.06, 10_000, False), (98.8, 450, True), (98.7, 450, False)],
)
def test_a_machine_may_differ_by_a_few_hundredths_or_by_one_image(measured, images, agrees):
    assert Remeasured(99.0, measured, images).agrees == agrees


def test_without_a_published_accuracy_there_is_nothing_to_compare(entry_copy):
    metrics = json.loads((entry_copy / "metrics.json").read_text())
    (entry_copy / "metrics.json").write_text(json.dumps({**metrics, "test_accuracy": None}))
    with pytest.raises(ZooError, match="Expected a test accuracy"):
        remeasure(Entry.read(entry_copy))
