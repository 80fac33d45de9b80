"""tools/serve_web.py: the page, the list of models and the models, and nothing else."""

import http.client
import json
from urllib.parse import urlsplit

import pytest


def get(site, path, method="GET"):
    """Status, headers and body; the path goes out as it is, unlike with libraries that tidy it."""
    connection = http.client.HTTPConnection(urlsplit(site).netloc, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_models_are_listed_and_served(site, models):
    status, headers, body = get(site, "/models.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    listed = {model["name"]: model for model in json.loads(body)["models"]}
    assert set(listed) == {"cifar", "mnist"}
    status, headers, body = get(site, f"/{listed['mnist']['file']}")
    assert body == (models / "mnist" / "model.onnx").read_bytes()
    assert len(body) == listed["mnist"]["bytes"] == int(headers["Content-Length"])


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_their_types_and_the_page_is_shut_off_from_others(site, path, type):
    status, headers, body = get(site, path)
    assert (status, headers["Content-Type"]) == (200, type)
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert get(site, path, "HEAD")[1]["Content-Length"] == str(len(body))
    assert get(site, path, "HEAD")[2] == b""


@pytest.mark.parametrize(
    "path",
    [
        "/../index.json",
        "/%2e%2e/index.json",
        "/..%2findex.json",
        "/models/../../setup.py",
        "/models/%2e%2e/model.onnx",
        "/models/mnist/parity.json",
        "/.gitignore",
        "/missing.html",
        "//etc/passwd",
        "/models/",
        "/%00",
    ],
)
def test_nothing_else_can_be_read(site, path):
    assert get(site, path)[0] == 404


def test_a_link_out_of_the_folder_is_not_followed(serve_web, tmp_path):
    (tmp_path / "secret.onnx").write_bytes(b"secret")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "model.onnx").symlink_to(tmp_path / "secret.onnx")
    assert serve_web.list_models(shelf) == []
    (shelf / "model.int8.onnx").write_bytes(b"x")
    assert serve_web.list_models(shelf) == [{"name": ". (int8)", "file": "models/model.int8.onnx", "bytes": 1}]


def test_the_server_listens_on_this_machine_only(serve_web):
    with serve_web.make_server() as server:
        assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["foo", "*", "http://host"])
def test_what_is_no_address_of_a_file_is_answered(site, path):
    assert get(site, path)[0] == 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "missing"], "Expected --models FOLDER. Received: missing"),
        (["--port", "99999"], "Expected --port from 0 to 65535. Received: 99999"),
        (["--port", "x"], "Expected arguments as --help says. Received: "),
    ],
)
def test_bad_input_is_one_line_and_status_2(serve_web, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        serve_web.main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
