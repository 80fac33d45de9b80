"""Serve the web page of zoo/web on this machine, with the ONNX files of a shelf to choose from.

    python tools/serve_web.py [--models SHELF] [--port 8000]

Any static server would do for the page. This one sends two headers more, so that browsers let onnxruntime-web use
threads, gives every file its right type, and lists the ``model.onnx`` and ``model.int8.onnx`` below the shelf as
``models.json``. It listens on 127.0.0.1 only and reads nothing but the page's folder and those files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parents[1]
PAGE = HERE / "zoo" / "web"
RUNTIME = "node_modules/onnxruntime-web"
ADDRESS = "127.0.0.1"
MODELS = ("model.onnx", "model.int8.onnx")
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",  # Python's table lacks it before 3.12
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",  # any other type is compiled only when it has arrived completely
}
HEADERS = {
    # Together they shut the page off from others (it becomes `crossOriginIsolated`), the price of shared memory.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def list_models(shelf: Path) -> list[dict[str, Any]]:
    """The models below a folder as the page wants them: name, address and size, in the order of the names."""
    found = []
    for folder, folders, files in os.walk(shelf):
        folders[:] = [name for name in folders if name != "node_modules" and not name.startswith(".")]
        for file in MODELS:
            path = Path(folder, file)
            if file not in files or _inside(shelf, path) is None:
                continue
            relative = path.relative_to(shelf).as_posix()
            name = Path(folder).relative_to(shelf).as_posix() + (" (int8)" if "int8" in file else "")
            found.append({"name": name, "file": f"models/{relative}", "bytes": path.stat().st_size})
    return sorted(found, key=lambda model: model["name"])


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the page, its list of models, and the models."""

    protocol_version = "HTTP/1.1"  # one connection for the page's many small files
    server_version, sys_version = "serve_web", ""
    timeout = 30  # seconds without a word, after which a connection is closed

    def __init__(self, *arguments: Any, page: Path, models: Path, **options: Any) -> None:
        self.page, self.models = page, models
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send what would come before a file."""
        self._answer(body=False)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing about requests."""

    def _answer(self, body: bool) -> None:
        try:
            address = unquote(urlsplit(self.path).path)
        except ValueError:  # an address that is none, such as http://[bad/
            address = ""
        if not address.startswith("/"):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        if address == "/models.json":
            text = json.dumps({"models": list_models(self.models)}).encode()
            self._headers(TYPES[".json"], len(text))
            if body:
                self.wfile.write(text)
            return
        with contextlib.ExitStack() as stack:
            path = self._file(address)
            file: IO[bytes] | None = None
            if path is not None:
                with contextlib.suppress(OSError):  # gone in the meantime, or not for us to read
                    file = stack.enter_context(path.open("rb"))
            if path is None or file is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self._headers(TYPES.get(path.suffix, "application/octet-stream"), os.fstat(file.fileno()).st_size)
            if body:
                shutil.copyfileobj(file, self.wfile)

    def _file(self, address: str) -> Path | None:
        """The file at an address; ``None`` for what is not there or is nobody's business."""
        parts = address.split("/")[1:]
        if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None  # what is hidden, and every way out of the folder
        if parts[0] == "models":
            return _inside(self.models, self.models.joinpath(*parts[1:])) if parts[-1] in MODELS else None
        return _inside(self.page, self.page.joinpath(*parts) if address != "/" else self.page / "index.html")

    def _headers(self, type: str, length: int) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": type, "Content-Length": str(length), **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()

    def handle_one_request(self) -> None:
        """One request; a browser that closes its connection early is nothing to report."""
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def make_server(port: int = 0, *, models: Path = HERE / "zoo", page: Path = PAGE) -> ThreadingHTTPServer:
    """A server that listens but does not answer yet: call its ``serve_forever``.

    Args:
        port: on 127.0.0.1; 0 for any free one, see the server's ``server_port``.
        models: the folder below which the models are.
        page: the folder of the page.

    Raises:
        OSError: the port is taken.
    """
    handler = partial(Handler, page=page.resolve(), models=models.resolve())
    return ThreadingHTTPServer((ADDRESS, port), handler)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; bad input is one line on stderr and exit status 2.

    Args:
        arguments: instead of ``sys.argv``.
    """
    parser = argparse.ArgumentParser(description="Serve the web page of zoo/web on 127.0.0.1, until Ctrl-C.")
    parser.error = _refuse_arguments  # type: ignore[method-assign]
    parser.add_argument("--models", type=Path, default=HERE / "zoo", metavar="SHELF", help="the folder of models [zoo]")
    parser.add_argument("--port", type=int, default=8000, help="0 for any free one [8000]")
    options = parser.parse_args(arguments)
    if not options.models.is_dir():
        _refuse(f"Expected --models FOLDER. Received: {options.models}, no folder")
    if not 0 <= options.port <= 65535:
        _refuse(f"Expected --port from 0 to 65535. Received: {options.port}")
    if not (PAGE / RUNTIME).is_dir():
        _refuse(f"Expected {RUNTIME} in {PAGE} (npm ci in that folder fetches it). Received: nothing there")
    try:
        server = make_server(options.port, models=options.models)
    except OSError as error:
        _refuse(f"Expected a free --port. Received: {options.port} ({error.strerror})")
    with server:
        count = len(list_models(options.models.resolve()))
        hint = "" if count else "; `automl-cells zoo build NAME` makes one, and the page opens any from the disk"
        print(f"http://{ADDRESS}:{server.server_port}/  ({count} models{hint}; Ctrl-C ends)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _inside(folder: Path, path: Path) -> Path | None:
    """The file that `path` leads to, links followed, if that lies in the folder."""
    try:
        real = path.resolve()
        return real if real.is_relative_to(folder.resolve()) and real.is_file() else None
    except OSError:  # a name that is too long, a loop of links
        return None


def _refuse_arguments(message: str) -> NoReturn:
    """One line like every other refusal, where argparse would print the usage too."""
    _refuse(f"Expected arguments as --help says. Received: {message}")


def _refuse(message: str) -> NoReturn:
    print(f"serve_web.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
