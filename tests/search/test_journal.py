import json
import os
import sqlite3
import time

import pytest

from automl_cells.errors import JournalError
from automl_cells.search.journal import EVENTS, Journal

SETTINGS = {"space": {"name": "blockqnn", "options": {}}, "seed": 3}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path):
    with Journal(path, SETTINGS) as journal:
        yield journal


def filled(path, events=400):
    """A journal of several pages, closed."""
    with Journal(path, SETTINGS) as journal:
        for trial in range(events):
            journal.append(trial, "running", {"note": "x" * 40})
    return path


def test_events_come_back_in_their_order(journal):
    before = time.time()
    for trial, event in enumerate(EVENTS):
        journal.append(trial, event, {"reward": 0.1 + 0.2, "decisions": (1, (2, 3)), "name": "φ", "nothing": None})
    journal.append(0, "stale")
    found = list(journal.events())
    assert [event.number for event in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [(event.trial, event.event) for event in found] == [*enumerate(EVENTS), (0, "stale")]
    assert found[0].data == {"reward": 0.1 + 0.2, "decisions": [1, [2, 3]], "name": "φ", "nothing": None}
    assert found[-1].data == {}
    assert all(before <= event.time <= time.time() for event in found)


def test_it_is_there_when_it_is_opened_again(path, journal):
    journal.append(0, "running")
    journal.close()
    with Journal(path) as again:
        assert again.settings == SETTINGS
        again.append(0, "stale")
        assert [event.event for event in again.events()] == ["running", "stale"]


def test_it_can_be_read_while_it_is_written_but_not_written(path, journal):
    journal.append(0, "running")
    with Journal(path, read_only=True) as reader:
        assert reader.settings == SETTINGS
        assert len(list(reader.events())) == 1
        journal.append(1, "running")
        assert len(list(reader.events())) == 2
        with pytest.raises(JournalError, match=r"Expected to write the journal .*readonly"):
            reader.append(2, "running")
    assert len(list(journal.events())) == 2


def test_it_can_be_read_where_nobody_may_write(path, monkeypatch):
    filled(path, 3)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with Journal(path, read_only=True) as reader:
        assert len(list(reader.events())) == 3
        assert [file.name for file in path.parent.iterdir()] == [
            path.name
        ]  # SQLite's shared files cannot be made there


def test_nothing_is_left_beside_it(path):
    filled(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_full_disk_is_reported_and_nothing_is_lost(path, journal):
    journal.append(0, "running")
    (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
    journal._connection.execute(f"PRAGMA max_page_count={pages}")

    def fill():
        for trial in range(1, 1000):
            journal.append(trial, "running", {"note": "x" * 100})

    with pytest.raises(JournalError, match=r"Expected to write the journal .*Received: .*full"):
        fill()
    written = [event.trial for event in journal.events()]
    assert written == list(range(len(written)))
    journal.close()
    with Journal(path) as again:
        assert [event.trial for event in again.events()] == written
        again.append(len(written), "running")


def test_what_is_not_a_number_is_never_written(journal):
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append(0, "done", {"reward": float("nan")})
    assert list(journal.events()) == []


def test_no_journal_there(path):
    for read_only in (False, True):
        with pytest.raises(JournalError, match=r"Expected the journal of a search\. Received: .*\(no such file\)$"):
            Journal(path, read_only=read_only)
    assert not path.exists()


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(JournalError, match="Expected to open the journal"):
        Journal(tmp_path / "file" / "journal.sqlite", SETTINGS)


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\x00" + b"junk" * 300])
def test_what_is_no_journal_is_refused_and_left_as_it_is(path, content):
    path.write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(JournalError, match="Expected to open the journal"):
            Journal(path, read_only=read_only)
    assert path.read_bytes() == content


def other(path, meta):
    """Someone else's SQLite file with a table of that name."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE meta (name, value)")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
    connection.close()


FORMAT = ("format", '"automl_cells/journal"')


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ([], "Received: None version None$"),
        ([FORMAT, ("version", "2"), ("settings", "{}")], "Received: automl_cells/journal version 2$"),
        ([("format", '"other"'), ("version", "1")], "Received: other version 1$"),
        ([FORMAT, ("version", "1")], "Expected to open the journal .*'settings'"),
        ([("format", 5)], "Expected to open the journal"),
        ([("format", "{")], "Expected to open the journal"),
    ],
)
def test_another_database_or_version_is_refused_and_left_as_it_is(path, meta, message):
    other(path, meta)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=message):
        Journal(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_reported(path, kept):
    content = filled(path).read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(JournalError, match=r"Expected to (open|read) the journal"), Journal(path) as journal:
        list(journal.events())


def test_a_damaged_file_never_raises_anything_else(path):
    content = filled(path).read_bytes()
    step = len(content) // 60
    reported = 0
    for start in range(0, len(content) - step, step):
        path.write_bytes(content[:start] + b"\xff" * step + content[start + step :])
        try:
            with Journal(path) as journal:
                list(journal.events())
        except JournalError:
            reported += 1
    assert reported > 40  # the rest was free space


def test_an_event_that_is_missing_in_the_middle_is_reported(path, journal):
    for trial in range(3):
        journal.append(trial, "running")
    journal._connection.execute("DELETE FROM events WHERE number = 2")
    with pytest.raises(JournalError, match=r"Expected to read the journal .*Received: event 3 where 2 should be$"):
        list(journal.events())


@pytest.mark.parametrize("data", ["'{'", "x'ff'"])
def test_an_event_whose_data_are_no_json_is_reported(path, journal, data):
    journal.append(0, "running")
    journal._connection.execute(f"UPDATE events SET data = {data}")
    with pytest.raises(JournalError, match="Expected to read the journal"):
        list(journal.events())


def test_settings_are_kept_as_json(path):
    with Journal(path, {"filters": (1, 2), "resolution": 0.1}) as journal:
        assert journal.settings == json.loads('{"filters": [1, 2], "resolution": 0.1}')


def test_a_half_made_journal_of_a_driver_that_was_killed_does_no_harm(path):
    path.with_name(f".partial-{path.name}").write_bytes(b"half")
    with Journal(path, SETTINGS) as journal:
        assert list(journal.events()) == []
    assert [file.name for file in path.parent.iterdir()] == [path.name]
