"""`export`, `zoo build`, `zoo list` and `zoo show`: what their options do, and what they print."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import onnxruntime
import pytest

from automl_cells.cli.main import main
from automl_cells.zoo import Shelf, open_shelf

SHELF = Path(__file__).resolve().parents[2] / "zoo"
ENTRY = "blockqnn_found_digits/digits-v1"


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run a command in this process, on a shelf of one entry; returns status, output and standard error."""
    monkeypatch.setenv("AUTOML_CELLS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUTOML_CELLS_ZOO", str(tmp_path / "shelf"))
    monkeypatch.chdir(tmp_path)
    Shelf(tmp_path / "shelf").add(Shelf(SHELF).find(ENTRY))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["automl-cells", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def refused(result):
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    return err


@pytest.mark.slow
def test_all_formats_at_once_with_what_was_measured(command, tmp_path):
    formats = ["--format", "onnx", "--format", "savedmodel", "--format", "litert", "--int8"]
    status, out, _ = command("export", ENTRY, *formats, "--out", tmp_path / "d")
    assert status == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["savedmodel", "onnx", "int8", "accuracy", "litert"]
    assert "against Keras on 64 images: largest difference" in lines[0]
    assert "accuracy on 450 test images: 99" in lines[3]
    names = ["model.int8.onnx", "model.onnx", "model.tflite", "parity.json", "savedmodel"]
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == names
    assert set(json.loads((tmp_path / "d" / "parity.json").read_text())["results"]) == {
        "savedmodel", "onnx", "int8", "litert",
    }  # fmt: skip


@pytest.mark.slow
def test_pixels_in_logits_out_at_any_size(command, tmp_path):
    options = ["--with-preprocessing", "--output", "logits", "--size", "any", "--opset", 15]
    assert command("export", ENTRY, "--format", "onnx", *options, "--out", tmp_path / "d")[0] == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "d" / "model.onnx"))
    (given,), (wanted,) = session.get_inputs(), session.get_outputs()
    assert (given.type, given.shape) == ("tensor(uint8)", ["batch", "height", "width", 1])
    assert wanted.name == "logits"
    assert session.get_modelmeta().custom_metadata_map["opset"] == "15"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Expected --format savedmodel, onnx or litert, or --int8. Received: none of them"),
        (["--format", "caffe"], "Received: caffe"),
        (["--format", "onnx", "--output", "labels"], "Expected --output among ['probabilities', 'logits']"),
        (["--format", "onnx", "--size", "big"], "Expected --size H,W or any. Received: big"),
        (["--format", "onnx", "--size", "0,3"], "Received: "),
        (["--format", "onnx", "--opset", "9"], "Expected an opset from 14 to 18. Received: 9"),
        (["--format", "onnx", "--dataset", "npz:missing.npz"], "missing.npz"),
    ],
)
def test_an_export_refuses(command, tmp_path, options, words):
    assert words in refused(command("export", ENTRY, *options, "--out", tmp_path / "d"))
    assert not (tmp_path / "d").exists()


def test_an_entry_that_is_nowhere_is_refused(command):
    assert "Expected a run, the folder of an entry, or an address" in refused(
        command("export", "nothing/here", "--format", "onnx")
    )


@pytest.mark.slow
def test_derived_files_are_uploaded_to_a_store_that_can_be_written_to(command, tmp_path):
    store = f"memory://shelf-{uuid.uuid4().hex}"
    assert command("zoo", "publish", Shelf(tmp_path / "shelf").find(ENTRY).folder, "--to", store)[0] == 0
    status, out, _ = command("zoo", "build", ENTRY, "--shelf", store)
    assert status == 0
    assert out.splitlines()[-1] == f"Uploaded to {store}"
    shelf = open_shelf(store)
    assert {"savedmodel/saved_model.pb", "model.onnx", "model.int8.onnx"} <= {
        path.removeprefix(f"{ENTRY}/") for path in shelf.store.listing()
    }
    assert shelf.verify() == []


def test_lists_by_pattern(command):
    status, out, _ = command("zoo", "list", "nasnet")
    assert status == 0
    assert "nasnet_a_mobile" in out
    assert "blockqnn" not in out
    assert "nasnet" not in command("zoo", "list", "--trained")[1]
    assert ENTRY in command("zoo", "list", "*digits*")[1]
    assert "Received: 'nothing'" in command("zoo", "list", "nothing")[2]


def test_a_structure_without_weights_is_shown(command):
    out = command("zoo", "show", "nasnet_a_large")[1]
    assert "88,753,150" in out
    assert "from automl_cells.zoo import nasnet_a_large" in out
    assert f"# {ENTRY}" in command("zoo", "show", "blockqnn_found_digits")[1]
