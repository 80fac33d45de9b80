"""Publishing to stores: an S3 interface on this machine, fsspec's memory, and its file system with folders."""

from __future__ import annotations

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from automl_cells.builder import template
from automl_cells.errors import ZooError
from automl_cells.genotypes import load
from automl_cells.zoo import RemoteShelf, Shelf
from automl_cells.zoo.remote import publishing
from automl_cells.zoo.remote.store import Patience, UnreachableError

FOLDER = "tiny_blocks/digits-v1"
QUICK = Patience(connect=5, read=5, attempts=2, backoff=0)


only_s3 = pytest.mark.parametrize("address", ["s3"], indirect=True)  # elsewhere creating is not exclusive
only_memory = pytest.mark.parametrize("address", ["memory"], indirect=True)  # what does not depend on the store


def again(remote, cache):
    """The same store, seen from another machine."""
    return RemoteShelf(remote.place, cache=cache, patience=QUICK)


def addresses(remote):
    return [str(address) for address in remote.addresses()]


def failing(monkeypatch, remote, method, when, error):
    """Let a method of the store fail for paths that end in `when`."""
    real = getattr(remote.store, method)

    def fails(*arguments):
        if any(str(argument).endswith(when) for argument in arguments):
            raise error
        return real(*arguments)

    monkeypatch.setattr(remote.store, method, fails)


def test_published_here_and_pulled_there(remote, run, tmp_path):
    seen = []
    done = remote.publish(run, changes="first\nweights", progress=lambda *counts: seen.append(counts))
    assert (str(done.address), done.place, done.created) == (FOLDER, f"{remote.place}/{FOLDER}", True)
    assert seen[-1][0] == seen[-1][1] > 0
    assert sorted(remote.store.listing()) == sorted(
        ["index.json", *(f"{FOLDER}/{name}" for name in (
            "README.md", "drawing.svg", "genotype.json", "history.json", "manifest.json", "metrics.json",
            "model.json", "model.weights.h5",
        ))]
    )  # fmt: skip
    other = again(remote, tmp_path / "there")
    entry = other.find("tiny_blocks")
    assert entry.load_model().output_shape == (None, 10)
    assert entry.weights.read_bytes() == (run / "entry" / "model.weights.h5").read_bytes()
    assert entry.manifest.changes == "first weights"
    (item,) = other.list()
    assert (item.changes, item.test_accuracy, item.parameters) == ("first weights", 91.25, entry.cost.parameters)
    assert other.verify() == []
    assert Shelf(entry.folder.parents[1]).verify() == []  # a store's folder in the cache is a shelf


@pytest.mark.usefixtures("loads")
def test_versions_follow_and_never_change(remote, run, other_run):
    remote.publish(run)
    same = remote.publish(run)
    assert (str(same.address), same.created) == (FOLDER, False)
    assert not remote.publish(run, version=1).created
    with pytest.raises(ZooError, match=r"Expected the files of tiny_blocks/digits-v1 as they were published"):
        remote.publish(other_run, version=1)
    with pytest.raises(ZooError, match=r"Expected --version 2, the one that follows. Received: 3"):
        remote.publish(other_run, version=3)
    before = dict(remote.store.listing())
    second = remote.publish(other_run, version=2, changes="other seed")
    assert (str(second.address), second.created) == ("tiny_blocks/digits-v2", True)
    assert addresses(remote) == [FOLDER, "tiny_blocks/digits-v2"]
    after = remote.store.listing()
    assert {path: after[path] for path in before if path != "index.json"} == {
        path: size for path, size in before.items() if path != "index.json"
    }
    card = (remote.find("tiny_blocks").folder / "README.md").read_text()
    assert "| digits-v2 | other seed |\n| digits-v1 | the first |" in card
    assert str(remote.publish(run, name="mine", tag="own").address) == "mine/own-v1"
    assert remote.verify() == []


@only_memory
@pytest.mark.usefixtures("loads")
def test_a_name_means_one_structure(remote, run, tmp_path, make_run):
    remote.publish(run, name="mine")
    frame = template("cifar", repeats=2, filters=(4, 6), input_shape=(8, 8, 1))
    other = make_run(tmp_path / "deep", genotype=load("block_qnn_b"), template=frame, name="mine")
    with pytest.raises(ZooError, match=r"Expected the structure of mine/digits-v1 .*Received: another repeats$"):
        remote.publish(other)
    with pytest.raises(ZooError, match="of the zoo's blockqnn_mnist"):
        remote.publish(run, name="blockqnn_mnist")
    assert addresses(remote) == ["mine/digits-v1"]


@only_s3
@pytest.mark.usefixtures("loads")
def test_two_publishers_at_once_get_two_versions(remote, run, other_run, tmp_path):
    shelves = [again(remote, tmp_path / "a"), again(remote, tmp_path / "b")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda pair: pair[0].publish(pair[1]), zip(shelves, [run, other_run], strict=True)))
    assert sorted(one.address.version for one in done) == [1, 2]
    assert addresses(remote) == [FOLDER, "tiny_blocks/digits-v2"]
    assert remote.verify() == []
    assert [path for path in remote.store.listing() if path.endswith(publishing.CLAIM)] == []


@only_s3
@pytest.mark.usefixtures("loads")
def test_two_publishers_of_the_same_files_make_one_version(remote, run, tmp_path):
    shelves = [again(remote, tmp_path / "a"), again(remote, tmp_path / "b")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda shelf: shelf.publish(run), shelves))
    assert {str(one.address) for one in done} == {FOLDER}
    assert sorted(one.created for one in done) == [False, True]
    assert remote.verify() == []


def test_publishers_in_two_processes(s3, run, other_run, tmp_path):
    program = """
import sys
from automl_cells.zoo import Entry, RemoteShelf
Entry.load_model = lambda self: None
print(RemoteShelf(sys.argv[1]).publish(sys.argv[2], name="mine").address)
"""
    place = f"{s3}/{uuid.uuid4().hex}"
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, place, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in (run, other_run)
    ]
    answers = sorted(process.communicate(timeout=60) for process in running)
    assert answers == [("mine/digits-v1\n", ""), ("mine/digits-v2\n", "")]
    remote = RemoteShelf(place, cache=tmp_path, patience=QUICK)
    assert addresses(remote) == ["mine/digits-v1", "mine/digits-v2"]
    assert remote.verify() == []


@pytest.mark.usefixtures("loads")
def test_a_line_that_another_publisher_overwrote_is_brought_back(remote, run, other_run, tmp_path, monkeypatch):
    real = remote.store.write
    remote.publish(run, name="first")

    def overtaken(path, content):
        if path == "index.json" and b"second" in content:
            monkeypatch.setattr(remote.store, "write", real)
            again(remote, tmp_path / "b").publish(other_run, name="third")
        real(path, content)

    monkeypatch.setattr(remote.store, "write", overtaken)
    remote.publish(run, name="second")
    assert addresses(remote) == ["first/digits-v1", "second/digits-v1", "third/digits-v1"]


@pytest.mark.usefixtures("loads")
@pytest.mark.parametrize(("method", "when"), [("upload", "model.weights.h5"), ("create", "manifest.json")])
def test_a_killed_upload_is_invisible_and_goes_on_later(remote, run, other_run, tmp_path, monkeypatch, method, when):
    with monkeypatch.context() as patch:
        failing(patch, remote, method, when, SystemExit("killed"))
        patch.setattr(remote.store, "remove", lambda path: None)  # nothing more could run
        with pytest.raises(SystemExit):
            remote.publish(run)
    left = set(remote.store.listing())
    assert f"{FOLDER}/{publishing.CLAIM}" in left
    assert "index.json" not in left
    with pytest.raises(ZooError, match=r"Expected a shelf, with index.json"):
        remote.list()
    other = again(remote, tmp_path / "b").publish(other_run)
    assert str(other.address) == "tiny_blocks/digits-v2"  # nobody knows whether version 1 is still on its way
    assert addresses(remote) == ["tiny_blocks/digits-v2"]
    done = remote.publish(run)
    assert (str(done.address), done.created) == (FOLDER, True)
    assert addresses(remote) == [FOLDER, "tiny_blocks/digits-v2"]
    assert remote.verify() == []
    assert f"{FOLDER}/{publishing.CLAIM}" not in remote.store.listing()


@pytest.mark.usefixtures("loads")
def test_a_failed_upload_leaves_nothing(remote, run, monkeypatch):
    with monkeypatch.context() as patch:
        failing(patch, remote, "upload", "model.weights.h5", UnreachableError("gone"))
        with pytest.raises(UnreachableError, match="gone"):
            remote.publish(run)
    assert remote.store.listing() == {}
    assert str(remote.publish(run).address) == FOLDER


@pytest.mark.usefixtures("loads")
def test_killed_before_the_index(remote, run, monkeypatch):
    with monkeypatch.context() as patch:
        failing(patch, remote, "write", "index.json", SystemExit("killed"))
        with pytest.raises(SystemExit):
            remote.publish(run)
    with pytest.raises(ZooError, match=r"without one"):
        remote.find("tiny_blocks")
    done = remote.publish(run)
    assert (str(done.address), done.created) == (FOLDER, False)
    assert addresses(remote) == [FOLDER]
    assert remote.verify() == []


@pytest.mark.usefixtures("loads")
def test_only_whole_entries_are_added_to_the_index(remote, run, other_run):
    remote.publish(run)
    remote.publish(other_run)
    remote.store.remove("index.json")
    remote.store.remove("tiny_blocks/digits-v2/model.weights.h5")
    remote.store.write("tiny_blocks/other-v1/manifest.json", b"rubbish")
    remote.store.write("notes/read.me", b"")
    assert [str(item.address) for item in remote.reindex()] == [FOLDER]
    remote.store.write("index.json", b"rubbish")
    with pytest.raises(ZooError, match="Expected JSON"):
        remote.publish(run)
    assert remote.store.read("index.json", 100) == b"rubbish"


@only_memory
def test_what_cannot_be_loaded_or_named_is_not_published(remote, entry_copy):
    (entry_copy / "model.weights.h5").write_bytes(b"rubbish")
    with pytest.raises(ZooError, match="HDF5"):
        remote.publish(entry_copy)
    with pytest.raises(ZooError, match="of a-z, 0-9 and '_'"):
        remote.publish(entry_copy, name="../up")
    with pytest.raises(ZooError, match=r"at most 500 characters on what changed. Received: 501"):
        remote.publish(entry_copy, changes="x" * 501)
    assert remote.store.listing() == {}
