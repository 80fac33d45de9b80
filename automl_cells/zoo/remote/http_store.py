"""A store at http:// or https://, read with the standard library.

Not with fsspec: its file system for HTTP reads an answer of any length into memory, unpacks what a server compresses,
and does not say whether a server that was asked for the rest of a file sent the rest or the whole.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

from automl_cells.errors import ZooError
from automl_cells.zoo.remote.store import MissingError, Patience, RangeError, UnreachableError, patiently

_PIECE = 1 << 18
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class HttpStore:
    """A shelf behind a web server: any that serves files; one that sends parts of files makes resuming cheap."""

    writable = False

    def __init__(self, address: str, patience: Patience) -> None:
        parts = urlsplit(address)
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise ZooError(
                "Expected an address such as https://host/zoo, without user name, password, '?' and '#'. "
                f"Received: one with {'a user name' if parts.username else 'another form'}"
            )
        self.address = address.rstrip("/")
        self.patience = patience
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _plain(patience),
            _secure(patience),
            _Redirects(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def read(self, path: str, limit: int) -> bytes:
        """See `Store.read`."""
        return patiently(lambda: self._read(path, limit), self.patience)

    def pieces(self, path: str, start: int, stop: int) -> Generator[tuple[int, bytes], None, None]:
        """See `Store.pieces`."""
        with self._answer(path, start) as answer:
            position = start if answer.status == 206 else 0
            while position < stop and (piece := answer.read1(min(_PIECE, stop - position))):
                yield position, piece
                position += len(piece)
            if position < stop and answer.length:
                raise UnreachableError(
                    f"Expected all of {self.address}/{path}. Received: {position:,} bytes, then the end"
                )

    def create(self, path: str, content: bytes) -> bool:
        """Refused, like all writing."""
        raise self._read_only()

    def write(self, path: str, content: bytes) -> None:
        """Refused."""
        raise self._read_only()

    def upload(self, local: str, path: str) -> None:
        """Refused."""
        raise self._read_only()

    def remove(self, path: str) -> None:
        """Refused."""
        raise self._read_only()

    def listing(self) -> Mapping[str, int]:
        """Refused: a web server does not say what it has."""
        raise self._read_only()

    def _read_only(self) -> ZooError:
        return ZooError(f"Expected a store that can be written to, such as s3://. Received: {self.address}")

    def _read(self, path: str, limit: int) -> bytes:
        content = bytearray()
        with self._answer(path, 0) as answer:
            claimed = answer.length  # what the header says; http.client reads no more than that
            while (
                (claimed or 0) <= limit
                and len(content) <= limit
                and (piece := answer.read1(min(_PIECE, limit + 1 - len(content))))
            ):
                content += piece
        if len(content) > limit or (claimed or 0) > limit:
            raise ZooError(f"Expected at most {limit:,} bytes. Received: {self.address}/{path} with more")
        if claimed is not None and len(content) < claimed:
            raise UnreachableError(
                f"Expected {claimed:,} bytes from {self.address}/{path}. Received: {len(content):,}, then the end"
            )
        return bytes(content)

    @contextmanager
    def _answer(self, path: str, start: int) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request for a file from byte `start` on; what fails while it is read is one of our errors."""
        url = f"{self.address}/{path}"
        # "identity": a compressed answer could grow without bound, and its parts are not parts of the file
        headers = {"User-Agent": "automl_cells", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            request = urllib.request.Request(url, headers=headers)
            with closing(self._opener.open(request, timeout=self.patience.connect)) as answer:
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise ZooError(
                        f"Expected {url} as it is. Received: it packed as {answer.headers['Content-Encoding']}"
                    )
                if answer.status == 206:
                    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
                    if match is None or int(match[1]) != start:
                        raise RangeError(f"Expected {url} from byte {start}. Received: another part")
                elif answer.status != 200:
                    raise ZooError(f"Expected {url}. Received: the answer {answer.status}")
                yield answer
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refusal(error, url) from None
        except ZooError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            text = str(reason) or type(reason).__name__
            if isinstance(reason, ssl.SSLCertVerificationError | http.client.InvalidURL | UnicodeError):
                raise ZooError(f"Expected {url} from a server that can be trusted. Received: {text}") from None
            raise UnreachableError(f"Expected an answer from {url}. Received: {text}") from None

    @staticmethod
    def _refusal(error: urllib.error.HTTPError, url: str) -> ZooError:
        text = f"Expected {url}. Received: the answer {error.code} {error.reason}"
        if error.code in (404, 410):
            return MissingError(text)
        if error.code == 416:
            return RangeError(text)
        return UnreachableError(text) if error.code in _PASSING else ZooError(text)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from a server that proves who it is to one that does not."""

    max_redirections = 5

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            fp.close()
            raise ZooError(f"Expected {req.full_url}. Received: a redirect to {newurl:.200}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _plain(patience: Patience) -> urllib.request.BaseHandler:
    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(patience.read)

    class Handler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req)

    return Handler()


def _secure(patience: Patience) -> urllib.request.BaseHandler:
    class Connection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(patience.read)

    class Handler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            context: Any = ssl.create_default_context()
            return self.do_open(Connection, req, context=context)

    return Handler()
