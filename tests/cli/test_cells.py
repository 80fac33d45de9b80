"""Cells on the command line: show, build, search, train, export, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_cells.genotypes import dumps, load, read, to_document
from automl_cells.search import read_run
from automl_cells.zoo import Entry
from tests.cli.test_bad_input import refused
from tests.cli.test_whole_path import command

MOBILE = ("build", "nasnet_a", "--template", "imagenet_mobile")


def test_build_prints_the_size_as_nasnet_writes_it() -> None:
    text = command(*MOBILE, "--input-shape", "224,224,3", "--classes", "1000")
    assert "N = 4, filters 44, 88, 176 (4 @ 1056)" in text
    for number in ("5,289,978", "5,326,716", "563,638,816"):
        assert number in text
    text = command("build", "nasnet_a", "--repeats", "1", "--penultimate", "96", "--input-shape", "16,16,3")
    assert "N = 1, filters 4, 8, 16 (1 @ 96)" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--penultimate", "1000"], ["multiple of 24", "nearest is 1008", "Received: 1000"]),
        (["--penultimate", "1056", "--filters", "44,88,176"], ["without --filters", "1056 and --filters 44,88,176"]),
        (["--penultimate", "1056", "--filter-multiplier", "2"], ["without --filter-multiplier", "1056"]),
        (["--input-shape", "16,16,3"], ["at least 19x19", "Received: input_shape=(16, 16, 3)"]),
        (["--template", "nope"], ["template for a cell", "imagenet_mobile", "Received: nope"]),
    ],
)
def test_a_build_refuses(arguments, words, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, *MOBILE, *arguments)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normal": []}, ["normal cell", "1 to 10 blocks", "Received: 0"]),
        ({"normal": [[0, 1, "identity", "identity", "add"]] * 50}, ["1 to 10 blocks", "Received: 50"]),
        ({"reduction": [[0, 2, "identity", "identity", "add"]]}, ["second state of block 0", "2 (the block itself)"]),
        ({"reduction": [[7, 0, "identity", "identity", "add"]]}, ["first state of block 0", "Received: 7"]),
        ({"normal": [[0, 1, "conv_9x9", "identity", "add"]]}, ["operations of block 0", "sep_conv_3x3", "conv_9x9"]),
        ({"normal": [[0, 1, "identity", "identity", "mul"]]}, ["combination of block 0", "concat", "mul"]),
    ],
)
def test_a_damaged_cell_is_refused(change, words, monkeypatch, capsys, tmp_path):
    path = tmp_path / "cell.json"
    document = to_document(load("nasnet_a"))
    path.write_text(json.dumps({**document, "normal_concat": None, "reduction_concat": None, **change}))
    line = refused(monkeypatch, capsys, "build", path)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--space-option", "blocks=0"], ["blocks", "1 to 10", "Received: 0"]),
        (["--space-option", "blocks=50"], ["blocks", "1 to 10", "Received: 50"]),
        (["--space-option", 'operations=["conv_9x9"]'], ["operations", "conv_9x9"]),
        (["--strategy-option", "clip=-1"], ["clip", "-1"]),
        (["--protocol", "nope"], ["blockqnn", "nasnet", "Received: nope"]),
        (["--template", "imagenet_mobile"], ["at least 19x19", "Received: input_shape=(8, 8, 1)"]),
        (["--strategy-option", "units=100000000"], ["units from 1 to 4096", "units=100000000"]),
    ],
)
def test_a_search_of_cells_refuses(arguments, words, monkeypatch, capsys, tmp_path):
    out = tmp_path / "run"
    settings = ["--dataset", "digits", "--space", "nasnet", "--strategy", "ppo", "--trials", "2", "--out", out]
    line = refused(monkeypatch, capsys, "search", *settings, *arguments)
    for word in words:
        assert word in line
    assert not out.exists()


@pytest.mark.parametrize("command", ["show", "build"])
def test_cells_that_are_not_to_be_had(command, monkeypatch, capsys):
    assert "only figures of the paper's appendix B" in refused(monkeypatch, capsys, command, "nasnet_b")


def test_a_space_that_can_only_be_looked_up(monkeypatch, capsys, tmp_path):
    arguments = ["--dataset", "digits", "--space", "nasbench201", "--out", tmp_path / "run"]
    assert "looked up in a table, not built" in refused(monkeypatch, capsys, "search", *arguments)
    assert not (tmp_path / "run").exists()


def test_a_recipe_for_cells_refuses_a_block(monkeypatch, capsys, tmp_path):
    arguments = ["block_qnn_s", "--dataset", "digits", "--recipe", "nasnet_cifar", "--out", tmp_path / "run"]
    line = refused(monkeypatch, capsys, "train", *arguments)
    for word in ("a cell genotype", "nasnet_cifar", "drop_path_keep is 0.6", "Received: a block"):
        assert word in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_cell_is_searched_trained_and_exported(tmp_path: Path) -> None:
    run, trained = tmp_path / "search", tmp_path / "trained"
    sizes = ["--repeats", "1", "--filters", "2,4"]
    text = command(
        "search", "--space", "nasnet", "--strategy", "ppo", "--dataset", "digits?train=200", "--trials", 2,
        "--space-option", "blocks=1", *sizes, "--out", run,
    )  # fmt: skip
    assert "2 of 2 candidates done" in text
    settings, trials = read_run(run)
    assert settings["protocol"]["name"] == "nasnet_no_flip"  # the digits are grey
    assert settings["reward"] == "accuracy"
    assert all(trial.info["log_probability"] < 0 for trial in trials)
    best = read(run / "best.json")
    assert best.kind == "cell"
    assert "normal cell" in command("show", run, "--svg", tmp_path / "cell.svg")
    assert (tmp_path / "cell.svg").read_text().count("<title>0: ") == 2  # two drawings, numbered from 0 each

    recipe = ["--recipe", "plain", "--set", "drop_path_keep=0.8", "--set", "auxiliary_weight=0.4", "--epochs", 2]
    command("train", run, "--dataset", "digits?train=200", *recipe, *sizes, "--out", trained)
    entry = Entry.read(trained / "entry")
    assert entry.genotype == best
    assert not any("auxiliary" in layer.name for layer in entry.load_model().layers)
    text = command("export", trained, "--format", "onnx", "--dataset", "digits?train=200", "--out", tmp_path / "out")
    assert "onnx" in text.lower()
    (file,) = (tmp_path / "out").rglob("*.onnx")
    assert b"auxiliary" not in file.read_bytes()
    assert b"drop_path" not in file.read_bytes()
    assert dumps(entry.genotype) == dumps(best)
