"""Bringing entries from any shelf into the cache or onto a shelf in a folder."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from automl_cells.builder import template
from automl_cells.errors import ZooError
from automl_cells.genotypes import load
from automl_cells.zoo import Entry, RemoteShelf, Shelf, pull
from automl_cells.zoo.manifest import Derived, FileRecord, now, write_document

FOLDER = "tiny_blocks/digits-v1"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_CELLS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def derived(shelf):
    """Derived files beside the entry on the shelf."""
    folder = shelf.folder / FOLDER
    (folder / "savedmodel").mkdir()
    (folder / "savedmodel" / "saved.pb").write_text("graph")
    (folder / "model.onnx").write_text("net")
    files = {name: FileRecord.of(folder / name) for name in ("model.onnx", "savedmodel/saved.pb")}
    weights = FileRecord.of(folder / "model.weights.h5").sha256
    write_document(folder / "derived.json", Derived(made=now(), weights_sha256=weights, parity={}, files=files))
    return folder


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_into_the_cache_and_from_there_onto_a_shelf(server, shelf, tmp_path):
    cached = pull("tiny_blocks", server.address)
    assert cached.folder.is_relative_to(tmp_path / "cache")
    count = len(server.requests)
    copy = pull(FOLDER, server.address, to=tmp_path / "mine")
    assert len(server.requests) == count  # a version that is in the cache is not asked for
    assert copy.folder == tmp_path / "mine" / FOLDER
    assert names(copy.folder) == names(shelf.folder / FOLDER)
    assert Shelf(tmp_path / "mine").list() == shelf.list()
    assert Shelf(tmp_path / "mine").verify() == []
    assert copy.load_model().output_shape == (None, 10)


@pytest.mark.usefixtures("derived")
def test_derived_files_come_along_when_asked_for(server, shelf, tmp_path, monkeypatch):
    published = names(shelf.folder / FOLDER)
    few = {"derived.json", "model.onnx", "savedmodel/saved.pb"}
    assert names(pull(FOLDER, server.address).folder) == published - few
    assert names(pull(FOLDER, server.address, to=tmp_path / "a").folder) == published - few
    steps = []
    assert names(pull(FOLDER, server.address, derived=True, progress=lambda *step: steps.append(step)).folder) == (
        published
    )
    assert steps[-1] == (8, 8)
    assert names(pull(FOLDER, server.address, to=tmp_path / "a", derived=True).folder) == published
    assert names(pull(FOLDER, shelf, to=tmp_path / "b", derived=True).folder) == published
    assert pull(FOLDER, shelf, derived=True).folder == shelf.folder / FOLDER
    for folder in ("a", "b"):
        assert Shelf(tmp_path / folder).verify() == []
    monkeypatch.setenv("AUTOML_CELLS_OFFLINE", "1")
    offline = pull(FOLDER, server.address, derived=True)
    (offline.folder / "model.onnx").write_text("changed")
    with pytest.raises(ZooError, match=r"Expected the derived files of .* here, since AUTOML_CELLS_OFFLINE is set"):
        pull(FOLDER, server.address, derived=True)


def test_derived_files_that_are_not_there(server, shelf, tmp_path):
    for source in (server.address, shelf):
        with pytest.raises(ZooError, match="zoo build"):
            pull(FOLDER, source, derived=True)


def test_derived_files_cannot_replace_immutable_ones(server, derived):
    document = json.loads((derived / "derived.json").read_text())
    for name in ("model.json", "MODEL.weights.h5", "model.json/x", "../other", "manifest.json"):
        changed = {**document, "files": {name: next(iter(document["files"].values()))}}
        (derived / "derived.json").write_text(json.dumps(changed))
        with pytest.raises(ZooError, match=r"Expected (derived files beside|a valid files)"):
            pull(FOLDER, server.address, derived=True)
    entry = pull(FOLDER, server.address)
    assert entry.load_model() is not None


def test_a_folder_as_source_and_the_same_again(shelf, tmp_path):
    assert pull("tiny_blocks", shelf.folder).folder == shelf.folder / FOLDER
    first = pull("tiny_blocks", str(shelf.folder), to=tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = pull("tiny_blocks", shelf.folder.as_uri(), to=Shelf(tmp_path / "mine"))
    assert {path: path.stat().st_mtime_ns for path in again.folder.iterdir()} == before


def test_other_files_at_the_same_address_are_refused(shelf, other_run, tmp_path):
    mine = Shelf(tmp_path / "mine")
    mine.publish(other_run)
    before = (mine.folder / FOLDER / "manifest.json").read_bytes()
    with pytest.raises(
        ZooError, match=r"Expected the files of tiny_blocks/digits-v1 as they stand .*no version ever changes"
    ):
        pull(FOLDER, shelf, to=mine)
    assert (mine.folder / FOLDER / "manifest.json").read_bytes() == before
    assert mine.verify() == []


def test_another_structure_of_the_same_name_is_refused(shelf, run, tmp_path, make_run):
    frame = template("cifar", repeats=2, filters=(4, 6), input_shape=(8, 8, 1))
    theirs = Shelf(tmp_path / "theirs")
    theirs.publish(make_run(tmp_path / "deep", genotype=load("block_qnn_b"), template=frame, name="mine"), tag="other")
    shelf.publish(run, name="mine")
    with pytest.raises(ZooError, match="Received: another repeats"):
        pull("mine/other", theirs, to=shelf)
    assert [str(item.address) for item in shelf.list()] == ["mine/digits-v1", FOLDER]


@pytest.mark.parametrize("damage", ["other bytes", "missing", "link"])
def test_a_damaged_entry_is_not_copied(shelf, tmp_path, damage):
    weights = shelf.folder / FOLDER / "model.weights.h5"
    content = weights.read_bytes()
    weights.unlink()
    if damage == "other bytes":
        weights.write_bytes(content[:-1] + b"?")
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        os.symlink(tmp_path / "elsewhere", weights)
    with pytest.raises(ZooError):
        pull(FOLDER, shelf, to=tmp_path / "mine")
    assert not list((tmp_path / "mine").rglob("*.h5"))
    assert Shelf(tmp_path / "mine").list() == []


def test_only_published_entries_are_copied(shelf, run, tmp_path):
    with pytest.raises(ZooError, match="Expected an entry that was published"):
        shelf.add(Entry.read(run / "entry"))
    with pytest.raises(ZooError, match="Expected a folder to pull to"):
        pull(FOLDER, shelf, to="memory://somewhere")


def test_what_lies_beside_the_files_of_an_entry_stays_there(shelf, tmp_path):
    (shelf.folder / FOLDER / "notes.txt").write_text("mine")
    assert "notes.txt" not in names(pull(FOLDER, shelf, to=tmp_path / "mine").folder)


def test_an_installed_cache_serves_other_shelf_objects(server, tmp_path):
    entry = pull(FOLDER, RemoteShelf(server.address))
    shutil.copytree(entry.folder.parents[1], tmp_path / "copy")
    assert Shelf(tmp_path / "copy").find("tiny_blocks").load_model() is not None
