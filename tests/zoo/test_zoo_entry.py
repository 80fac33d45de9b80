import json

import numpy as np
import pytest

from automl_cells.builder import build, template
from automl_cells.datasets import from_arrays
from automl_cells.errors import ZooError
from automl_cells.genotypes import BlockGenotype
from automl_cells.training import load_weights, recipe, save_weights, train
from automl_cells.zoo import Entry
from automl_cells.zoo.entry import WEIGHTS


def change(path, **fields):
    document = json.loads(path.read_text())
    document.update(fields)
    path.write_text(json.dumps(document))


def test_an_entry_is_read(run, tiny):
    entry = Entry.read(run / "entry")
    assert (entry.name, entry.tag, entry.address) == ("tiny_blocks", "digits", None)
    assert entry.genotype == tiny.load_genotype()
    assert entry.template == tiny.make_template()
    assert entry.labels == tuple("0123456789")
    assert entry.metrics["test_accuracy"] == 91.25
    assert entry.provenance["candidates"] == 24
    assert entry.cost == tiny.cost()
    assert entry.preprocessing(np.full((1, 8, 8, 1), entry.preprocessing.mean[0])) == pytest.approx(0)


def test_the_model_has_the_weights_of_the_file(run, tiny):
    model = Entry.read(run / "entry").load_model()
    expected = build(tiny.load_genotype(), tiny.make_template())
    load_weights(expected, run / "entry" / WEIGHTS)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.name == "tiny_blocks"


def test_exported_files_can_say_how_to_be_fed(run):
    entry = Entry.read(run / "entry")
    metadata = entry.export_metadata()
    assert (metadata["name"], metadata["version"]) == ("tiny_blocks", "not published")
    assert f"sha256:{metadata['genotype_sha256']}" == entry.genotype.hash
    assert tuple(json.loads(metadata["input_mean"])) == entry.preprocessing.mean
    assert tuple(json.loads(metadata["input_std"])) == entry.preprocessing.std
    assert json.loads(metadata["labels"]) == list("0123456789")
    assert all(isinstance(value, str) for value in metadata.values())


def test_what_a_training_writes_is_an_entry(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (24, 6, 6, 1)).astype(np.uint8)
    data = from_arrays(images, np.arange(24) % 2, class_names=["even", "odd"], name="noise")
    block = BlockGenotype.from_codes([(1, 1, 1, 0, 0), (2, 7, 0, 0, 0)])
    frame = template("cifar", repeats=1, filters=(2,), input_shape=(6, 6, 1), classes=2)
    result = train(block, data, frame, recipe("plain", epochs=1, batch_size=8), out=tmp_path / "run", name="noisy")
    entry = Entry.read(result.entry)
    assert (entry.name, entry.tag, entry.labels) == ("noisy", "noise", ("even", "odd"))
    assert entry.metrics == result.metrics
    inputs = entry.preprocessing(images)
    np.testing.assert_array_equal(entry.load_model()(inputs), result.model(inputs))


@pytest.mark.parametrize("name", ["genotype.json", "model.json", "model.weights.h5", "metrics.json", "drawing.svg"])
def test_a_missing_file_is_named(entry_copy, name):
    (entry_copy / name).unlink()
    with pytest.raises(ZooError, match=rf"without \['{name}'\]"):
        Entry.read(entry_copy)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"version": 2}, "in format version 1, which automl_cells .* reads. Received: version 2"),
        ({"version": 0}, "Expected a valid version"),
        ({"format": "pickle"}, "Expected a valid format"),
        ({"labels": ["a", "b"]}, "Expected 10 labels .* Received: 2"),
        ({"preprocessing": {"mean": [0.0, 0.0], "std": [1.0, 1.0]}}, "Expected a mean for each of 1 channels"),
        ({"preprocessing": {"mean": [0.0], "std": [0.0]}}, "Expected deviations above zero"),
        ({"preprocessing": {"mean": [0.0]}}, "Expected a preprocessing"),
        ({"template": {"name": "x"}}, "Expected a valid template"),
        ({"hidden": 1}, "Expected a valid hidden"),
    ],
)
def test_a_wrong_model_document_is_refused(entry_copy, fields, message):
    change(entry_copy / "model.json", **fields)
    with pytest.raises(ZooError, match=message):
        Entry.read(entry_copy)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000, '{"format": "automl_cells/genotype"}'])
def test_a_wrong_genotype_is_refused(entry_copy, text):
    (entry_copy / "genotype.json").write_text(text)
    with pytest.raises(ZooError, match="Received: "):
        Entry.read(entry_copy)


@pytest.mark.parametrize("text", ["[]", "{", "NaNs"])
def test_wrong_metrics_are_refused(entry_copy, text):
    (entry_copy / "metrics.json").write_text(text)
    with pytest.raises(ZooError, match=r"metrics\.json"):
        Entry.read(entry_copy)


def test_documents_are_plain_files_of_bounded_size(entry_copy):
    path = entry_copy / "metrics.json"
    path.write_text(" " * 16_000_001)
    with pytest.raises(ZooError, match="Expected at most 16,000,000 bytes"):
        Entry.read(entry_copy)
    path.unlink()
    path.symlink_to(entry_copy / "history.json")
    with pytest.raises(ZooError, match="Expected a plain file"):
        Entry.read(entry_copy)


def test_weights_of_another_network_are_refused(entry_copy, tiny):
    wider = build(tiny.load_genotype(), tiny.make_template().model_copy(update={"filters": (5, 6)}))
    save_weights(wider, entry_copy / WEIGHTS)
    with pytest.raises(ZooError, match=r"Expected .* of shape"):
        Entry.read(entry_copy).load_model()
