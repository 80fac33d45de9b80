"""Search, training, fine-tuning and the command line without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from automl_cells.builder import build, plan, template
from automl_cells.datasets import load
from automl_cells.evaluation import proxy_protocol
from automl_cells.evaluation.proxy_training import ProxyTraining
from automl_cells.genotypes import BlockGenotype
from automl_cells.search import search
from automl_cells.training import ensemble, load_weights, recipe, train
from automl_cells.training.checkpoints import Checkpoints
from automl_cells.training.top import train_top
from tests.backends.networks import ENTRY, ROOT

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 1, 3, 1, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0)])
FRAME = template("cifar", repeats=1, filters=(8, 16), input_shape=(8, 8, 1), classes=10)
TINY = proxy_protocol("blockqnn", epochs=1)
BACKEND = keras.backend.backend()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return {
        executor: search(
            "digits", out=tmp_path_factory.mktemp(executor) / "run", trials=trials, executor=executor, filters=(4,),
            workers=2 if executor == "processes" else 1, protocol=TINY, seed=1, space_options={"max_index": 3},
        )
        for executor, trials in (("serial", 3), ("processes", 3))
    }  # fmt: skip


def test_a_search_learns_something_and_depends_on_its_seed_only(found):
    serial, processes = (
        {trial.genotype.hash: trial.reward for trial in found[executor].trials} for executor in ("serial", "processes")
    )
    assert len(serial) == len(processes) == 3
    assert max(serial.values()) > 15  # chance is 10
    for genotype in serial.keys() & processes.keys():  # other threads, other rounding
        assert serial[genotype] == pytest.approx(processes[genotype], abs=8)
    assert serial.keys() & processes.keys()


def test_a_proxy_training_gives_the_same_accuracy_again():
    evaluator = ProxyTraining("digits", FRAME, proxy_protocol("blockqnn", epochs=3))
    one, two = (evaluator.evaluate(BLOCK, seed=5) for _ in range(2))
    assert one.failure is None
    assert one.metrics == two.metrics
    assert one.details == two.details
    assert one.metrics["accuracy"] > 40


def test_a_proxy_training_that_starts_anew_forgets_the_moments():
    from automl_cells.evaluation.steps import engine_class
    from automl_cells.evaluation.steps.network import Network

    random = np.random.default_rng(0)
    images, labels = random.normal(size=(16, 8, 8, 1)).astype(np.float32), random.integers(0, 10, 16)
    make, network = engine_class(BACKEND), Network(plan(BLOCK, FRAME))
    fresh = network.first_weights(0)
    engine = make(network, make.hold(images, labels, 10, TINY), TINY, fresh)
    course = []
    for _ in range(2):
        course.append(engine.epoch(np.arange(16).reshape(2, 8), np.full(2, 0.01)).loss)
        course.append(engine.weights())
        engine.reset(fresh)
    assert course[0] == pytest.approx(course[2], abs=1e-6)
    np.testing.assert_allclose(course[1], course[3], atol=1e-6)
    assert np.abs(course[1] - fresh).max() > 1e-3


def test_statistics_of_batch_normalisation_are_those_of_the_training_images():
    """`set_statistics` against the mean and variance of what the first such layer is given."""
    from automl_cells.evaluation.proxy_training import _Run, _Shared
    from automl_cells.evaluation.steps import engine_class
    from automl_cells.evaluation.steps.network import Network, Variable

    protocol = proxy_protocol("blockqnn", epochs=1)
    random = np.random.default_rng(0)
    images, labels = random.normal(2, 3, (48, 8, 8, 1)).astype(np.float32), random.integers(0, 10, 48)
    make, network = engine_class(BACKEND), Network(plan(BLOCK, FRAME))
    fresh = network.first_weights(0)
    shared = _Shared(make.hold(images, labels, 10, protocol), len(images), images, labels)
    engine = make(network, shared.held, protocol, fresh)
    run = _Run(engine, fresh, protocol, shared, 10.0, 0)
    assert run.train() is None
    weights = engine.weights()
    run.set_statistics()
    np.testing.assert_array_equal(engine.weights(), weights)
    first = network.norms[0]
    kernel = weights[: 3 * 3 * 8].reshape(3, 3, 1, 8)  # the stem's, the first of all
    assert network.variables[0] == Variable("stem1_conv", "kernel", kernel.shape, convolution=True)
    given = np.asarray(keras.ops.conv(images, kernel, padding="same"))
    means, variances = np.split(engine.statistics(), 2)
    np.testing.assert_allclose(means[: first.shape[2]], given.mean((0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(variances[: first.shape[2]], given.var((0, 1, 2)), rtol=1e-2)


@pytest.mark.parametrize("name", ["plain", "fast_no_flip"])
def test_a_training_that_was_interrupted_goes_on(tmp_path, monkeypatch, name):
    chosen = recipe(name, epochs=3, batch_size=16)
    whole = train(BLOCK, "digits", FRAME, chosen, out=tmp_path / "whole")
    save = Checkpoints.save

    def interrupted(self, variables, state):
        save(self, variables, state)
        if state.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(BLOCK, "digits", FRAME, chosen, out=tmp_path / "parts")
    resumed = train(BLOCK, "digits", FRAME, chosen, out=tmp_path / "parts", resume=True)
    for quantity, values in whole.history.items():
        np.testing.assert_allclose(resumed.history[quantity], values, atol=2e-3, err_msg=quantity)
    assert whole.metrics["test_accuracy"] > 60
    assert whole.metrics["versions"]["backend"] == BACKEND
    assert whole.metrics["precision"] in ("float32", "bfloat16")
    assert len(whole.history["val_accuracy"]) == 3
    model = build(BLOCK, FRAME)
    load_weights(model, whole.entry / "model.weights.h5")
    for ours, theirs in zip(model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-3)


def test_bfloat16_trains(tmp_path):
    result = train(
        BLOCK, "digits", FRAME, recipe("fast_no_flip", epochs=2, batch_size=16, precision="bfloat16"), out=tmp_path
    )
    assert result.metrics["precision"] == "bfloat16"
    assert result.metrics["test_accuracy"] > 50
    assert result.model.dtype_policy.name == "float32"


def test_a_fine_tuning_from_the_shelf(tmp_path):
    from automl_cells.training import finetune as finetuning
    from automl_cells.zoo import Entry

    entry = Entry.read(ENTRY)
    data = load("digits")
    result = finetuning.finetune(
        entry.genotype, entry.template, entry.weights, entry.preprocessing, data,
        recipe(finetuning.RECIPE, epochs=1), out=tmp_path,
    )  # fmt: skip
    assert result.metrics["test_accuracy"] > 90  # it knew the digits before


def command(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "automl_cells.cli.main", *words], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return done


def test_the_commands_from_search_to_export(tmp_path):
    run, trained = tmp_path / "search", tmp_path / "trained"
    command(
        "search", "--dataset", "digits", "--out", str(run), "--trials", "2", "--executor", "processes", "--filters",
        "4", "--space-option", "max_index=2",
    )  # fmt: skip
    command("train", str(run), "--dataset", "digits", "--out", str(trained), "--epochs", "1", "--filters", "4,8")
    metrics = json.loads((Path(trained) / "entry" / "metrics.json").read_text())
    assert metrics["versions"]["backend"] == BACKEND
    refused = command("export", str(trained), "--format", "onnx", "--out", str(tmp_path / "out"), status=2)
    assert "Expected KERAS_BACKEND=tensorflow" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_chain_with_dropout_inside_is_trained_and_ensembled(tmp_path):
    run = tmp_path / "run"
    search(
        "digits", out=run, trials=2, executor="serial", space="metaqnn", strategy="random", seed=3, max_flops=300_000,
        space_options={"max_depth": 2, "filter_multiplier": 0.0625},
        protocol=proxy_protocol("metaqnn_no_flip", epochs=1, max_restarts=0),
    )  # fmt: skip
    train_top(run, 2, recipe("metaqnn_mnist", epochs=1))
    made = ensemble(run, 2)
    assert made.metrics["test_images"] == 450
    probabilities = keras.ops.convert_to_numpy(made.model(np.zeros((1, 8, 8, 1), np.float32)))
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
