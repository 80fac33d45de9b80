"""Search, list, show, train, publish, derive, export, verify: the commands one after the other, small."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest

from automl_cells.datasets import load, save_npz
from automl_cells.genotypes import read
from automl_cells.zoo import Entry

SIZES = ["--repeats", "1", "--filters", "4,8"]


def command(*arguments: object) -> str:
    """What a command prints; it must succeed, and keep TensorFlow's chatter off standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "automl_cells.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "oneDNN" not in done.stderr
    assert "cuda" not in done.stderr.lower()
    return done.stdout


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from automl_cells.training import recipe

    path = tmp_path_factory.mktemp("recipe") / "short.json"
    path.write_text(recipe("plain", name="short", epochs=2).model_dump_json())
    return path


@pytest.fixture(scope="module")
def search_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "run"
    text = command(
        "search", "--space", "blockqnn", "--strategy", "q_learning", "--dataset", "digits", "--trials", 3,
        "--workers", 2,
        "--max-params", 20_000, *SIZES, "--seed", 1, "--out", out,
    )  # fmt: skip
    assert "3 of 3 candidates done" in text
    return out


@pytest.fixture(scope="module")
def trained(search_run: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("train") / "run"
    text = command(
        "train", search_run, "--dataset", "digits", "--recipe", recipe, *SIZES, "--out", out, "--name", "small_block"
    )
    assert "Test accuracy" in text
    return out


@pytest.mark.slow
def test_trials_come_as_table_csv_and_json(search_run):
    rows = json.loads(command("trials", search_run, "--format", "json"))
    assert [row["trial"] for row in rows] == [0, 1, 2]
    assert {row["status"] for row in rows} == {"done"}
    assert len({row["hash"] for row in rows}) == 3
    assert all(row["parameters"] <= 20_000 for row in rows)
    table = list(csv.DictReader(io.StringIO(command("trials", search_run, "--format", "csv"))))
    assert [row["hash"] for row in table] == [row["hash"] for row in rows]
    ranked = command("trials", search_run, "--sort", "reward")
    best = max(rows, key=lambda row: row["reward"])
    assert best["hash"].removeprefix("sha256:")[:8] in ranked.splitlines()[3]


@pytest.mark.slow
def test_best_and_show_agree_with_the_journal(search_run, tmp_path):
    rows = json.loads(command("trials", search_run, "--format", "json"))
    best = max(rows, key=lambda row: row["reward"])["hash"]
    command("best", search_run, "--out", tmp_path / "best.json")
    assert read(tmp_path / "best.json").hash == best
    assert json.loads(command("best", search_run))["hash"] == best
    assert best in command("show", search_run, "--svg", tmp_path / "block.svg")
    assert ElementTree.parse(tmp_path / "block.svg").getroot().tag.endswith("svg")
    assert ElementTree.parse(search_run / "search_curve.svg").getroot().tag.endswith("svg")
    with sqlite3.connect(search_run / "journal.sqlite") as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_publish_build_verify_and_export(trained, tmp_path):
    shelf = tmp_path / "shelf"
    assert "small_block/digits-v1" in command("zoo", "publish", trained, "--to", shelf)
    assert "before" in command("zoo", "publish", trained, "--to", shelf)
    assert "small_block/digits-v1" in command("zoo", "list", "--shelf", shelf)
    assert "# small_block/digits-v1" in command("zoo", "show", "small_block", "--shelf", shelf)
    built = command("zoo", "build", "small_block/digits", "--shelf", shelf)
    assert "savedmodel" in built
    assert "onnx" in built
    verified = command("zoo", "verify", "--shelf", shelf)
    assert "all files as published" in verified
    assert "small_block/digits-v1: test accuracy" in verified
    assert "as published (" in verified
    assert "test accuracy" not in command("zoo", "verify", "--files-only", "--shelf", shelf)

    command("export", trained, "--format", "onnx", "--opset", 15, "--out", tmp_path / "out")
    entry = Entry.read(trained / "entry")
    images = load("digits").x_test[:32]
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"image": entry.preprocessing(images)})
    np.testing.assert_allclose(
        probabilities, entry.load_model().predict(entry.preprocessing(images), verbose=0), atol=1e-5
    )
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["genotype_sha256"] == entry.genotype.hash.removeprefix("sha256:")
    assert json.loads(metadata["labels"]) == [str(digit) for digit in range(10)]


@pytest.mark.slow
def test_finetune_top_trains_the_best_and_goes_on_where_it_stopped(search_run, recipe):
    text = command("finetune-top", search_run, "--top", 2, "--recipe", recipe)
    assert "Best by validation" in text
    summary = json.loads((search_run / "top" / "summary.json").read_text())
    assert len(summary) == 2
    written = [(search_run / "top").joinpath(Path(row["run"]).name, "entry", "metrics.json") for row in summary]
    times = [path.stat().st_mtime_ns for path in written]
    command("finetune-top", search_run, "--top", 2, "--recipe", recipe)
    assert [path.stat().st_mtime_ns for path in written] == times


@pytest.mark.slow
def test_the_best_are_averaged_and_the_next_command_is_one_that_can_be_typed(search_run, recipe):
    text = command("finetune-top", search_run, "--top", 2, "--recipe", recipe)
    assert next_commands(text) == [["ensemble", str(search_run), "--top", "2"]]
    text = command(*next_commands(text)[0])
    (export,) = next_commands(text)
    assert export == ["export", str(search_run / "ensemble"), "--format", "onnx", "--out", "DIR"]


@pytest.mark.slow
def test_the_commands_that_a_training_names_can_be_typed_whatever_the_folder_is_called(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = load("digits")
    save_npz(digits, tmp_path / "my digits.npz")
    words = f"npz:{tmp_path / 'my digits.npz'}?train=300&seed=0"
    text = command("train", "SM", "--dataset", words, "--recipe", recipe, "--out", tmp_path / "a run")
    publish, export = next_commands(text)
    command(*export)
    assert (tmp_path / "DIR" / "model.onnx").is_file()
    (build,) = next_commands(command(*publish))
    command(*build)
    assert "model.onnx" in [path.name for path in (tmp_path / "STORE").rglob("*.onnx")]


def next_commands(text: str) -> list[list[str]]:
    """The words of the commands that are named at the end, as a shell reads them."""
    lines = [line.strip() for line in text[text.index("Next: ") + len("Next: ") :].splitlines()]
    found = [shlex.split(line) for line in lines]
    assert all(words[0] == "automl-cells" for words in found)
    return [words[1:] for words in found]


def test_build_prints_the_parameters_of_block_qnn_s():
    text = command(
        "build", "block_qnn_s", "--template", "cifar", "--repeats", 2, "--filters", "32,64,128", "--input-shape",
        "32,32,3", "--classes", 10,
    )  # fmt: skip
    assert "6,125,866" in text
    assert "858,627,584" in text
