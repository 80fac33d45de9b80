"""Stores: where a shelf can lie besides a local folder. What is read from one is bounded and never trusted.

Two kinds, by the scheme of the address: `http_store` for http:// and https://, which can be read only, and
`fsspec_store` for everything else that fsspec knows (s3://, gs://, hf://, memory://, …).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol, TypeVar

from automl_cells.errors import ZooError

Result = TypeVar("Result")

_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*)://.+")
_PACKAGES = {  # scheme: the module that fsspec needs, and the package to install
    "s3": ("s3fs", "s3fs"),
    "s3a": ("s3fs", "s3fs"),
    "gs": ("gcsfs", "gcsfs"),
    "gcs": ("gcsfs", "gcsfs"),
    "hf": ("huggingface_hub", "huggingface_hub"),
}


class Patience(NamedTuple):
    """How long to wait for a store.

    Attributes:
        connect: seconds for a connection.
        read: seconds without a byte.
        attempts: how often a failure that may pass (a broken connection, a busy server) is met, until it is an error.
        backoff: seconds before the second attempt; twice as many before each further one.
    """

    connect: float = 10.0
    read: float = 30.0
    attempts: int = 4
    backoff: float = 0.5

    def wait(self, failures: int) -> None:
        """Sleep after so many failures, counted from 1."""
        time.sleep(self.backoff * 2 ** (failures - 1))


class MissingError(ZooError):
    """The store answers that there is no such file."""


class UnreachableError(ZooError):
    """No connection, no answer in time, or an answer that breaks off: another attempt may succeed."""


class RangeError(UnreachableError):
    """The store cannot go on from the byte that was asked for: another attempt has to start from the first."""


class Store(Protocol):
    """Where the files of a shelf are.

    Attributes:
        address: with the scheme, without a slash at the end.
        writable: whether the methods from `create` on may be called.
    """

    address: str
    writable: bool
    patience: Patience

    def read(self, path: str, limit: int) -> bytes:
        """The content of a file of at most `limit` bytes.

        Raises:
            MissingError: there is none.
            UnreachableError: no answer.
            ZooError: anything else, or more than `limit` bytes.
        """

    def pieces(self, path: str, start: int, stop: int) -> Generator[tuple[int, bytes], None, None]:
        """The bytes of a file from `start` to `stop`, in pieces, each with its place in the file.

        The first may lie at 0 instead of `start`, where the store sends whole files only. It may end before `stop`,
        never after it. One attempt.

        Raises:
            MissingError: there is none.
            UnreachableError: no answer, or it breaks off.
            ZooError: anything else.
        """

    def create(self, path: str, content: bytes) -> bool:
        """Write a file unless there is one; returns whether it was written."""

    def write(self, path: str, content: bytes) -> None:
        """Write or replace a file."""

    def upload(self, local: str, path: str) -> None:
        """Write or replace a file with the content of a local one."""

    def remove(self, path: str) -> None:
        """Remove a file; it may be missing."""

    def listing(self) -> Mapping[str, int]:
        """All files of the store with their sizes."""


def scheme_of(address: str) -> str | None:
    """The scheme of an address; ``None`` for the path of a folder.

    Raises:
        ZooError: an address that is not well-formed.
    """
    if "://" not in address:
        return None
    match = _SCHEME.fullmatch(address)
    if match is None:
        raise ZooError(f"Expected a folder or an address such as https://host/zoo or s3://bucket/zoo. {_got(address)}")
    return match[1]


def check_scheme(address: str) -> None:
    """Refuse an address whose scheme is unknown, or needs a package that is not installed.

    Raises:
        ZooError: one of the two; the message says what to install.
    """
    scheme = scheme_of(address)
    if scheme in ("http", "https"):
        return
    if scheme in _PACKAGES:
        module, package = _PACKAGES[scheme]
        if find_spec(module) is None:
            raise ZooError(
                f"Expected the package {package} for addresses {scheme}:// (pip install {package}). {_got(address)}"
            )
        return
    from fsspec.registry import available_protocols, known_implementations

    if scheme not in available_protocols():
        raise ZooError(
            f"Expected a folder, https://, s3://, gs://, hf:// or another scheme that fsspec knows. {_got(address)}"
        )
    if "err" in known_implementations.get(scheme, {}):
        from fsspec import get_filesystem_class

        try:
            get_filesystem_class(scheme)
        except ImportError as error:
            raise ZooError(f"Expected the package for addresses {scheme}://: {error}. {_got(address)}") from None


def open_store(address: str, patience: Patience, options: Mapping[str, Any] | None = None) -> Store:
    """The store at an address with a scheme.

    Args:
        address: not that of a local folder.
        patience: how long to wait for it.
        options: arguments of the fsspec file system.

    Raises:
        ZooError: see `check_scheme`, or options that the file system does not take.
    """
    check_scheme(address)
    if scheme_of(address) in ("http", "https"):
        from automl_cells.zoo.remote.http_store import HttpStore

        return HttpStore(address, patience)
    from automl_cells.zoo.remote.fsspec_store import FsspecStore

    return FsspecStore(address, patience, options or {})


def patiently(action: Callable[[], Result], patience: Patience) -> Result:
    """Do it, again after a failure that may pass.

    Raises:
        UnreachableError: every attempt failed.
    """
    for failures in range(1, patience.attempts):
        try:
            return action()
        except UnreachableError:
            patience.wait(failures)
    return action()


def _got(address: str) -> str:
    return f"Received: {address!r:.200}"
