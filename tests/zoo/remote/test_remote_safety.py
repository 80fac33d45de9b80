"""Stores that lie: nothing they send leaves its folder, grows without bound or reaches a model unchecked."""

from __future__ import annotations

import json
import shutil

import pytest

from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.zoo import Shelf
from automl_cells.zoo.remote import download
from automl_cells.zoo.remote.store import UnreachableError
from tests.zoo.remote.store_server import answering, claiming, endless, sending

FOLDER = "tiny_blocks/digits-v1"
WEIGHTS = f"{FOLDER}/model.weights.h5"


def pulled(web):
    """The addresses of the entries in the cache."""
    return [str(address) for address in Shelf(web.folder).addresses()]


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("claim", [10, None])
def test_a_length_that_is_too_short_or_missing(web, server, claim):
    server.faults[WEIGHTS] = [claiming(claim)]
    if claim is None:
        assert web.find("tiny_blocks").load_model() is not None
    else:
        with pytest.raises(ZooError, match="Received: 10, then the end"):
            web.find("tiny_blocks")
        assert pulled(web) == []


def test_a_length_that_is_too_long(web, server):
    server.faults[WEIGHTS] = [claiming(10**12)]
    assert web.find("tiny_blocks").load_model() is not None  # no more is read than the manifest says
    server.faults["index.json"] = [claiming(10**12)]
    with pytest.raises(ZooError, match="Expected at most 16,000,000 bytes"):
        web.list()
    server.faults["index.json"] = [claiming(100_000)]
    with pytest.raises(UnreachableError, match="Expected 100,000 bytes"):
        web.list()


@pytest.mark.parametrize("name", ["model.weights.h5", "metrics.json", "manifest.json"])
def test_changed_bytes_never_reach_the_entry(web, server, shelf, name):
    file = shelf.folder / FOLDER / name
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ZooError, match=rf"Expected .*{name} with SHA-256 [0-9a-f]{{64}}.* Received: [0-9a-f]{{64}}$"):
        web.find("tiny_blocks")
    assert pulled(web) == []
    assert [p for p in web.folder.rglob(f"{name}*") if p.is_file()] == []
    if name != "manifest.json":
        (problem,) = web.verify()
        assert (problem.entry, problem.path, problem.kind) == (FOLDER, name, "damaged")


def test_a_changed_length_is_found(web, server, shelf):
    with (shelf.folder / WEIGHTS).open("ab") as file:
        file.write(b"more")
    (problem,) = web.verify()
    assert problem.kind == "damaged"
    (shelf.folder / WEIGHTS).unlink()
    (problem,) = web.verify("tiny_blocks")
    assert problem.kind == "missing"
    with pytest.raises(ZooError, match="Expected an entry on the shelf"):
        web.verify("other")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>Please log in</html>", r"Expected JSON in http.*Received: a page of HTML"),
        (b"", "Expected JSON"),
        (b"[" * 100_000, "Expected JSON"),
        (b"{}", None),
        (b'{"format": "other"}', "Expected a valid format"),
        (b'{"entries": [1]}', r"Expected a valid entries\.0"),
    ],
)
def test_an_index_that_is_none(web, server, content, message):
    server.faults["index.json"] = [sending(content)]
    if message is None:
        assert web.list() == []
    else:
        with pytest.raises(ZooError, match=message):
            web.list()
        assert not (web.folder / "index.json").exists()


@pytest.mark.parametrize("name", ["../up", "/abs", "a/b", "..", "", "A", "a\n"])
def test_an_index_cannot_lead_out_of_the_shelf(web, server, shelf, name):
    for field in ("name", "tag"):
        edit(shelf.folder / "index.json", lambda index, field=field: index["entries"][0].update({field: name}))
        with pytest.raises(ZooError, match=r"Expected a valid entries\.0"):
            web.find("tiny_blocks")


@pytest.mark.parametrize(
    "name",
    ["../up", "/abs", "a/../../b", ".hidden", "a//b", "a\\b", "c:/x", "manifest.json", "MODEL.json", "model.json/x"],
)
def test_a_manifest_cannot_lead_out_of_its_folder(web, server, shelf, tmp_path, name):
    manifest = shelf.folder / FOLDER / "manifest.json"
    edit(manifest, lambda document: document["files"].update({name: {"sha256": "00" * 32, "bytes": 1}}))
    edit(
        shelf.folder / "index.json",
        lambda index: index["entries"][0].update(manifest_sha256=sha256_of_file(manifest)),
    )
    with pytest.raises(ZooError, match=r"Expected a valid files"):
        web.find("tiny_blocks")
    assert pulled(web) == []


def test_an_index_with_an_entry_twice_is_refused(web, server, shelf):
    edit(shelf.folder / "index.json", lambda index: index["entries"].append(index["entries"][0]))
    with pytest.raises(ZooError, match="stands there twice"):
        web.list()


def test_an_index_without_end_is_not_read_to_its_end(web, server):
    server.faults["index.json"] = [endless]
    with pytest.raises(ZooError, match="Expected at most 16,000,000 bytes"):
        web.list()


def test_more_than_the_disk_holds_is_refused_before_the_first_byte(web, server, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 0, 10))
    with pytest.raises(ZooError, match=r"Expected [\d,]+ bytes free"):
        web.find("tiny_blocks")
    assert server.paths() == ["index.json", f"{FOLDER}/manifest.json"]


def test_redirects_are_followed_to_other_files_only(web, server):
    server.faults["index.json"] = [answering(302, Location=f"{server.address}/moved.json")]
    (server.folder / "moved.json").write_bytes((server.folder / "index.json").read_bytes())
    assert len(web.list()) == 1
    for place in ("file:///x", "ftp://127.0.0.1/x"):
        server.faults["index.json"] = [answering(302, Location=place)]
        with pytest.raises(ZooError, match=r"(?i)Received: .*redirect"):
            web.list()
    server.faults["index.json"] = [answering(302, Location=f"{server.address}/index.json")]
    with pytest.raises(ZooError, match="the answer 302"):
        web.list()


def test_a_packed_answer_is_refused(web, server):
    server.faults["index.json"] = [answering(200, Content_Encoding="gzip")]
    with pytest.raises(ZooError, match="packed as gzip"):
        web.list()


def test_a_store_that_changes_a_version_is_found_out(web, server, shelf):
    web.find("tiny_blocks")
    manifest = shelf.folder / FOLDER / "manifest.json"
    edit(manifest, lambda document: document.update(published="2020-01-01T00:00:00Z"))
    shelf.reindex()
    with pytest.raises(ZooError, match="a version never changes"):
        web.find("tiny_blocks")
    assert str(web.find(FOLDER).address) == FOLDER


def test_a_web_server_cannot_be_published_to(web, run):
    with pytest.raises(ZooError, match=r"Expected a store that can be written to, such as s3://. Received: http"):
        web.publish(run)
    for action in (web.reindex, web.store.listing, lambda: web.store.write("x", b""),
                   lambda: web.store.create("x", b""), lambda: web.store.remove("x"),
                   lambda: web.store.upload("x", "x")):  # fmt: skip
        with pytest.raises(ZooError, match="can be written to"):
            action()
