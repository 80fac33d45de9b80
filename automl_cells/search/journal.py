"""The journal of a search: one SQLite file that only the driver writes, one row an event, nothing ever changed.

Everything a search knows is in it. Resuming is reading it again from the first row. Events of a trial:

    proposed   number of the proposal, genotype, decisions, the strategy's notes
    running    handed to a worker
    done       metrics, reward, seconds
    failed     why, and the reward floor that the strategy was told
    repeat     a later proposal of the same genotype: its decisions and notes; it was told the stored reward
    stale      the driver stopped, or the worker was lost, before an answer came; the trial runs again

Beside the events the journal keeps, of each trial that a worker process has at present, when that worker was last heard
of: its lease. A running trial whose lease was not renewed of late has lost its worker, or the driver is gone.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from automl_cells.errors import JournalError
from automl_cells.search.journal_schema import FORMAT, SCHEMA, VERSION, migrate

EVENTS = ("proposed", "running", "done", "failed", "repeat", "stale")

_RELEASES = ("done", "failed", "stale")  # events after which no worker has the trial

LIVE_SECONDS = 60.0
"""A worker that was heard of so long ago is taken to be alive: it signs every few seconds, busy machines are slow."""

_RENEW_EVERY = 5.0  # seconds between two renewals of a lease that are written


_TYPES = (dict, float, int)  # of an event's data, time and trial

_NAMED = ("space", "strategy", "protocol")  # settings that are JSON objects with a name


class Event(NamedTuple):
    """One row: its number from 1, Unix time in seconds, 0-based trial, kind of event, JSON data."""

    number: int
    time: float
    trial: int
    event: str
    data: dict[str, Any]


class Lease(NamedTuple):
    """Who has a trial: number and process id of the worker, Unix time in seconds of its last sign of life."""

    trial: int
    worker: int
    pid: int
    renewed: float

    def live(self, now: float | None = None) -> bool:
        """Whether the worker was heard of within the last `LIVE_SECONDS`."""
        return (time.time() if now is None else now) - self.renewed <= LIVE_SECONDS


class Journal:
    """An open journal.

    One of an earlier version becomes one of this version when it is opened to be written.

    Args:
        path: the SQLite file.
        settings: given, a new journal is made and keeps them; not given, an existing one is opened.
        read_only: open without the right to write (while a search runs, say).

    Attributes:
        settings: what the search was started with.
        version: of the tables, see `journal_schema`.

    Raises:
        JournalError: the file cannot be made, opened or written, or is not a journal of this version or an earlier one.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any] | None = None, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self._renewed: dict[int, tuple[int, float]] = {}  # of each trial: process id, time.monotonic
        if settings is None and not self.path.is_file():
            raise JournalError(f"Expected the journal of a search. Received: {self.path} (no such file)")
        try:
            if settings is not None:
                self._create(settings)
            self._connection = sqlite3.connect(self._uri(read_only), uri=True, isolation_level=None, timeout=30)
        except (sqlite3.Error, OSError, ValueError) as error:
            raise self._error("open", error) from None
        try:
            # First: what is no journal is left as it is.
            self.settings, self.version = self._read_meta()
            if not read_only:
                if self.version < VERSION:
                    migrate(self._connection, self.version)
                    self.version = VERSION
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
        except JournalError:
            self.close()
            raise
        except (sqlite3.Error, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
            self.close()
            raise self._error("open", error) from None

    def _uri(self, read_only: bool) -> str:
        mode = "ro" if read_only else "rw"
        if read_only and not os.access(self.path.parent, os.W_OK) and not Path(f"{self.path}-wal").exists():
            mode += "&immutable=1"  # nobody writes here, and SQLite cannot make the files it shares with a writer
        return f"{self.path.absolute().as_uri()}?mode={mode}"

    def _read_meta(self) -> tuple[dict[str, Any], int]:
        rows = self._connection.execute("SELECT * FROM meta")
        meta = {name: json.loads(value, parse_constant=_no_constant) for name, value in rows}
        version = meta.get("version")
        if meta.get("format") != FORMAT or type(version) is not int or not 1 <= version <= VERSION:
            expected = f"{FORMAT} of a version up to {VERSION}"
            raise JournalError(
                f"Expected {self.path} to be {expected}. Received: {meta.get('format')} version {version}"
            )
        return _checked(meta["settings"]), version

    def _create(self, settings: Mapping[str, Any]) -> None:
        """Make the file beside its place and rename it, so that a journal without its schema never exists."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".partial-{self.path.name}")
        temporary.unlink(missing_ok=True)
        try:
            connection = sqlite3.connect(temporary)
            try:
                with connection:
                    connection.execute("BEGIN")
                    for statement in SCHEMA:
                        connection.execute(statement)
                    meta = {"format": FORMAT, "version": VERSION, "settings": dict(settings), "created": time.time()}
                    rows = [(name, json.dumps(value)) for name, value in meta.items()]
                    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
            finally:
                connection.close()
            for suffix in ("-wal", "-shm"):  # of an empty journal whose driver was killed: they belong to no other file
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def _error(self, verb: str, error: Exception) -> JournalError:
        return JournalError(f"Expected to {verb} the journal {self.path}. Received: {error}")

    def append(self, trial: int, event: str, data: Mapping[str, Any] | None = None) -> None:
        """Write one event, durably against the end of the process.

        Raises:
            JournalError: it cannot be written (disk full, folder read-only); the journal keeps what it had.
        """
        assert event in EVENTS
        try:
            self._connection.execute(
                "INSERT INTO events (time, trial, event, data) VALUES (?, ?, ?, ?)",
                (time.time(), trial, event, json.dumps(dict(data or {}), allow_nan=False)),
            )
        except sqlite3.Error as error:
            raise self._error("write", error) from None
        if event in _RELEASES:
            self._renewed.pop(trial, None)

    def change(self, **settings: Any) -> None:
        """Write down settings that are others from now on (those that may change on resume).

        Raises:
            JournalError: it cannot be written.
        """
        self.settings |= settings
        try:
            self._connection.execute(
                "UPDATE meta SET value = ? WHERE name = 'settings'", (json.dumps(self.settings, allow_nan=False),)
            )
        except sqlite3.Error as error:
            raise self._error("write", error) from None

    def renew(self, trial: int, worker: int, pid: int) -> None:
        """Note that a worker has a trial and is alive; what comes too soon after the last time is not written.

        Raises:
            JournalError: it cannot be written.
        """
        known, when = self._renewed.get(trial, (None, 0.0))
        now = time.monotonic()
        if known == pid and now - when < _RENEW_EVERY:
            return
        try:
            self._connection.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (trial, worker, pid, time.time())
            )
        except sqlite3.Error as error:
            raise self._error("write", error) from None
        self._renewed[trial] = (pid, now)

    def leases(self) -> dict[int, Lease]:
        """By trial, which workers have one at present; none in a journal of version 1.

        Raises:
            JournalError: the file is damaged.
        """
        if self.version < 2:
            return {}
        try:
            return {row[0]: Lease(*row) for row in self._connection.execute("SELECT * FROM leases ORDER BY trial")}
        except (sqlite3.Error, TypeError) as error:
            raise self._error("read", error) from None

    def check(self) -> None:
        """Look at all of the file.

        Raises:
            JournalError: SQLite's ``PRAGMA integrity_check`` finds fault, or an event cannot be read.
        """
        try:
            faults = [row[0] for row in self._connection.execute("PRAGMA integrity_check")]
        except sqlite3.Error as error:
            raise self._error("read", error) from None
        if faults != ["ok"]:
            raise self._error("read", ValueError(f"{faults[0]} (and {len(faults) - 1} more faults)"))
        for _ in self.events():
            pass

    def events(self) -> Iterator[Event]:
        """All events in the order in which they were written.

        Raises:
            JournalError: the file is damaged.
        """
        try:
            decode = json.JSONDecoder(parse_constant=_no_constant).decode  # one for all: making one takes as long
            rows = self._connection.execute("SELECT * FROM events ORDER BY number")
            for expected, (number, when, trial, event, data) in enumerate(rows, start=1):
                if number != expected:
                    raise ValueError(f"event {number} where {expected} should be")
                known = decode(data)
                if (type(known), type(when), type(trial)) != _TYPES or event not in EVENTS or not math.isfinite(when):
                    raise ValueError(f"event {number}: {event!r:.40} of trial {trial!r:.40} at {when!r:.40}")
                yield Event(number, when, trial, event, known)
        except (
            sqlite3.Error,
            ValueError,
            TypeError,
            RecursionError,
            MemoryError,
        ) as error:  # a record may claim any size
            raise self._error("read", error) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _no_constant(name: str) -> None:
    """NaN and infinities, which Python reads and JSON does not have; a journal never writes them."""
    raise ValueError(f"{name} where a number should be")


def _checked(settings: Any) -> dict[str, Any]:
    """The settings of a journal, each of its type; any may be missing, and there may be others.

    Raises:
        ValueError: they are damaged, or another program's.
    """
    if not isinstance(settings, dict):
        raise ValueError(f"settings {settings!r:.80}")
    kinds: dict[str, type] = {"reward": str, "seed": int, "trials": int, "template": dict, "limits": dict}
    for name, value in settings.items():
        if name in _NAMED:
            sound = isinstance(value, dict) and isinstance(value.get("name"), str)
        elif name == "dataset":
            sound = isinstance(value, dict) and isinstance(value.get("words"), str)
        else:
            sound = name not in kinds or type(value) is kinds[name]
        if not sound:
            raise ValueError(f"the setting {name} {value!r:.80}")
    return settings
