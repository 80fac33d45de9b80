import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import filelock
import pytest

from automl_cells.builder import template
from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.genotypes import load
from automl_cells.zoo import Address, Entry, Shelf, publishing
from automl_cells.zoo import shelf as shelf_module
from automl_cells.zoo.entry import WEIGHTS
from automl_cells.zoo.manifest import Derived, parse_document


def addresses(shelf):
    return [str(item.address) for item in shelf.list()]


def test_a_published_entry_can_be_found_and_used(shelf, run):
    entry = shelf.find("tiny_blocks/digits-v1")
    assert entry.folder == shelf.folder / "tiny_blocks" / "digits-v1"
    assert entry.address == Address("tiny_blocks", "digits", 1)
    assert entry.load_model().output_shape == (None, 10)
    assert sorted(path.name for path in entry.folder.iterdir()) == [
        "README.md", "drawing.svg", "genotype.json", "history.json", "manifest.json", "metrics.json",
        "model.json", "model.weights.h5",
    ]  # fmt: skip
    for name in ("genotype.json", "model.json", WEIGHTS, "metrics.json", "drawing.svg"):
        assert (entry.folder / name).read_bytes() == (run / "entry" / name).read_bytes()
    assert shelf.verify() == []


def test_manifest_and_index_state_sizes_and_hashes(shelf):
    (item,) = shelf.list()
    folder = shelf.folder / "tiny_blocks" / "digits-v1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["files"][WEIGHTS] == {
        "sha256": sha256_of_file(folder / WEIGHTS),
        "bytes": (folder / WEIGHTS).stat().st_size,
    }
    assert set(manifest["files"]) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert item.manifest_sha256 == sha256_of_file(folder / "manifest.json")
    assert item.test_accuracy == 91.25
    assert item.parameters == shelf.find("tiny_blocks").cost.parameters
    card = (folder / "README.md").read_text()
    assert manifest["files"][WEIGHTS]["sha256"] in card


def test_other_weights_become_the_next_version(shelf, run, other_run):
    second = shelf.publish(other_run)
    assert (str(second.address), second.created) == ("tiny_blocks/digits-v2", True)
    assert (str(shelf.publish(run, tag="other").address)) == "tiny_blocks/other-v1"
    assert addresses(shelf) == ["tiny_blocks/digits-v1", "tiny_blocks/digits-v2", "tiny_blocks/other-v1"]
    assert str(shelf.find("tiny_blocks/digits").address) == "tiny_blocks/digits-v2"
    assert str(shelf.find("tiny_blocks").address) == "tiny_blocks/other-v1"  # published last
    assert str(shelf.find("tiny_blocks/digits-v1").address) == "tiny_blocks/digits-v1"
    assert shelf.verify() == []


def test_the_same_files_are_not_published_twice(shelf, run, other_run):
    shelf.publish(other_run)
    before = (shelf.folder / "tiny_blocks" / "digits-v1" / "manifest.json").read_bytes()
    again = shelf.publish(run / "entry")
    assert (str(again.address), again.created) == ("tiny_blocks/digits-v1", False)
    assert addresses(shelf) == ["tiny_blocks/digits-v1", "tiny_blocks/digits-v2"]
    assert (shelf.folder / "tiny_blocks" / "digits-v1" / "manifest.json").read_bytes() == before


def test_versions_are_never_given_twice(shelf, run, other_run):
    shelf.publish(other_run)
    shutil.rmtree(shelf.folder / "tiny_blocks" / "digits-v1")
    assert str(shelf.publish(run).address) == "tiny_blocks/digits-v3"


def test_a_new_name_and_tag_are_written_into_the_entry(shelf, run):
    published = shelf.publish(run, name="my_blocks", tag="mine")
    entry = shelf.find("my_blocks")
    assert (entry.name, entry.tag) == ("my_blocks", "mine")
    assert entry.folder == published.folder
    assert "my_blocks/mine" in (published.folder / "drawing.svg").read_text()
    assert "# my_blocks/mine-v1" in (published.folder / "README.md").read_text()
    assert not shelf.publish(run, name="my_blocks", tag="mine").created


@pytest.mark.parametrize(("name", "tag"), [("My", None), ("a-b", None), ("../up", None), (None, "v 1"), (None, "a/b")])
def test_names_and_tags_are_words(shelf, run, name, tag):
    with pytest.raises(ZooError, match="of a-z, 0-9 and '_'"):
        shelf.publish(run, name=name, tag=tag)


def test_a_name_always_means_one_structure(shelf, tmp_path, make_run):
    frame = template("cifar", repeats=1, filters=(3,), input_shape=(8, 8, 1))
    first = make_run(tmp_path / "one", genotype=load("block_qnn_a"), template=frame, name="mine")
    shelf.publish(first)
    other = make_run(tmp_path / "two", genotype=load("block_qnn_b"), template=frame, name="mine")
    with pytest.raises(ZooError, match=r"of mine/digits-v1 under the name mine; .*--name. Received: another genotype$"):
        shelf.publish(other)
    deeper = frame.model_copy(update={"repeats": 2})
    other = make_run(tmp_path / "three", genotype=load("block_qnn_a"), template=deeper, name="mine")
    with pytest.raises(ZooError, match=r"Received: another repeats$"):
        shelf.publish(other)
    assert str(shelf.publish(other, name="mine_deeper").address) == "mine_deeper/digits-v1"
    more = make_run(
        tmp_path / "four", genotype=load("block_qnn_a"), template=frame.model_copy(update={"classes": 12}), name="mine"
    )
    assert str(shelf.publish(more, tag="twelve").address) == "mine/twelve-v1"  # the head follows the data


def test_the_names_of_the_zoo_are_taken(tmp_path, run):
    shelf = Shelf(tmp_path / "new")
    with pytest.raises(ZooError, match="Expected the structure of the zoo's blockqnn_imagenet"):
        shelf.publish(run, name="blockqnn_imagenet")
    assert shelf.list() == []
    assert [path for path in shelf.folder.rglob("*") if path.name != ".lock"] == []


def test_what_cannot_be_loaded_is_not_published(shelf, entry_copy):
    (entry_copy / WEIGHTS).write_bytes(b"rubbish")
    with pytest.raises(ZooError, match="HDF5"):
        shelf.publish(entry_copy, tag="broken")
    (entry_copy / WEIGHTS).unlink()
    with pytest.raises(ZooError, match="without"):
        shelf.publish(entry_copy, tag="broken")
    assert addresses(shelf) == ["tiny_blocks/digits-v1"]


def test_an_unfinished_run_is_refused(shelf, tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ZooError, match="a training run that has finished"):
        shelf.publish(tmp_path / "run")
    with pytest.raises(ZooError, match="Expected the folder of a training run or of an entry"):
        shelf.publish(tmp_path / "missing")


@pytest.mark.parametrize("step", ["card", "write_document", "shutil.copyfile"])
def test_a_crash_while_publishing_leaves_no_half_entry(shelf, other_run, monkeypatch, step):
    def crash(*arguments):
        raise OSError("disk full")

    before = sorted(shelf.folder.rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr(f"automl_cells.zoo.publishing.{step}", crash)
        with pytest.raises(OSError, match="disk full"):
            shelf.publish(other_run)
    assert sorted(shelf.folder.rglob("*")) == before
    assert shelf.verify() == []
    assert str(shelf.publish(other_run).address) == "tiny_blocks/digits-v2"


def test_a_killed_publication_is_cleared_by_the_next(shelf, other_run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(publishing.shutil, "rmtree", lambda *a, **k: None)  # as if nothing more could run
        patch.setattr(publishing, "card", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shelf.publish(other_run)
    (left,) = (shelf.folder / "tiny_blocks").glob(".partial-*")
    assert (left / WEIGHTS).exists()
    assert addresses(shelf) == ["tiny_blocks/digits-v1"]
    assert shelf.verify() == []
    shelf.publish(other_run)
    assert not left.exists()


def test_a_crash_before_the_index_is_mended_by_publishing_again(shelf, other_run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "_write_index", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shelf.publish(other_run)
    assert addresses(shelf) == ["tiny_blocks/digits-v1"]
    (problem,) = shelf.verify()
    assert (problem.entry, problem.kind) == ("tiny_blocks/digits-v2", "index")
    again = shelf.publish(other_run)
    assert (str(again.address), again.created) == ("tiny_blocks/digits-v2", False)
    assert shelf.verify() == []


def test_the_index_can_be_made_anew(shelf, other_run):
    shelf.publish(other_run)
    index = shelf.folder / "index.json"
    before = index.read_bytes()
    index.unlink()
    assert addresses(shelf) == ["tiny_blocks/digits-v1", "tiny_blocks/digits-v2"]
    index.write_text("{")
    with pytest.raises(ZooError, match="Expected JSON"):
        shelf.list()
    shelf.reindex()
    assert index.read_bytes() == before


def test_an_index_cannot_point_elsewhere(shelf):
    index = shelf.folder / "index.json"
    document = json.loads(index.read_text())
    document["entries"][0]["name"] = "../tiny_blocks"
    index.write_text(json.dumps(document))
    with pytest.raises(ZooError, match=r"Expected a valid entries\.0\.name"):
        shelf.find("tiny_blocks")


def test_what_is_not_there_is_not_found(shelf, tmp_path):
    with pytest.raises(ZooError, match=r"\(there: tiny_blocks/digits-v1\)\. Received: tiny_blocks/digits-v2"):
        shelf.find("tiny_blocks/digits-v2")
    with pytest.raises(ZooError, match="none of that name"):
        Shelf(tmp_path / "nowhere").find("tiny_blocks")
    assert not (tmp_path / "nowhere").exists()


def test_two_publications_at_once_get_two_versions(tmp_path, run, other_run, monkeypatch):
    monkeypatch.setattr(Entry, "load_model", lambda self: None)  # outside the lock, and not what is tested here
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda folder: Shelf(tmp_path / "new").publish(folder), [run, other_run]))
    assert sorted(item.address.version for item in done) == [1, 2]
    assert Shelf(tmp_path / "new").verify() == []


def test_a_locked_shelf_is_waited_for_and_then_given_up(shelf, run, monkeypatch):
    monkeypatch.setattr(shelf_module, "LOCK_SECONDS", 0.05)
    with (
        filelock.FileLock(shelf.folder / ".lock"),
        pytest.raises(ZooError, match="Received: another process holds it"),
    ):
        shelf.publish(run)


def test_a_version_can_be_demanded(shelf, run, other_run):
    assert not shelf.publish(run, version=1).created
    with pytest.raises(ZooError, match=r"Expected the files of tiny_blocks/digits-v1 as they were .* --version 1$"):
        shelf.publish(other_run, version=1)
    with pytest.raises(ZooError, match=r"Expected --version 2, the one that follows. Received: 3"):
        shelf.publish(other_run, version=3)
    assert addresses(shelf) == ["tiny_blocks/digits-v1"]
    assert str(shelf.publish(other_run, version=2).address) == "tiny_blocks/digits-v2"
    assert not shelf.publish(other_run, version=2).created


def test_what_changed_is_told_by_manifest_index_and_card(shelf, run, other_run):
    first = (shelf.folder / "tiny_blocks" / "digits-v1" / "README.md").read_text()
    assert "## Versions" not in first  # nothing to say
    done = shelf.publish(other_run, changes="  another\n seed | <b>")
    card = (done.folder / "README.md").read_text()
    assert "| version | changes |\n|---|---|\n| digits-v2 | another seed b |\n| digits-v1 | the first |\n" in card
    assert [item.changes for item in shelf.list()] == [None, "another seed | <b>"]
    assert shelf.find("tiny_blocks").manifest.changes == "another seed | <b>"
    documents = [json.loads(path.read_text()) for path in sorted(shelf.folder.rglob("manifest.json"))]
    assert ["changes" in document for document in documents] == [False, True]
    assert "## Versions" in (shelf.publish(run, tag="other", changes="new data").folder / "README.md").read_text()
    with pytest.raises(ZooError, match=r"at most 500 characters on what changed. Received: 501"):
        shelf.publish(run, changes="x" * 501)
    assert shelf.verify() == []


@pytest.mark.parametrize(
    "name", ["manifest.json/x", "MANIFEST.json/x", "derived.json/x", "model.onnx.partial", "../x", "/x", "a//b", ".x"]
)
def test_a_list_of_files_cannot_name_what_is_not_its_own(name):
    record = {"sha256": "0" * 64, "bytes": 1}
    document = {
        "made": "2026-01-01T00:00:00Z", "weights_sha256": "0" * 64, "parity": {}, "files": {name: record},
    }  # fmt: skip
    with pytest.raises(ZooError, match="Expected a valid files"):
        parse_document(json.dumps(document).encode(), Derived, "derived.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"published": "2026-01-01T00:00:00"},
        {"genotype": "sha256:[/a]"},
        {"test_accuracy": 10**400},
        {"test_accuracy": -1},
    ],
)
def test_a_line_of_the_index_that_would_break_the_whole_shelf_is_refused(shelf, changes):
    path = shelf.folder / "index.json"
    document = json.loads(path.read_text())
    document["entries"][0] |= changes
    path.write_text(json.dumps(document))
    with pytest.raises(ZooError, match=f"Expected a valid entries.0.{next(iter(changes))}"):
        shelf.list()


def test_an_accuracy_that_is_none_stops_nobody(shelf, entry_copy):
    metrics = json.loads((entry_copy / "metrics.json").read_text())
    (entry_copy / "metrics.json").write_text(json.dumps({**metrics, "test_accuracy": 10**400}))
    assert shelf.publish(entry_copy, tag="huge").created
    assert [item.test_accuracy for item in shelf.list()] == [91.25, None]
