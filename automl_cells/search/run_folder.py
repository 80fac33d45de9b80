"""The folder of a search: ``journal.sqlite``, ``best.json``, ``search_curve.svg``, ``workers/*.log``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from automl_cells.errors import JournalError, SearchError
from automl_cells.search.journal import Journal, Lease
from automl_cells.search.trials import Trial, trials_of

JOURNAL = "journal.sqlite"
LOCK = ".lock"
_PROBED = 0.5  # seconds, longer than `searching` holds the lock
MAY_CHANGE = ("trials",)  # settings that may differ when a search is resumed


@contextlib.contextmanager
def opened(folder: str | Path, settings: Mapping[str, Any], resume: bool) -> Iterator[Journal]:
    """The journal of a run folder, made or resumed, with the folder locked against a second driver.

    Args:
        folder: the run folder; made if need be.
        settings: JSON-able settings of the search.
        resume: whether a journal that is there may be continued.

    Raises:
        SearchError: the folder holds a search and `resume` is not given, or one with other settings; another process
            is searching there; settings that JSON cannot hold.
        JournalError: the folder or the journal cannot be written.
    """
    folder = Path(folder)
    path = folder / JOURNAL
    settings = _plain(settings)
    lock = FileLock(folder / LOCK, timeout=_PROBED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SearchError(f"Expected no other search to be running in {folder}. Received: one that is") from None
    except OSError as error:
        raise JournalError(f"Expected a folder that can be written to. Received: {folder} ({error.strerror})") from None
    try:
        if path.exists() and (old := _settings_of_used(path)) is not None:
            if not resume:
                raise SearchError(
                    f"Expected a folder without a search, or --resume to continue the one in it. Received: {folder}"
                )
            _compare(old, settings, folder)
            journal = Journal(path)
            journal.change(**{name: settings[name] for name in MAY_CHANGE if name in settings})
        else:
            journal = Journal(path, settings)
        with journal:
            yield journal
    finally:
        lock.release()


def _settings_of_used(path: Path) -> dict[str, Any] | None:
    """The settings of a journal, which is only read; ``None`` of one without events.

    A search that could not start leaves its folder free for another.
    """
    with Journal(path, read_only=True) as journal:
        return None if next(journal.events(), None) is None else journal.settings


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the journal will give them back: tuples become lists."""
    try:
        return json.loads(json.dumps(dict(settings), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SearchError(f"Expected settings and options that JSON can hold. Received: {error}") from None


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    for name in sorted({*old, *new} - set(MAY_CHANGE)):
        one, other = old.get(name), new.get(name)
        if name == "dataset" and one and other:  # the same data may be called by other words
            one, other = one["fingerprint"], other["fingerprint"]
        if one != other:
            raise SearchError(f"Expected the settings of the search in {folder}: {name} {one!r}. Received: {other!r}")


def is_used(folder: str | Path) -> bool:
    """Whether a search has begun in that folder."""
    path = Path(folder) / JOURNAL
    return path.exists() and _settings_of_used(path) is not None


def searching(folder: str | Path) -> bool:
    """Whether a search is running in that folder, as its lock tells, or else its workers' leases.

    Raises:
        JournalError: its lock cannot be tried, and its journal cannot be read.
    """
    lock = FileLock(Path(folder) / LOCK, timeout=0)
    try:
        with lock:
            return False
    except Timeout:
        return True
    except OSError:  # somebody else's folder, which is not to be written to
        return _locked(Path(folder))


def _locked(folder: Path) -> bool:
    """Whether somebody holds the lock of a folder that can only be read; by the leases where locks need writing."""
    try:
        import fcntl  # not on Windows

        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
            return False
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return any(lease.live() for lease in read_leases(folder).values())


def read_leases(folder: str | Path) -> dict[int, Lease]:
    """By trial, the workers that have one at present, also while the search runs; see `Lease.live`.

    Raises:
        JournalError: no search in that folder, or its journal is damaged.
    """
    with _reader(folder) as journal:
        return journal.leases()


def read_run(folder: str | Path) -> tuple[dict[str, Any], list[Trial]]:
    """The settings and the trials of a search, also while it runs.

    Raises:
        JournalError: no search in that folder, or its journal is damaged.
    """
    with _reader(folder) as journal:
        return journal.settings, trials_of(journal.events())


def _reader(folder: str | Path) -> Journal:
    path = Path(folder) / JOURNAL
    if not path.is_file():
        raise JournalError(f"Expected a folder with a search in it ({JOURNAL}). Received: {folder}")
    return Journal(path, read_only=True)
