"""A web server on this machine that serves a folder, and can be made to do it badly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Fault = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Sends files, and parts of files where it is asked to, unless a fault is set for the path."""

    server: StoreServer
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.removeprefix("/zoo/")
        self.server.requests.append((path, self.headers.get("Range")))
        faults = self.server.faults.get(path, [])
        fault = faults.pop(0) if len(faults) > 1 else faults[0] if faults else send
        file = self.server.folder / path
        if fault is send and not file.is_file():
            self.send_error(404)
        else:
            fault(self, file.read_bytes() if file.is_file() else b"")
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


class StoreServer(ThreadingHTTPServer):
    """Attributes: `folder` served at /zoo/, `faults` of a path (the last one stays), `requests` so far."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/zoo"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is part of the tests


@contextmanager
def serving(folder: Path) -> Iterator[StoreServer]:
    with StoreServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def start_of(handler: Handler) -> int:
    """The first byte that the request asks for."""
    asked = handler.headers.get("Range")
    return int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0


def head(handler: Handler, length: int | None, start: int = 0, total: int = 0) -> None:
    """Status line and headers; `length` is what they claim."""
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def send(handler: Handler, content: bytes) -> None:
    start = start_of(handler)
    if start >= len(content) > 0:
        handler.send_error(416)
        return
    head(handler, len(content) - start, start, len(content))
    handler.wfile.write(content[start:])


def cut_after(count: int, ranges: bool = True) -> Fault:
    """Hang up after so many bytes."""

    def fault(handler: Handler, content: bytes) -> None:
        start = start_of(handler) if ranges else 0
        head(handler, len(content) - start, start, len(content))
        handler.wfile.write(content[start : start + count])

    return fault


def whole(handler: Handler, content: bytes) -> None:
    """Send the whole file whatever was asked for."""
    head(handler, len(content))
    handler.wfile.write(content)


def other_part(handler: Handler, content: bytes) -> None:
    """Answer a question for the rest with another part."""
    if start_of(handler):
        head(handler, 3, 1, len(content))
        handler.wfile.write(content[1:4])
    else:
        whole(handler, content)


def claiming(length: int | None) -> Fault:
    """Send the whole file, but claim another length, or none."""

    def fault(handler: Handler, content: bytes) -> None:
        head(handler, length)
        handler.wfile.write(content)

    return fault


def sending(content: bytes, kind: str = "text/html") -> Fault:
    """Send something else."""

    def fault(handler: Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return fault


def answering(status: int, **headers: str) -> Fault:
    """Answer with a status and headers, without content."""

    def fault(handler: Handler, _: bytes) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def dripping(count: int) -> Fault:
    """Send the file a few bytes at a time."""

    def fault(handler: Handler, content: bytes) -> None:
        start = start_of(handler)
        head(handler, len(content) - start, start, len(content))
        for position in range(start, len(content), count):
            handler.wfile.write(content[position : position + count])
            handler.wfile.flush()

    return fault


def silent(handler: Handler, content: bytes) -> None:
    """Promise the file, send a little, and nothing more until the client hangs up."""
    head(handler, len(content))
    handler.wfile.write(content[:10])
    handler.wfile.flush()
    handler.connection.settimeout(5)
    handler.rfile.read(1)


def endless(handler: Handler, _: bytes) -> None:
    """Send until the client hangs up, without saying how much."""
    head(handler, None)
    for _ in range(400):  # 100 MB: more than any document may be
        handler.wfile.write(b" " * 250_000)
