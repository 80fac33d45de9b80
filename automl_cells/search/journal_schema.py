"""The tables of a journal, and how those of earlier versions become them.

Version 1 had no leases. A journal knows its version; one of an earlier version is migrated, in one transaction, when a
driver opens it, and read as it is by those who only read.
"""

from __future__ import annotations

import json
import sqlite3

FORMAT = "automl_cells/journal"
VERSION = 2

# One row a trial that a worker has at present. They are no events: who reads the events needs none of them.
_LEASES = (
    """
CREATE TABLE leases (
    trial INTEGER PRIMARY KEY,
    worker INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    renewed REAL NOT NULL
)
""",
    """
CREATE TRIGGER released AFTER INSERT ON events WHEN NEW.event IN ('done', 'failed', 'stale')
BEGIN DELETE FROM leases WHERE trial = NEW.trial; END
""",
)

SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    trial INTEGER NOT NULL,
    event TEXT NOT NULL,
    data TEXT NOT NULL
)
""",
    *_LEASES,
)

_MIGRATIONS = {1: _LEASES}  # from each version to the next


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from `version` to the present one, wholly or not at all.

    Args:
        connection: in autocommit mode.
        version: what the journal says it is.

    Raises:
        sqlite3.Error: it cannot be done; the journal is as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for earlier in range(version, VERSION):
            for statement in _MIGRATIONS[earlier]:
                connection.execute(statement)
        connection.execute("UPDATE meta SET value = ? WHERE name = 'version'", (json.dumps(VERSION),))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("ROLLBACK")
        raise
