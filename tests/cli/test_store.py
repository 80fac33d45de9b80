"""`zoo publish` and `zoo pull` between folders and stores, and what they print."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest

from automl_cells.cli import store
from automl_cells.cli.main import main
from automl_cells.zoo import Shelf
from automl_cells.zoo.manifest import Derived, FileRecord, now, write_document
from tests.zoo.remote.store_server import answering, serving

ADDRESS = "blockqnn_found_digits/digits-v1"
ENTRY = Path(__file__).resolve().parents[2] / "zoo" / ADDRESS


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_CELLS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("AUTOML_CELLS_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command in this process; returns status, output and standard error."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["automl-cells", "zoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def source(tmp_path):
    """A shelf with one entry, without derived files that somebody may have made beside it."""
    files = ["README.md", "drawing.svg", "genotype.json", "history.json", "manifest.json", "metrics.json"]
    (tmp_path / "source" / ADDRESS).mkdir(parents=True)
    for name in (*files, "model.json", "model.weights.h5"):
        shutil.copyfile(ENTRY / name, tmp_path / "source" / ADDRESS / name)
    Shelf(tmp_path / "source").reindex()
    return tmp_path / "source"


def test_from_a_web_server_to_the_cache_and_a_folder(command, source, tmp_path):
    with serving(source) as server:
        status, out, err = command("pull", "blockqnn_found_digits", "--from", server.address)
        assert (status, err) == (0, "")
        first, second = out.splitlines()
        assert first.startswith(f"{ADDRESS}: {tmp_path / 'cache'}")
        assert second == f"Next: automl-cells zoo show {ADDRESS} --shelf {server.address}"
        assert f"# {ADDRESS}" in command(*second.split()[3:])[1]
        status, out, _ = command("pull", ADDRESS, "--from", server.address, "--to", "mine")
        assert (status, out.splitlines()[0]) == (0, f"{ADDRESS}: mine/{ADDRESS}")
        assert Shelf("mine").verify() == []
        listed = command("list", "--shelf", server.address)[1]
        assert f"Shelf: {server.address}\n" in listed
        assert ADDRESS in listed
        assert "all files as published" in command("verify", "--files-only", "--shelf", server.address)[1]


def test_what_fails_is_told_on_one_line(command, source):
    with serving(source) as server:
        for arguments, message in (
            (["pull", "nothing", "--from", server.address], "Received: nothing"),
            (["pull", ADDRESS, "--from", "nope://x"], "Received: 'nope://x'"),
            (["pull", ADDRESS, "--from", server.address, "--to", "s3://bucket"], "Expected a folder to pull to"),
            (["pull", ADDRESS, "--from", server.address, "--derived"], "zoo build"),
            (["publish", source / ADDRESS, "--to", server.address], "Expected a store that can be written to"),
            (["publish", source / ADDRESS, "--to", "shelf", "--derived"], "Expected --derived with a store"),
            (["publish", "nowhere", "--to", "shelf"], "Expected the folder of a training run or of an entry"),
        ):
            status, out, err = command(*arguments)
            assert (status, out) == (2, ""), arguments
            assert message in err
            assert err.count("\n") == 1
        server.faults["index.json"] = [answering(403)]
        assert "the answer 403" in command("list", "--shelf", server.address)[2]
    assert not Path("shelf").exists()


def test_to_a_store_with_derived_files_and_back(command, source):
    place = f"memory://{uuid.uuid4().hex}/zoo"
    folder = source / ADDRESS
    (folder / "model.onnx").write_text("net")
    weights = FileRecord.of(folder / "model.weights.h5").sha256
    files = {"model.onnx": FileRecord.of(folder / "model.onnx")}
    write_document(folder / "derived.json", Derived(made=now(), weights_sha256=weights, parity={}, files=files))
    words = ["publish", folder, "--to", place, "--tag", "mine", "--version", 1, "--changes", "first"]
    status, out, err = command(*words, "--derived")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"Published blockqnn_found_digits/mine-v1: {place}/blockqnn_found_digits/mine-v1",
        f"Next: automl-cells zoo pull blockqnn_found_digits/mine-v1 --from {place}",
    ]
    assert "Published before, byte for byte" in command(*words)[1]
    status, out, _ = command("pull", "blockqnn_found_digits", "--from", place, "--to", "mine", "--derived")
    assert status == 0
    assert Path("mine/blockqnn_found_digits/mine-v1/model.onnx").read_text() == "net"
    assert "first" in command("show", "blockqnn_found_digits", "--shelf", "mine")[1]
    status, _, err = command("publish", folder, "--to", "mine", "--tag", "mine", "--version", 7)
    assert status == 2
    assert "Expected --version 2, the one that follows. Received: 7" in err


def test_the_bar_shows_bytes_on_a_terminal_only(monkeypatch, capsys):
    with store._shown("what") as progress:
        assert progress is None
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with store._shown("[what]") as progress:
        progress(500, 1000)
    err = capsys.readouterr().err
    assert "[what]" in err
    assert "500/1,000 bytes" in err or "0.5/1.0 kB" in err
