"""The journal of a search: one SQLite file that only the driver writes, one row an event, nothing ever changed.

Everything a search knows is in it. Resuming is reading it again from the first row. Events of a trial:

    proposed   number of the proposal, genotype, decisions, the strategy's notes
    running    handed to a worker
    done       metrics, reward, seconds
    failed     why, and the reward floor that the strategy was told
    repeat     a later proposal of the same genotype: its decisions and notes; it was told the stored reward
    stale      the driver stopped before an answer came; the trial runs again on resume
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from automl_cells.errors import JournalError

FORMAT = "automl_cells/journal"
VERSION = 1
EVENTS = ("proposed", "running", "done", "failed", "repeat", "stale")

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    trial INTEGER NOT NULL,
    event TEXT NOT NULL,
    data TEXT NOT NULL
);
"""


class Event(NamedTuple):
    """One row: its number from 1, Unix time in seconds, 0-based trial, kind of event, JSON data."""

    number: int
    time: float
    trial: int
    event: str
    data: dict[str, Any]


class Journal:
    """An open journal.

    Args:
        path: the SQLite file.
        settings: given, a new journal is made and keeps them; not given, an existing one is opened.
        read_only: open without the right to write (while a search runs, say).

    Attributes:
        settings: what the search was started with.

    Raises:
        JournalError: the file cannot be made, opened or written, or is not a journal of this version.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any] | None = None, *, read_only: bool = False) -> None:
        self.path = Path(path)
        if settings is None and not self.path.is_file():
            raise JournalError(f"Expected the journal of a search. Received: {self.path} (no such file)")
        try:
            if settings is not None:
                self._create(settings)
            self._connection = sqlite3.connect(self._uri(read_only), uri=True, isolation_level=None, timeout=30)
        except (sqlite3.Error, OSError, ValueError) as error:
            raise self._error("open", error) from None
        try:
            self.settings: dict[str, Any] = self._read_settings()  # first: what is no journal is left as it is
            if not read_only:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
        except JournalError:
            self.close()
            raise
        except (sqlite3.Error, ValueError, TypeError, KeyError, MemoryError) as error:
            self.close()
            raise self._error("open", error) from None

    def _uri(self, read_only: bool) -> str:
        mode = "ro" if read_only else "rw"
        if read_only and not os.access(self.path.parent, os.W_OK) and not Path(f"{self.path}-wal").exists():
            mode += "&immutable=1"  # nobody writes here, and SQLite cannot make the files it shares with a writer
        return f"{self.path.absolute().as_uri()}?mode={mode}"

    def _read_settings(self) -> dict[str, Any]:
        meta = {name: json.loads(value) for name, value in self._connection.execute("SELECT * FROM meta")}
        if meta.get("format") != FORMAT or meta.get("version") != VERSION:
            found = f"{meta.get('format')} version {meta.get('version')}"
            raise JournalError(f"Expected {self.path} to be {FORMAT} version {VERSION}. Received: {found}")
        return dict(meta["settings"])

    def _create(self, settings: Mapping[str, Any]) -> None:
        """Make the file beside its place and rename it, so that a journal without its schema never exists."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".partial-{self.path.name}")
        temporary.unlink(missing_ok=True)
        try:
            connection = sqlite3.connect(temporary)
            try:
                with connection:
                    connection.executescript(_SCHEMA)
                    meta = {"format": FORMAT, "version": VERSION, "settings": dict(settings), "created": time.time()}
                    rows = [(name, json.dumps(value)) for name, value in meta.items()]
                    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
            finally:
                connection.close()
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

    def events(self) -> Iterator[Event]:
        """All events in the order in which they were written.

        Raises:
            JournalError: the file is damaged.
        """
        try:
            rows = self._connection.execute("SELECT * FROM events ORDER BY number")
            for expected, (number, when, trial, event, data) in enumerate(rows, start=1):
                if number != expected:
                    raise ValueError(f"event {number} where {expected} should be")
                yield Event(number, when, trial, event, json.loads(data))
        except (sqlite3.Error, ValueError, TypeError, MemoryError) as error:  # a damaged record may claim any size
            raise self._error("read", error) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
