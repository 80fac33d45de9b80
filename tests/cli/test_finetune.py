"""`automl-cells finetune`: an entry is made, and bad input ends in one line."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from automl_cells.cli.main import main


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["automl-cells", "finetune", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 17, (48, 6, 7, 1)).astype(np.uint8), np.arange(48) % 3
    np.savez(tmp_path / "small.npz", x_train=images, y_train=labels, x_test=images[:12], y_test=labels[:12])
    return f"npz:{tmp_path / 'small.npz'}"


def test_an_entry_of_the_shelf_learns_other_images(data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    short = ["--epochs", 1, "--head-epochs", 1, "--set", "batch_size=16", "--batch-norm", "frozen"]
    common = ["blockqnn_found_digits/digits", "--dataset", data, "--out", out, "--name", "mine", "--tag", "small"]
    assert run(monkeypatch, *common, *short) == 0
    assert "of 12 images" not in (printed := capsys.readouterr().out)
    assert "on 12 images never seen before" in printed
    document = json.loads((out / "entry" / "model.json").read_text())
    assert (document["name"], document["tag"]) == ("mine", "small")
    assert (document["template"]["input_shape"], document["template"]["classes"]) == ([6, 7, 1], 3)
    metrics = json.loads((out / "entry" / "metrics.json").read_text())
    assert metrics["finetune"] | {"weights_sha256": ""} == {
        "head_epochs": 1, "body_rate": 0.3, "batch_norm": "frozen", "weights_sha256": ""
    }  # fmt: skip
    assert run(monkeypatch, *common, *short, "--resume") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--entry", "nope"], ["Received: nope"]),
        (["--body-rate", "0"], ["body_rate above 0"]),
        (["--head-epochs", "-1"], ["head_epochs from 0"]),
        (["--batch-norm", "thaw"], ["'adapt' or 'frozen'", "thaw"]),
        (["--preprocessing", "none"], ["'body', 'data'"]),
        (["--recipe", "nope"], ["finetune", "Received: nope"]),
        (["--set", "colour=3"], ["Received: colour"]),
        (["--dataset", "npz:/nowhere/x.npz"], ["/nowhere/x.npz"]),
        (["--dataset", "one"], ["at least two classes"]),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, words, tmp_path, monkeypatch, capsys):
    given = {"--entry": "blockqnn_found_digits/digits", "--dataset": "digits", **dict([arguments])}
    if given["--dataset"] == "one":
        np.savez(tmp_path / "one.npz", x_train=np.zeros((20, 8, 8, 1), np.uint8), y_train=np.zeros(20, int),
                 x_test=np.zeros((2, 8, 8, 1), np.uint8), y_test=np.zeros(2, int))  # fmt: skip
        given["--dataset"] = f"npz:{tmp_path / 'one.npz'}"
    entry = given.pop("--entry")
    out = tmp_path / "run"
    assert run(monkeypatch, entry, "--out", out, *[part for pair in given.items() for part in pair]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("automl-cells: ")
    assert printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
    assert not out.exists()
