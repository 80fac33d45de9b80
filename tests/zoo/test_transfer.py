"""A network of one data set on another, from scratch and fine-tuned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from automl_cells.builder import template
from automl_cells.datasets import Dataset, from_arrays
from automl_cells.errors import TemplateError, ZooError
from automl_cells.genotypes import ChainGenotype
from automl_cells.search.journal import Journal
from automl_cells.training import recipe, train
from automl_cells.zoo import load
from automl_cells.zoo.finetune import finetune
from automl_cells.zoo.transferring import source_entry, transfer

BRIEF = recipe("plain", epochs=2, batch_size=16, augmentation=(), validation_fraction=0)
WITH_AVERAGE = ChainGenotype.from_text("C(8,3,1),P(2,2),C(8,3,1),GAP,SM")
CONNECTED = ChainGenotype.from_text("C(8,3,1),P(2,2),FC(12),SM")


def bars(classes: int, size: int = 8, seed: int = 0, images: int = 96) -> Dataset:
    """A bright column in one of `classes` places."""
    rng = np.random.default_rng(seed)

    def made(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % classes
        pixels = rng.integers(0, 60, (count, size, size, 1))
        for image, label in zip(pixels, labels, strict=True):
            image[:, label * size // classes] += 150
        return pixels.astype(np.uint8), labels

    return from_arrays(*made(images), *made(48), name="bars")


@pytest.fixture(scope="module", params=[WITH_AVERAGE, CONNECTED], ids=["global average", "fully connected"])
def run(request, tmp_path_factory) -> Path:
    """A finished training of a small chain on four classes."""
    out = tmp_path_factory.mktemp("source") / "run"
    frame = template("chain", kind="chain", input_shape=(8, 8, 1), classes=4)
    train(request.param, bars(4), frame, BRIEF, out=out, name="bars_net")
    return out


def test_both_sides_train_as_long_and_are_measured_on_the_same_images(run, tmp_path):
    found = transfer(run, bars(2, seed=1), out=tmp_path, recipe=BRIEF, head_epochs=1)
    assert found.from_scratch.metrics["epochs"] == 3
    assert found.finetuned.metrics["epochs"] == 3  # one of the head alone
    for side, name in zip(found, ("from_scratch", "finetuned"), strict=True):
        assert side.out == tmp_path / name
        assert side.metrics["test_images"] == 48
        assert side.model.output_shape == (None, 2)
    origin = json.loads((tmp_path / "finetuned/entry/genotype.json").read_text())["provenance"]["finetuned_from"]
    assert origin["dataset"]["name"] == "bars"


def test_finetuning_begins_with_the_body_and_a_new_head(run, tmp_path):
    still = recipe(BRIEF, learning_rate=1e-9, epochs=1)
    found = transfer(run, bars(2, seed=1), out=tmp_path, recipe=still, head_epochs=1)
    entry = source_entry(run)
    old = {variable.path: np.array(value) for variable, value in _weights(entry.load_model())}
    new = {variable.path: np.array(value) for variable, value in _weights(found.finetuned.model)}
    body = [path for path in new if not path.startswith("predictions")]
    assert body
    for path in body:
        np.testing.assert_allclose(new[path], old[path], atol=2e-3)
    changed = [path for path in new if path not in body]
    assert all(new[path].shape != old[path].shape for path in changed if path.endswith("predictions/kernel"))


def _weights(model):
    return zip(model.weights, model.get_weights(), strict=True)


def test_a_chain_whose_layers_depend_on_the_size_of_the_image_says_so(run, tmp_path):
    other = bars(2, size=12)
    if source_entry(run).genotype == WITH_AVERAGE:
        assert transfer(run, other, out=tmp_path, recipe=BRIEF, head_epochs=0).finetuned.metrics["test_images"] == 48
        return
    message = r"images of 8x8, the size that these weights learnt, since the layer top_layer3_dense .*Received: 12x12"
    with pytest.raises(TemplateError, match=message):
        transfer(run, other, out=tmp_path / "out", recipe=BRIEF, head_epochs=0)
    assert not (tmp_path / "out").exists()
    with pytest.raises(TemplateError, match=message):
        finetune(run, other, out=tmp_path / "out", recipe=BRIEF)
    with pytest.raises(ZooError, match=r"images of 8x8.*predictions reads the whole map|images of 8x8"):
        source_entry(run).load_model((12, 12))
    with pytest.raises(TemplateError, match="images of 8x8"):
        load(run, input_shape=(12, 12, 1), num_classes=3)


def test_of_a_search_the_best_trained_network_is_taken(run, tmp_path):
    digest = "sha256:0123456789"
    search = tmp_path / "search"
    search.mkdir()
    Journal(search / "journal.sqlite", {}).close()
    with pytest.raises(ZooError, match=r"finetune-top .*Received: no network"):
        source_entry(search)
    top = search / "top"
    top.mkdir()
    (top / "01234567").symlink_to(run)
    (top / "summary.json").write_text(json.dumps([{"hash": digest}, {"hash": "sha256:other"}]))
    assert source_entry(search).genotype == source_entry(run).genotype
    for broken in ("[]", "[3]", '[{"run": 1}]', "{}"):
        (top / "summary.json").write_text(broken)
        with pytest.raises(ZooError, match=r"Received: no network"):
            source_entry(search)
