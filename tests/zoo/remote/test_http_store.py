"""A shelf behind a web server, good and bad."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from automl_cells.errors import ZooError
from automl_cells.export import sha256_of_file
from automl_cells.zoo import RemoteShelf, Shelf
from automl_cells.zoo.remote import download
from automl_cells.zoo.remote.store import MissingError, Patience, UnreachableError
from tests.zoo.remote.store_server import (
    answering,
    cut_after,
    dripping,
    other_part,
    silent,
    whole,
)

FOLDER = "tiny_blocks/digits-v1"
WEIGHTS = f"{FOLDER}/model.weights.h5"
QUICK = Patience(connect=5, read=5, attempts=3, backoff=0)


def pulled(web):
    """The addresses of the entries in the cache."""
    return [str(address) for address in Shelf(web.folder).addresses()]


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_an_entry_is_pulled_whole_and_the_same(web, server, shelf):
    assert [str(item.address) for item in web.list()] == [str(a) for a in web.addresses()] == [FOLDER]
    seen = []
    entry = web.find("tiny_blocks", lambda done, total: seen.append((done, total)))
    published = shelf.folder / FOLDER
    assert entry.folder == web.folder / FOLDER
    assert {p.name: p.read_bytes() for p in entry.folder.iterdir()} == {
        p.name: p.read_bytes() for p in published.iterdir()
    }
    assert entry.load_model().output_shape == (None, 10)
    total = sum(record.bytes for record in entry.manifest.files.values())
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)
    assert web.verify() == []
    assert [path.name for path in entry.folder.parent.iterdir() if path.name.startswith(".partial")] == []
    assert web.place == server.address


def test_a_warm_cache_needs_no_network(web, server):
    web.find(FOLDER)
    server.requests.clear()
    web.find(FOLDER)
    assert server.requests == []
    web.find("tiny_blocks/digits")
    assert server.paths() == ["index.json"]
    server.shutdown()
    server.server_close()
    assert str(web.find(FOLDER).address) == FOLDER
    with pytest.raises(UnreachableError, match="Expected an answer from http://127"):
        web.find("tiny_blocks")


def test_offline_the_cache_answers_and_nothing_else(web, server, shelf, other_run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("AUTOML_CELLS_OFFLINE", "1")
        with pytest.raises(ZooError, match=r"Expected the index of .* since AUTOML_CELLS_OFFLINE is set"):
            web.find("tiny_blocks")
        assert server.requests == []
    web.find("tiny_blocks")
    shelf.publish(other_run)
    web.list()
    count = len(server.requests)
    monkeypatch.setenv("AUTOML_CELLS_OFFLINE", "1")
    assert str(web.find(FOLDER).address) == FOLDER
    assert len(web.list()) == 2
    with pytest.raises(ZooError, match=r"Expected tiny_blocks/digits-v2 in the cache, since AUTOML_CELLS_OFFLINE"):
        web.find("tiny_blocks")
    with pytest.raises(ZooError, match="Expected to be allowed to ask"):
        web.verify()
    assert len(server.requests) == count


def test_a_file_that_breaks_off_is_resumed(web, server, shelf):
    server.faults[WEIGHTS] = [cut_after(1000), cut_after(500), cut_after(10**9)]
    entry = web.find("tiny_blocks")
    assert sha256_of_file(entry.weights) == sha256_of_file(shelf.folder / WEIGHTS)
    assert [asked for path, asked in server.requests if path == WEIGHTS] == [None, "bytes=1000-", "bytes=1500-"]


def test_a_later_process_goes_on_where_one_gave_up(web, server):
    server.faults[WEIGHTS] = [cut_after(1000), cut_after(0)]
    with pytest.raises(UnreachableError, match="1,000"):
        web.find("tiny_blocks")
    assert pulled(web) == []
    server.faults.clear()
    server.requests.clear()
    again = RemoteShelf(server.address, cache=web.folder.parent, patience=QUICK)
    assert again.find("tiny_blocks").load_model() is not None
    assert (WEIGHTS, "bytes=1000-") in server.requests
    assert f"{FOLDER}/genotype.json" not in server.paths()  # finished the first time


def test_the_start_of_another_file_is_dropped(web, server):
    server.faults[WEIGHTS] = [cut_after(1000), cut_after(0)]
    with pytest.raises(UnreachableError):
        web.find("tiny_blocks")
    (partial,) = web.folder.rglob("*.h5.partial")
    partial.write_bytes(b"x" * 1000)
    server.faults.clear()
    server.requests.clear()
    web.find("tiny_blocks")
    assert [asked for path, asked in server.requests if path == WEIGHTS] == ["bytes=1000-", None]


def test_a_part_longer_than_the_file_is_dropped(web, server, shelf):
    server.faults[WEIGHTS] = [cut_after(1000), cut_after(0)]
    with pytest.raises(UnreachableError):
        web.find("tiny_blocks")
    (partial,) = web.folder.rglob("*.h5.partial")
    partial.write_bytes(b"x" * ((shelf.folder / WEIGHTS).stat().st_size + 1))
    server.faults.clear()
    assert web.find("tiny_blocks").load_model() is not None


@pytest.mark.parametrize("second", [whole, other_part])
def test_a_server_that_sends_no_parts_does_not_harm(web, server, shelf, second):
    server.faults[WEIGHTS] = [cut_after(1000), second]
    entry = web.find("tiny_blocks")
    assert entry.weights.read_bytes() == (shelf.folder / WEIGHTS).read_bytes()


def test_a_server_that_always_breaks_off_at_the_same_byte_is_given_up(web, server):
    server.faults[WEIGHTS] = [cut_after(1000, ranges=False)]
    with pytest.raises(UnreachableError, match="then the end"):
        web.find("tiny_blocks")
    assert server.paths().count(WEIGHTS) == QUICK.attempts
    assert pulled(web) == []


def test_large_files_may_break_off_more_often_than_there_are_attempts(web, server, monkeypatch):
    monkeypatch.setattr(download, "_ENOUGH", 1000)
    server.faults[WEIGHTS] = [cut_after(1000)]
    assert web.find("tiny_blocks").load_model() is not None
    assert server.paths().count(WEIGHTS) > QUICK.attempts


def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(web, server, tmp_path):
    server.faults[WEIGHTS] = [dripping(50)]
    assert web.find("tiny_blocks").load_model() is not None
    server.faults[WEIGHTS] = [silent]
    impatient = Patience(connect=5, read=0.2, attempts=2, backoff=0)
    other = RemoteShelf(server.address, cache=tmp_path / "other", patience=impatient)
    with pytest.raises(UnreachableError, match="timed out"):
        other.find("tiny_blocks")
    assert pulled(other) == []


def test_what_is_missing_is_not_asked_for_twice(web, server, shelf):
    (shelf.folder / WEIGHTS).unlink()
    with pytest.raises(MissingError, match=r"Expected http.*model.weights.h5. Received: the answer 404"):
        web.find("tiny_blocks")
    assert server.paths().count(WEIGHTS) == 1
    (shelf.folder / "index.json").unlink()
    with pytest.raises(MissingError, match=r"Expected a shelf, with index.json"):
        web.list()
    assert pulled(web) == []


def test_a_failure_that_passes_is_met_again_and_another_is_not(web, server):
    server.faults["index.json"] = [answering(503), answering(500), whole]
    assert len(web.list()) == 1
    server.requests.clear()
    server.faults["index.json"] = [answering(403)]
    with pytest.raises(ZooError, match="the answer 403"):
        web.list()
    assert server.paths() == ["index.json"]
    server.faults["index.json"] = [answering(503)]
    with pytest.raises(UnreachableError, match="the answer 503"):
        web.list()


def test_a_damaged_entry_in_the_cache_is_pulled_anew(web, server):
    entry = web.find("tiny_blocks")
    entry.weights.write_bytes(b"rubbish")
    assert web.find(FOLDER).load_model() is not None
    (entry.folder / "model.json").write_text("{")
    assert web.find("tiny_blocks").load_model() is not None
    assert pulled(web) == [FOLDER]


def test_threads_that_pull_at_once_download_once(web, server):
    shelves = [RemoteShelf(server.address, cache=web.folder.parent, patience=QUICK) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        entries = list(pool.map(lambda one: one.find("tiny_blocks"), shelves))
    assert {entry.folder for entry in entries} == {web.folder / FOLDER}
    assert server.paths().count(WEIGHTS) == 1


def test_processes_that_pull_at_once_download_once(web, server):
    server.faults[WEIGHTS] = [dripping(100)]
    program = """
import sys
from automl_cells.zoo import RemoteShelf
print(RemoteShelf(sys.argv[1], cache=sys.argv[2]).find("tiny_blocks").folder)
"""
    command = [sys.executable, "-c", program, server.address, str(web.folder.parent)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0].strip() for process in running]
    assert answers == [str(web.folder / FOLDER)] * 2
    assert server.paths().count(WEIGHTS) == 1
