"""`export`, `zoo build`, `zoo list` and `zoo show`: what their options do, and what they print."""

from __future__ import annotations

import hashlib
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


def test_a_card_is_printed_without_what_a_terminal_would_obey(command, tmp_path):
    card = tmp_path / "shelf" / ENTRY / "README.md"
    content = card.read_bytes()
    card.write_bytes(content.replace(b"# blockqnn", b"# blockqnx", 1))
    assert "Expected the card of" in refused(command("zoo", "show", ENTRY))
    evil = content + b"\x1b[31mred\xff\x07"
    card.write_bytes(evil)
    manifest = card.with_name("manifest.json")
    document = json.loads(manifest.read_text())
    document["files"]["README.md"] = {"sha256": hashlib.sha256(evil).hexdigest(), "bytes": len(evil)}
    manifest.write_text(json.dumps(document))
    status, out, _ = command("zoo", "show", ENTRY)
    assert status == 0
    assert "\x1b" not in out
    assert "\x07" not in out


def test_a_shelf_that_is_not_there_is_not_as_published(command, tmp_path):
    assert "no such folder" in refused(command("zoo", "verify", "--shelf", tmp_path / "missing"))
    (tmp_path / "file").write_text("x")
    assert "Expected a folder or the address of a store" in refused(
        command("zoo", "list", "--shelf", tmp_path / "file")
    )


def test_a_refused_publication_leaves_the_run_as_it_was(command, tmp_path):
    run = tmp_path / "run" / "entry"
    run.mkdir(parents=True)
    for name in ("genotype.json", "model.json", "model.weights.h5", "metrics.json", "drawing.svg"):
        (run / name).write_bytes((SHELF / ENTRY / name).read_bytes())
    before = (run / "metrics.json").read_bytes()
    assert "Bad Name" in refused(command("zoo", "publish", run.parent, "--to", tmp_path / "new", "--name", "Bad Name"))
    assert (run / "metrics.json").read_bytes() == before


@pytest.mark.slow
def test_copies_of_a_run_are_one_version(command, tmp_path):
    for copy in ("one", "two"):
        run = tmp_path / copy / "entry"
        run.mkdir(parents=True)
        for name in ("genotype.json", "model.json", "model.weights.h5", "metrics.json", "drawing.svg"):
            (run / name).write_bytes((SHELF / ENTRY / name).read_bytes())
    first = command("zoo", "publish", tmp_path / "one", "--to", tmp_path / "new")[1]
    second = command("zoo", "publish", tmp_path / "two", "--to", tmp_path / "new")[1]
    assert first.startswith("Published blockqnn_found_digits/digits-v1:")
    assert second.startswith("Published before, byte for byte, as blockqnn_found_digits/digits-v1:")


def test_the_list_says_what_changed(command, tmp_path):
    Shelf(tmp_path / "shelf").publish(SHELF / "blockqnn_mnist" / "mnist-v1", changes="it is new")
    assert "it is new" in command("zoo", "list", "--changes")[1]
    assert "it is new" not in command("zoo", "list")[1]
