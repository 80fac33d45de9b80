"""The local cache of stores: where it lies, and whether the network may be used.

    <cache>/<store>/index.json                    the index of the store as it was last read
    <cache>/<store>/<name>/<tag>-v<N>/…           entries that were pulled, whole and checked
    <cache>/<store>/<name>/.partial-<tag>-v<N>/…  one that is being pulled, or whose pull broke off

A folder in it is laid out like a shelf, so `automl_cells.zoo.Shelf` and ordinary tools can look into it.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "AUTOML_CELLS_CACHE"
OFFLINE_VARIABLE = "AUTOML_CELLS_OFFLINE"


def cache_folder() -> Path:
    """The folder in the environment variable ``AUTOML_CELLS_CACHE``, else one in the user's cache folder."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    return Path(platformdirs.user_cache_dir("automl_cells", appauthor=False)) / "zoo"


def store_folder(address: str, cache: Path | None = None) -> Path:
    """The folder of one store in the cache.

    Example:
        >>> store_folder("https://example.org/zoo", Path("cache")).name
        'https-example-org-zoo-98714e1d67fa'
    """
    readable = re.sub(r"[^A-Za-z0-9]+", "-", address).strip("-")[:60]
    return (cache or cache_folder()) / f"{readable}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def offline() -> bool:
    """Whether ``AUTOML_CELLS_OFFLINE`` forbids the network."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")
