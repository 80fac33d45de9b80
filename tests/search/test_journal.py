import contextlib
import json
import os
import sqlite3
import time
from types import SimpleNamespace

import pytest

from automl_cells.errors import JournalError
from automl_cells.search import journal as module
from automl_cells.search import journal_schema
from automl_cells.search.journal import EVENTS, Journal, Lease

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
        ([FORMAT, ("version", "3"), ("settings", "{}")], "version up to 2. Received: automl_cells/journal version 3$"),
        ([FORMAT, ("version", "0"), ("settings", "{}")], "Received: automl_cells/journal version 0$"),
        ([FORMAT, ("version", "true"), ("settings", "{}")], "Received: automl_cells/journal version True$"),
        ([FORMAT, ("version", '"1"'), ("settings", "{}")], "Received: automl_cells/journal version 1$"),
        ([("format", '"other"'), ("version", "1")], "Received: other version 1$"),
        ([FORMAT, ("version", "1")], "Expected to open the journal .*'settings'"),
        ([("format", 5)], "Expected to open the journal"),
        ([("format", "{")], "Expected to open the journal"),
    ],
)
def test_another_database_or_version_is_refused_and_left_as_it_is(path, meta, message):
    other(path, meta)
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(JournalError, match=message):
            Journal(path, read_only=read_only)
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


def test_a_truncated_file_is_reported_also_with_a_log_beside_it(path):
    """What a killed driver leaves: the file and its write-ahead log, here with the file cut."""
    with Journal(path, SETTINGS) as journal:
        for trial in range(400):
            journal.append(trial, "running", {"note": "x" * 40})
        journal._connection.execute("PRAGMA wal_checkpoint")
        journal.append(400, "running")
        kept = {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal")}
    kept[""] = kept[""][: len(kept[""]) // 2]
    for suffix, content in kept.items():
        path.with_name(path.name + suffix).write_bytes(content)
    with pytest.raises(JournalError, match=r"Expected to (open|read) the journal"), Journal(path) as journal:
        journal.check()


def test_a_new_journal_does_not_take_over_the_log_of_another(path):
    with Journal(path, SETTINGS) as journal:
        journal.append(0, "running")
        log = path.with_name(path.name + "-wal").read_bytes()
    assert len(log) > 0
    path.with_name(path.name + "-wal").write_bytes(log)
    with Journal(path, {"other": True}) as journal:
        assert list(journal.events()) == []
        journal.append(5, "running")
        journal.check()
    with Journal(path) as journal:
        assert journal.settings == {"other": True}
        assert [event.trial for event in journal.events()] == [5]


def test_a_sound_journal_passes_the_check_and_a_damaged_one_does_not(path):
    content = filled(path).read_bytes()
    with Journal(path) as journal:
        journal.check()
        journal._connection.execute("DELETE FROM events WHERE number = 7")
        with pytest.raises(JournalError, match="event 8 where 7 should be"):
            journal.check()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff" * 4096 + content[middle + 4096 :])
    with Journal(path) as journal, pytest.raises(JournalError, match="Expected to read the journal"):
        journal.check()


def test_a_folder_in_its_place_is_no_journal(path):
    path.mkdir()
    with pytest.raises(JournalError, match="Expected to open the journal"):
        Journal(path, SETTINGS)
    with pytest.raises(JournalError, match="no such file"):
        Journal(path)


class TestLeases:
    def test_readers_see_who_has_which_trial(self, path, journal):
        before = time.time()
        journal.renew(3, 0, 111)
        journal.renew(4, 1, 222)
        with Journal(path, read_only=True) as reader:
            leases = reader.leases()
            assert {trial: lease[:3] for trial, lease in leases.items()} == {3: (3, 0, 111), 4: (4, 1, 222)}
            assert all(before <= lease.renewed <= time.time() for lease in leases.values())
            with pytest.raises(JournalError, match=r"Expected to write the journal .*readonly"):
                reader.renew(3, 0, 333)
        assert list(journal.events()) == []

    def test_a_lease_is_live_for_a_minute(self):
        lease = Lease(0, 0, 1, 1000.0)
        assert [lease.live(now) for now in (1000.0, 1059.0, 1061.0)] == [True, True, False]
        assert Lease(0, 0, 1, time.time()).live()
        assert not lease.live()

    def test_renewals_are_written_only_now_and_then_and_another_worker_at_once(self, journal, monkeypatch):
        clock = [1000.0]
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0], time=lambda: clock[0]))
        seen = []
        for now, pid in ((1000.0, 1), (1004.9, 1), (1005.0, 1), (1006.0, 2), (1007.0, 2)):
            clock[0] = now
            journal.renew(0, 0, pid)
            seen.append(journal.leases()[0][2:])
        assert seen == [(1, 1000.0), (1, 1000.0), (1, 1005.0), (2, 1006.0), (2, 1006.0)]

    @pytest.mark.parametrize("event", ["done", "failed", "stale"])
    def test_who_has_its_answer_or_waits_for_a_worker_has_none(self, path, journal, event):
        journal.renew(0, 0, 111)
        journal.renew(1, 1, 222)
        journal.append(0, event)
        assert list(journal.leases()) == [1]
        journal.renew(0, 0, 111)  # at once, the same worker or not
        assert list(journal.leases()) == [0, 1]
        journal.close()
        with Journal(path) as again:  # of a driver that was killed: they go when the trials are stale
            assert list(again.leases()) == [0, 1]
            again.append(0, "stale")
            again.append(1, "stale")
            assert again.leases() == {}

    @pytest.mark.parametrize("event", ["proposed", "running", "repeat"])
    def test_other_events_leave_them_alone(self, journal, event):
        journal.renew(0, 0, 111)
        journal.append(0, event)
        assert list(journal.leases()) == [0]

    def test_a_damaged_table_is_reported(self, journal):
        journal._connection.execute("DROP TABLE leases")
        with pytest.raises(JournalError, match="Expected to read the journal"):
            journal.leases()
        with pytest.raises(JournalError, match="Expected to write the journal"):
            journal.renew(0, 0, 1)


VERSION_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    trial INTEGER NOT NULL,
    event TEXT NOT NULL,
    data TEXT NOT NULL
);
INSERT INTO meta VALUES ('format', '"automl_cells/journal"'), ('version', '1'), ('created', '1750000000.5');
INSERT INTO meta VALUES ('settings', '{"space": {"name": "blockqnn", "options": {}}, "seed": 3}');
INSERT INTO events VALUES (1, 1750000001.0, 0, 'running', '{}');
INSERT INTO events VALUES (2, 1750000002.0, 0, 'stale', '{}');
"""


@pytest.fixture
def version_1(path):
    """A journal as version 1 made it, in the mode in which it was written."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return path


class TestMigration:
    def test_a_journal_of_version_1_becomes_one_of_this_version_and_goes_on(self, version_1):
        with Journal(version_1) as journal:
            assert (journal.version, journal.settings) == (2, SETTINGS)
            journal.append(0, "running")
            journal.renew(0, 0, 5)
            journal.append(0, "done")
            assert journal.leases() == {}
            journal.check()
        with Journal(version_1) as again:
            assert again.version == 2
            events = list(again.events())
            assert [event.event for event in events] == ["running", "stale", "running", "done"]
            assert events[1].time == 1750000002.0
            (created,) = again._connection.execute("SELECT value FROM meta WHERE name = 'created'").fetchone()
            assert created == "1750000000.5"

    def test_its_tables_are_those_of_a_new_journal(self, version_1, tmp_path):
        def tables(journal):
            return sorted(journal._connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL"))

        def plain(rows):
            return [(kind, name, " ".join(sql.split())) for kind, name, sql in rows]

        with Journal(version_1) as old, Journal(tmp_path / "new.sqlite", SETTINGS) as new:
            assert plain(tables(old)) == plain(tables(new))

    def test_who_only_reads_leaves_it_as_it_is(self, version_1):
        before = version_1.read_bytes()
        with Journal(version_1, read_only=True) as reader:
            assert (reader.version, reader.settings, reader.leases()) == (1, SETTINGS, {})
            assert [event.event for event in reader.events()] == ["running", "stale"]
            reader.check()
        assert version_1.read_bytes() == before

    def test_it_can_be_read_while_it_becomes_a_new_one(self, version_1):
        with Journal(version_1, read_only=True) as reader, Journal(version_1) as journal:
            journal.append(0, "running")
            assert len(list(reader.events())) == 3

    def test_a_migration_that_fails_leaves_nothing_behind(self, version_1, monkeypatch):
        connection = sqlite3.connect(version_1)
        before = list(connection.iterdump())
        monkeypatch.setitem(journal_schema._MIGRATIONS, 1, (*journal_schema._MIGRATIONS[1], "INSERT INTO nowhere"))
        with pytest.raises(JournalError, match=r"Expected to open the journal .*Received: "):
            Journal(version_1)
        assert list(connection.iterdump()) == before
        connection.close()
        monkeypatch.undo()
        with Journal(version_1) as journal:
            assert journal.version == 2


@pytest.mark.parametrize(
    "change",
    [
        """data = '{"metrics": NaN}'""", """data = '{"reward": -Infinity}'""", "data = '[1]'", "time = 'x'",
        "trial = 'x'", "event = 'other'", "time = 9e999", f"data = '{'[' * 20_000}'",
    ],
)  # fmt: skip
def test_an_event_of_other_types_is_reported(path, journal, change):
    journal.append(0, "running")
    journal._connection.execute(f"UPDATE events SET {change}")
    with pytest.raises(JournalError, match="Expected to read the journal"):
        list(journal.events())


@pytest.mark.parametrize(
    "settings",
    [
        {"trials": "abc"}, {"trials": True}, {"dataset": "digits"}, {"dataset": {"words": 5}}, {"protocol": {"x": 1}},
        {"reward": {}}, {"space": "blockqnn"}, {"seed": "x"}, {"limits": [1]}, {"template": None},
    ],
)  # fmt: skip
def test_a_setting_of_another_type_is_named(path, settings):
    Journal(path, {}).close()
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE meta SET value = ? WHERE name = 'settings'", (json.dumps(settings),))
    with pytest.raises(JournalError, match=rf"Expected to open the journal .*the setting {next(iter(settings))} "):
        Journal(path, read_only=True)
