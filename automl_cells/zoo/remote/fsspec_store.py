"""A store in any file system that fsspec knows: s3://, gs://, hf:// and others."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from automl_cells.errors import ZooError
from automl_cells.zoo.remote.store import MissingError, Patience, UnreachableError, patiently, scheme_of

_PIECE = 8 << 20
_FLAT = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "oss", "oci", "memory"}
"""File systems without folders; in some of them, making a folder would make a bucket."""
_PASSING = {"HTTPClientError", "ConnectionError", "ClientConnectionError", "ClientPayloadError", "FSTimeoutError"}
"""Failures that may pass, of packages that need not be installed, by the names of their classes."""


class FsspecStore:
    """A shelf in a file system of fsspec. Keys and endpoints come from where its package looks for them."""

    writable = True

    def __init__(self, address: str, patience: Patience, options: Mapping[str, Any]) -> None:
        import fsspec

        self.address = address.rstrip("/")
        self.patience = patience
        self._scheme = scheme_of(address)
        try:
            # no listing may be older than the question: publishers go by what stands there now
            self._fs, root = fsspec.core.url_to_fs(
                self.address, skip_instance_cache=True, use_listings_cache=False, **{**self._defaults(), **options}
            )
        except Exception as error:
            raise ZooError(
                f"Expected a store at {self.address}. Received: {type(error).__name__}: {_line(error)}"
            ) from None
        self._root = root.rstrip("/")
        # where fsspec runs the requests itself, it can also bound the time they take
        self._timeout = {"timeout": 10 * patience.read} if self._fs.async_impl else {}

    def _defaults(self) -> dict[str, Any]:
        if self._scheme not in ("s3", "s3a"):
            return {}
        waiting = {"connect_timeout": self.patience.connect, "read_timeout": self.patience.read}
        return {"config_kwargs": {**waiting, "retries": {"max_attempts": 1}}}

    def read(self, path: str, limit: int) -> bytes:
        """See `Store.read`."""
        return patiently(lambda: self._read(path, limit), self.patience)

    def pieces(self, path: str, start: int, stop: int) -> Generator[tuple[int, bytes], None, None]:
        """See `Store.pieces`."""
        with self._translated(path):
            position, full = start, self._full(path)
            stop = min(stop, self._fs.info(full, **self._timeout)["size"])  # to ask for more is an error in S3
            while position < stop:
                end = min(position + _PIECE, stop)
                piece = self._fs.cat_file(full, start=position, end=end, **self._timeout)[: end - position]
                if not piece:
                    return
                yield position, piece
                position += len(piece)

    def create(self, path: str, content: bytes) -> bool:
        """See `Store.create`; atomic where the file system is (S3, Google's storage), else as good as it can be."""
        with self._translated(path):
            self._folder(path)
            try:
                self._fs.pipe_file(self._full(path), content, mode="create")
            except FileExistsError:
                return False
            except NotImplementedError:
                if self._fs.exists(self._full(path)):
                    return False
                self._fs.pipe_file(self._full(path), content)
        return True

    def write(self, path: str, content: bytes) -> None:
        """See `Store.write`; where there are folders, the file is written beside its place and moved."""
        with self._translated(path):
            if self._scheme in _FLAT:
                self._fs.pipe_file(self._full(path), content)
                return
            self._folder(path)
            beside = f"{self._full(path)}.partial-{uuid.uuid4().hex}"
            self._fs.pipe_file(beside, content)
            self._fs.mv(beside, self._full(path))

    def upload(self, local: str, path: str) -> None:
        """See `Store.upload`."""
        with self._translated(path):
            self._folder(path)
            self._fs.put_file(local, self._full(path))

    def remove(self, path: str) -> None:
        """See `Store.remove`."""
        with self._translated(path), suppress(FileNotFoundError):
            self._fs.rm_file(self._full(path))

    def listing(self) -> Mapping[str, int]:
        """See `Store.listing`."""
        with self._translated(""):
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        start = self._root.lstrip("/") + "/"
        names = {name.lstrip("/"): info for name, info in found.items()}
        return {name.removeprefix(start): info["size"] for name, info in names.items() if name.startswith(start)}

    def _read(self, path: str, limit: int) -> bytes:
        with self._translated(path):
            # asked for first: a server that does not send parts would send a file of any size
            size = self._fs.info(self._full(path), **self._timeout)["size"]
            if size is None or size <= limit:
                content: bytes = self._fs.cat_file(self._full(path), start=0, end=limit + 1, **self._timeout)
                if len(content) <= limit:
                    return content
        raise ZooError(f"Expected at most {limit:,} bytes. Received: {self.address}/{path} with more")

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _folder(self, path: str) -> None:
        if self._scheme not in _FLAT:
            self._fs.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        """Makes one of our errors of whatever a file system raises; they have no base class in common."""
        where = f"{self.address}/{path}".rstrip("/")
        try:
            yield
        except ZooError:
            raise
        except FileNotFoundError as error:
            raise MissingError(f"Expected {where}. Received: {_line(error)}") from None
        except NotImplementedError:
            raise ZooError(f"Expected a store that can be written to, such as s3://. Received: {where}") from None
        except PermissionError as error:
            raise ZooError(f"Expected to be allowed to use {where}. Received: {_line(error)}") from None
        except Exception as error:
            text = f"Expected an answer from {where}. Received: {type(error).__name__}: {_line(error)}"
            passing = _PASSING & {kind.__name__ for kind in type(error).__mro__}
            if passing or isinstance(error, OSError):
                raise UnreachableError(text) from None
            raise ZooError(text) from None


def _line(error: Exception) -> str:
    """The first line of a message, or the name of the class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
