"""Every kind of bad input: one clear line, exit status 2, nothing left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from automl_cells.cli.main import main
from automl_cells.genotypes import load, to_document


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit status of the command line with these arguments."""
    monkeypatch.setattr(sys, "argv", ["automl-cells", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def refused(monkeypatch, capsys, *arguments: object) -> str:
    """The single line with which bad input is refused."""
    assert run(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("automl-cells: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--space", "nope"], ["blockqnn", "Received: nope"]),
        (["--strategy", "nope"], ["q_learning", "random", "Received: nope"]),
        (["--dataset", "nope"], ["digits", "npz:PATH", "Received: nope"]),
        (["--trials", "0"], ["at least one trial", "Received: trials=0"]),
        (["--trials", "-3"], ["at least one trial"]),
        (["--trials", "many"], ["--trials", "integer"]),
        (["--seed", "-1"], ["seed", "Received: -1"]),
        (["--executor", "nope"], ["processes", "serial", "Received: nope"]),
        (["--workers", "0"], ["at least one worker"]),
        (["--budget", "soon"], ["20m", "Received: soon"]),
        (["--filters", "a,b"], ["--filters", "Received: a,b"]),
        (["--filters", "0,1"], ["filters", "Received: 0"]),
        (["--template", "nope"], ["cifar", "Received: nope"]),
        (["--reward", "nope"], ["accuracy", "Received: nope"]),
        (["--max-params", "0"], ["max_params above 0"]),
        (["--space-option", "max_index"], ["NAME=VALUE"]),
        (["--space-option", "max_index=1"], ["max_index from 2", "Received: 1"]),
        (["--space-option", "colour=3"], ["max_index", "Received: colour"]),
        (["--strategy-option", "alpha=7"], ["α", "alpha=7"]),
        (["--dataset", "npz:/nowhere/x.npz"], ["/nowhere/x.npz"]),
        (["--reward", "latency_constrained"], ["target_ms, which the reward", "Received: no option"]),
        (["--reward-option", "target_ms=2"], ["options of the reward blockqnn_early_stop", "Received: target_ms"]),
        (["--max-latency-ms", "0"], ["max_latency_ms above 0"]),
        (["--max-memory", "-1"], ["max_memory above 0"]),
        (["--warm-start", "/nowhere"], ["a folder with a search in it", "/nowhere"]),
        (["--predictor-filter", "0"], ["from 1 to 1000 proposals", "Received: 0"]),
        (["--executor", "ray", "--recycle-above", "100"], ["options of the executor 'ray'", "Received: recycle_above"]),
        (["--executor", "serial", "--recycle-after", "5"], ["executor 'serial'", "Received: recycle_after"]),
        (["--address", "127.0.0.1:6379"], ["options of the executor 'processes'", "Received: address"]),
    ],
)
def test_a_search_refuses(arguments, words, monkeypatch, capsys, tmp_path):
    out = tmp_path / "run"
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    settings = {"--dataset": "digits", "--trials": "2", **given}
    line = refused(monkeypatch, capsys, "search", "--out", out, *[part for pair in settings.items() for part in pair])
    for word in words:
        assert word in line
    assert not out.exists()


def _npz(path: Path, **changes: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.random((40, 8, 8, 1)).astype(np.float32),
        "y_train": np.arange(40) % 4,
        "x_test": rng.random((12, 8, 8, 1)).astype(np.float32),
        "y_test": np.arange(12) % 4,
    }
    np.savez(path, **{**arrays, **changes})
    return f"npz:{path}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.full((40, 8, 8, 1), np.nan, np.float32)}, ["finite"]),
        ({"y_train": np.zeros(40, int)}, ["classes"]),
        ({"y_test": np.full(12, 9)}, ["9"]),
        ({"x_test": np.zeros((12, 6, 6, 1), np.float32)}, ["shape"]),
        ({"y_train": np.array([f"{i % 4}" for i in range(40)])}, ["y_train as integers"]),
    ],
)
def test_a_search_refuses_images_and_labels_that_are_not_usable(changes, words, monkeypatch, capsys, tmp_path):
    words_of_data = _npz(tmp_path / "data.npz", **changes)
    line = refused(monkeypatch, capsys, "search", "--dataset", words_of_data, "--out", tmp_path / "run")
    for word in words:
        assert word in line
    assert not (tmp_path / "run").exists()


def _document(**changes: object) -> str:
    return json.dumps({**to_document(load("block_qnn_s")), **changes})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("this is not JSON", ["JSON"]),
        (_document(version=2), ["version 1", "Received: 2"]),
        (_document(layers=[[1, 1, 3, 1, 0], [2, 7, 0, 0, 0]]), ["layer 1", "a cycle"]),
        (_document(layers=[[1, 1, 3, -4, 0], [2, 7, 0, 0, 0]]), ["layer 1", "no such layer"]),
        (_document(layers=[[1, 1, 4, 0, 0], [2, 7, 0, 0, 0]]), ["layer 1", "kernel", "Received: 4"]),
        (_document(hash="sha256:00"), ["hash", "sha256:00"]),
        (_document(layers=[[i, 4, 0, i - 1, 0] for i in range(1, 600_000)]), ["bytes"]),
    ],
)
def test_a_genotype_file_that_is_not_valid_is_refused(content, words, monkeypatch, capsys, tmp_path):
    path = tmp_path / "genotype.json"
    path.write_text(content)
    svg = tmp_path / "drawing.svg"
    for command in (
        ["show", path, "--svg", svg],
        ["build", path],
        ["train", path, "--dataset", "digits", "--out", svg],
    ):
        line = refused(monkeypatch, capsys, *command)
        assert str(path) in line
        for word in words:
            assert word in line
    assert not svg.exists()


@pytest.mark.parametrize("command", [["show"], ["build"]])
def test_an_unknown_genotype_lists_the_published_ones(command, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, *command, "nope")
    assert "block_qnn_s" in line
    assert "nope" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["trials", "nowhere"],
        ["best", "nowhere"],
        ["finetune-top", "nowhere"],
        ["export", "nowhere", "--format", "onnx", "--out", "x"],
        ["export", "nowhere", "--format", "pdf", "--out", "x"],
        ["zoo", "show", "nowhere"],
        ["zoo", "build", "nowhere"],
        ["zoo", "publish", "nowhere", "--to", "shelf"],
        ["build", "block_qnn_s", "--input-shape", "32,32"],
        ["build", "block_qnn_s", "--repeats", "0"],
        ["build", "block_qnn_s", "--filter-multiplier", "0"],
        ["build", "block_qnn_s", "--classes", "1"],
        ["train", "block_qnn_s", "--dataset", "digits", "--recipe", "nope", "--out", "x"],
        ["nope"],
        ["search", "--nope"],
        ["search"],
    ],
)
def test_other_commands_refuse(arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    refused(monkeypatch, capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_that_cannot_be_written(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = refused(monkeypatch, capsys, "search", "--dataset", "digits", "--out", tmp_path / "file" / "run")
    assert str(tmp_path / "file" / "run") in line
