"""Derived files in stores, verifying stores, and stores that fail."""

from __future__ import annotations

import json

import pytest

from automl_cells.errors import ZooError
from automl_cells.zoo import Entry, RemoteShelf, Shelf
from automl_cells.zoo.manifest import Derived, FileRecord, now, write_document
from automl_cells.zoo.remote.store import Patience, UnreachableError
from automl_cells.zoo.verify import check_files

FOLDER = "tiny_blocks/digits-v1"
QUICK = Patience(connect=5, read=5, attempts=2, backoff=0)


only_memory = pytest.mark.parametrize("address", ["memory"], indirect=True)  # what does not depend on the store


def again(remote, cache):
    """The same store, seen from another machine."""
    return RemoteShelf(remote.place, cache=cache, patience=QUICK)


def make_derived(folder, **contents):
    """Derived files as `build_entry` leaves them, without deriving anything."""
    for name, text in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    files = {name.replace("__", "/"): FileRecord.of(folder / name.replace("__", "/")) for name in contents}
    weights = FileRecord.of(folder / "model.weights.h5").sha256
    write_document(folder / "derived.json", Derived(made=now(), weights_sha256=weights, parity={}, files=files))


@pytest.mark.usefixtures("loads")
def test_derived_files_follow_an_entry(remote, run, other_run, entry_copy, tmp_path):
    remote.publish(run)
    there = again(remote, tmp_path / "there")
    entry = there.find("tiny_blocks")
    with pytest.raises(ZooError, match=r"Expected derived files of tiny_blocks/digits-v1; .*zoo build"):
        there.with_derived(entry)
    make_derived(entry_copy, **{"model.onnx": "net", "savedmodel__saved.pb": "graph"})
    remote.add_derived(Entry.read(entry_copy), entry.address)
    there.with_derived(entry)
    assert (entry.folder / "savedmodel" / "saved.pb").read_text() == "graph"
    assert check_files(entry.folder, entry.manifest.files) == []
    assert Shelf(there.folder).verify() == []
    assert remote.verify() == []

    make_derived(entry_copy, **{"model.onnx": "better"})
    remote.add_derived(Entry.read(entry_copy), entry.address)
    assert f"{FOLDER}/savedmodel/saved.pb" not in remote.store.listing()
    there.with_derived(there.with_derived(entry))
    assert (entry.folder / "model.onnx").read_text() == "better"
    assert not (entry.folder / "savedmodel").exists()

    remote.store.write(f"{FOLDER}/model.onnx", b"changed")
    (problem,) = remote.verify()
    assert (problem.path, problem.kind) == ("model.onnx", "damaged")
    (entry.folder / "model.onnx").unlink()
    with pytest.raises(ZooError, match="with SHA-256"):
        there.with_derived(entry)


@only_memory
@pytest.mark.usefixtures("loads")
def test_derived_files_of_something_else_are_refused(remote, run, other_run, entry_copy):
    remote.publish(run)
    address = remote.addresses()[0]
    with pytest.raises(ZooError, match=r"Expected derived files .*without derived.json"):
        remote.add_derived(Entry.read(entry_copy), address)
    with pytest.raises(ZooError, match="Expected an entry that was published"):
        remote.add_derived(Entry.read(entry_copy))
    with pytest.raises(ZooError, match="Received: nothing there"):
        remote.add_derived(Entry.read(entry_copy), address._replace(version=7))
    make_derived(entry_copy, **{"model.onnx": "net"})
    (entry_copy / "model.onnx").write_text("other")
    with pytest.raises(ZooError, match=r"Expected the derived files that derived.json lists"):
        remote.add_derived(Entry.read(entry_copy), address)
    document = json.loads((entry_copy / "derived.json").read_text())
    (entry_copy / "derived.json").write_text(json.dumps({**document, "weights_sha256": "00" * 32}))
    with pytest.raises(ZooError, match="Expected derived files of the weights of"):
        remote.add_derived(Entry.read(entry_copy), address)
    make_derived(entry_copy, **{"model.json": (entry_copy / "model.json").read_text()})
    with pytest.raises(ZooError, match=r"Expected derived files beside those .*Received: model.json"):
        remote.add_derived(Entry.read(entry_copy), address)


def test_a_store_that_is_down_or_not_there(tmp_path, s3):
    missing = RemoteShelf("s3://no-such-bucket/zoo", cache=tmp_path, patience=QUICK)
    with pytest.raises(ZooError, match=r"Expected a shelf, with index.json"):
        missing.list()
    down = RemoteShelf(
        "s3://bucket/zoo", options={"endpoint_url": "http://127.0.0.1:1"}, cache=tmp_path, patience=QUICK
    )
    with pytest.raises(UnreachableError, match=r"Expected an answer from s3://bucket/zoo/index.json"):
        down.list()
    with pytest.raises(ZooError, match="Expected a store at"):
        RemoteShelf("s3://bucket/zoo", options={"key": "a", "username": "b"}, cache=tmp_path).list()


@only_memory
def test_too_large_a_document_is_not_read(remote):
    remote.store.write("index.json", b" " * 2000)
    with pytest.raises(ZooError, match="Expected at most 1,000 bytes"):
        remote.store.read("index.json", 1000)


@pytest.mark.usefixtures("loads")
def test_verify_names_what_is_wrong(remote, run, other_run):
    remote.publish(run)
    remote.publish(other_run)

    def problems():
        return [(problem.entry, problem.path, problem.kind) for problem in remote.verify()]

    manifest = f"{FOLDER}/manifest.json"
    good = remote.store.read(manifest, 100_000)
    remote.store.write(manifest, remote.store.read("tiny_blocks/digits-v2/manifest.json", 100_000))
    assert problems() == [(FOLDER, "manifest.json", "damaged")]
    remote.store.write(manifest, b"{}")
    assert problems() == [(FOLDER, "manifest.json", "invalid")]
    remote.store.remove(manifest)
    assert problems() == [(FOLDER, "manifest.json", "index")]
    remote.store.write(manifest, good)
    remote.store.write(f"{FOLDER}/derived.json", b"{}")
    remote.store.write(f"{FOLDER}/metrics.json", b"{}")
    remote.store.remove(f"{FOLDER}/README.md")
    assert sorted(problems()) == [
        (FOLDER, "README.md", "missing"),
        (FOLDER, "derived.json", "invalid"),
        (FOLDER, "metrics.json", "damaged"),
    ]


@only_memory
def test_errors_of_a_file_system_become_ours(remote, monkeypatch):
    class HTTPClientError(Exception):
        """As botocore and aiohttp have: no kind of OSError."""

    remote.store.write("index.json", b"{}")
    for error, kind, message in (
        (PermissionError("not yours"), ZooError, "Expected to be allowed to use .*not yours"),
        (NotImplementedError(), ZooError, "can be written to"),
        (KeyError("x"), ZooError, "KeyError: 'x'"),
        (TimeoutError(), UnreachableError, "TimeoutError"),
        (HTTPClientError("reset\nand more"), UnreachableError, "HTTPClientError: reset$"),
    ):
        monkeypatch.setattr(remote.store._fs, "cat_file", lambda *a, error=error, **k: (_ for _ in ()).throw(error))
        with pytest.raises(ZooError, match=message) as caught:
            remote.list()
        assert type(caught.value) is kind
