"""What others add to the package: modules that, when they are imported, register spaces, strategies and operations.

Such a module registers with `automl_cells.register_space`, `register_strategy` and `register_operation`. It is imported
when a name is asked for that the package does not know, so that it costs nothing where it is not needed, if it is named

- in the environment variable ``AUTOML_CELLS_EXTENSIONS``, several with commas between, or
- by an installed package, as an entry point of the group ``automl_cells.extensions``.

A program that imports the module itself needs neither. Files never name modules: what is read from elsewhere imports
nothing. Worker processes are told the modules of operations, see `for_workers`; spaces and strategies stay with the
process that drives the search.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, MutableMapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar

from automl_cells.errors import AutoMLCellsError, ExtensionError

VARIABLE = "AUTOML_CELLS_EXTENSIONS"
GROUP = "automl_cells.extensions"
HINT = f"(operations of extensions: set {VARIABLE})"
"""What to do about an operation that is not known here, for messages."""

_imported: set[str] = set()
_for_workers: set[str] = set()

Found = TypeVar("Found")


def find(table: MutableMapping[Any, Found], name: Any) -> Found | None:
    """What has that name in `table`, after the extensions have been imported if need be; ``None`` if nothing has.

    Raises:
        ExtensionError: an extension cannot be imported.
    """
    if name not in table:
        load()
    return table.get(name)


def named() -> list[str]:
    """The modules that the environment and installed packages name."""
    words = os.environ.get(VARIABLE, "").split(",")
    return [*(word.strip() for word in words if word.strip()), *_installed()]


@cache
def _installed() -> tuple[str, ...]:
    """Those of installed packages, which are read once: it takes milliseconds.

    Of an entry point that names an object in a module (``pkg.mod:attr``) it is the module.
    """
    return tuple(point.module for point in entry_points(group=GROUP))


def load(modules: Iterable[str] | None = None) -> None:
    """Import extensions, each once.

    Args:
        modules: their names; by default those that are `named`.

    Raises:
        ExtensionError: one of them cannot be imported; the next call tries it again.
    """
    for module in named() if modules is None else modules:
        if module in _imported:
            continue
        _imported.add(module)  # before it is imported: it may itself ask for names
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # a script may end the program when it is imported
            _imported.discard(module)
            if isinstance(error, AutoMLCellsError):
                raise
            raise ExtensionError(
                f"Expected extensions ({VARIABLE}, or entry points of {GROUP}) that can be imported. "
                f"Received: {module} ({type(error).__name__}: {error})"
            ) from error


def register(table: MutableMapping[str, Any], name: Any, value: Any, what: str) -> None:
    """Put `value` into a table of names.

    Args:
        table: names and what they stand for.
        name: lower-case letters, digits and underscores, a letter first; free, or that of an older version of the
            same thing (a module that is imported again).
        value: has ``__module__`` and ``__qualname__``.
        what: it is, for messages.

    Raises:
        ExtensionError: the name is not as it must be, or taken.
    """
    check_free(table, name, value, what)
    table[name] = value


def check_free(table: MutableMapping[str, Any], name: Any, value: Any, what: str) -> None:
    """Whether `register` would take these; see there for arguments and errors."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ExtensionError(f"Expected {what} with a name of lower-case letters, digits and _. Received: {name!r:.80}")
    taken = table.get(name)
    if taken is not None and _home(taken) != _home(value):
        raise ExtensionError(f"Expected {what} with a name of its own. Received: {name}, which is {_home(taken)}")


def _home(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def needed_by_workers(module: str) -> None:
    """Note that worker processes must import that module, to know what it has registered."""
    _for_workers.add(module)


def for_workers() -> list[str]:
    """The modules that a worker process must import.

    Raises:
        ExtensionError: one of them is a script or a notebook, which only this process has.
    """
    if "__main__" in _for_workers:
        raise ExtensionError(
            "Expected operations to be registered in a module that worker processes can import, or executor='serial'. "
            "Received: operations of the script or notebook itself (__main__)"
        )
    return sorted(_for_workers)
