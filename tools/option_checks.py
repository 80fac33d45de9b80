"""What the scripts in this folder ask of their options before they measure anything."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from automl_cells.errors import SearchError


def at_least(options: argparse.Namespace, **least: int) -> None:
    """Look at whole numbers.

    Args:
        options: of the command line.
        **least: the least that an option may be, by its name.

    Raises:
        SearchError: one is less.
    """
    for name, value in least.items():
        given = getattr(options, name)
        if given < value:
            raise SearchError(f"Expected --{name.replace('_', '-')} from {value}. Received: {given}")


def check_file(path: Path | None) -> None:
    """Look at ``--json``: nobody should measure for an hour and then have nowhere to write it.

    Raises:
        SearchError: a folder, or a file where none can be written.
    """
    if path is None:
        return
    try:
        above = next((folder for folder in path.absolute().parents if folder.exists()), path)
        usable = not path.is_dir() and above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    except OSError:  # a folder that may not be entered
        usable = False
    if not usable:
        raise SearchError(f"Expected a file for --json that can be written. Received: {path}")
