import json

import pytest

from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.zoo.entry import WEIGHTS
from automl_cells.zoo.manifest import MANIFEST, Manifest, read_document


@pytest.fixture
def folder(shelf):
    return shelf.folder / "tiny_blocks" / "digits-v1"


def kinds(shelf, query=None):
    return [(problem.path, problem.kind) for problem in shelf.verify(query)]


def rewrite(folder, change):
    path = folder / MANIFEST
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_one_changed_byte_is_found(shelf, folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    (problem,) = shelf.verify()
    assert (problem.entry, problem.path, problem.kind) == ("tiny_blocks/digits-v1", WEIGHTS, "damaged")
    assert "SHA-256" in str(problem)


def test_a_shorter_file_is_found_by_its_size(shelf, folder):
    (folder / "metrics.json").write_text("{}")
    (problem,) = shelf.verify("tiny_blocks")
    assert (problem.path, problem.kind) == ("metrics.json", "damaged")
    assert "2 found" in problem.detail


def test_missing_and_extra_files_are_found(shelf, folder):
    (folder / "drawing.svg").unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "sub").mkdir()
    (folder / "sub" / "hidden").write_text("x")
    assert kinds(shelf) == [("drawing.svg", "missing"), ("notes.txt", "extra"), ("sub/hidden", "extra")]


def test_a_link_is_no_file(shelf, folder, tmp_path):
    (tmp_path / "same").write_bytes((folder / WEIGHTS).read_bytes())
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(tmp_path / "same")
    assert kinds(shelf) == [(WEIGHTS, "damaged")]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ".hidden", "a//b", "", "a\\b", "a/b\n", "./x"])
def test_a_manifest_cannot_leave_its_folder(shelf, folder, path):
    def escape(document):
        document["files"][path] = {"sha256": "0" * 64, "bytes": 1}

    rewrite(folder, escape)
    with pytest.raises(ZooError, match="Expected a valid files"):
        read_document(folder / MANIFEST, Manifest)
    assert (MANIFEST, "invalid") in kinds(shelf)
    with pytest.raises(ZooError, match="Expected a valid files"):
        shelf.find("tiny_blocks")


@pytest.mark.parametrize("size", [-1, 8_000_000_001, "many"])
def test_sizes_in_a_manifest_are_bounded(folder, size):
    rewrite(folder, lambda document: document["files"][WEIGHTS].update(bytes=size))
    with pytest.raises(ZooError, match="Expected a valid files"):
        read_document(folder / MANIFEST, Manifest)


def test_a_forged_manifest_is_found_by_the_index(shelf, folder):
    """A file and its hash in the manifest exchanged together: only the index still knows better."""

    def forge(document):
        document["files"]["metrics.json"] = {"sha256": sha256_of_file(folder / "metrics.json"), "bytes": 2}

    (folder / "metrics.json").write_text("{}")
    rewrite(folder, forge)
    assert kinds(shelf) == [(MANIFEST, "damaged")]


def test_the_manifest_of_another_entry_is_found(shelf, folder):
    rewrite(folder, lambda document: document.update(tag="other"))
    assert (MANIFEST, "invalid") in kinds(shelf)
    with pytest.raises(ZooError, match="Received: that of tiny_blocks/other-v1"):
        shelf.find("tiny_blocks")


def test_a_lost_folder_and_a_lost_index(shelf, folder):
    folder.rename(shelf.folder / "elsewhere")
    assert kinds(shelf) == [("index.json", "index")]
    assert kinds(shelf, "tiny_blocks/digits") == [("index.json", "index")]
    (shelf.folder / "index.json").write_text("no json")
    assert kinds(shelf) == [("index.json", "invalid")]


def test_only_what_was_asked_for_is_read(shelf, folder, other_run):
    shelf.publish(other_run)
    (folder / "metrics.json").write_text("{}")
    assert kinds(shelf, "tiny_blocks/digits-v2") == []
    assert kinds(shelf, "tiny_blocks/digits") == [("metrics.json", "damaged")]
    with pytest.raises(ZooError, match="Received: nothing_there"):
        shelf.verify("nothing_there")
