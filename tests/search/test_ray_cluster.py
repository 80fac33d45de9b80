"""Joining and starting a Ray cluster: addresses at which none is, and a Ray that does not do as it is told."""

import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from automl_cells.errors import SearchError
from automl_cells.search.executors.ray import RayExecutor
from automl_cells.search.executors.ray_cluster import probe
from tests.search.synthetic import Behaving

pytest.importorskip("ray", reason="ray is not installed: pip install 'automl-cells[ray]'")


@pytest.fixture
def listener():
    """A server at 127.0.0.1 that says what it is told to whoever connects."""
    servers = []

    def serve(words):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                if words:
                    connection.sendall(words)
                else:
                    connection.recv(1000)  # until the other one goes away

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        return f"127.0.0.1:{server.getsockname()[1]}", thread

    yield serve
    for server in servers:
        server.close()


def test_an_address_at_which_nobody_answers_is_refused_soon(listener, monkeypatch):
    monkeypatch.setattr("automl_cells.search.executors.ray_cluster._PATIENCE", 0.5)
    address, thread = listener(b"")
    start = time.monotonic()
    with pytest.raises(SearchError, match=rf"that answers at {address} within 0\.5 s\. Received: timed out$"):
        probe(address)
    assert time.monotonic() - start < 10
    thread.join(10)


def test_an_address_at_which_somebody_else_answers_is_refused(listener):
    address, thread = listener(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(SearchError, match=rf"^Expected a Ray cluster at {address}\. Received: an answer that is not"):
        probe(address)
    thread.join(10)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "head:70000", "ray://head:10001"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(SearchError, match=rf"as HOST:PORT\. Received: {address}$"):
        RayExecutor(Behaving(), address=address)


@pytest.fixture
def pretended(monkeypatch):
    """A Ray that does not start; a function says what its `init` does."""
    import ray

    calls = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("shutdown"))

    def pretend(init):
        monkeypatch.setattr(ray, "init", lambda **options: calls.append(options) or init())
        return calls

    return pretend


def test_a_ray_of_its_own_that_listens_to_the_network_is_ended_and_refused(pretended):
    calls = pretended(lambda: SimpleNamespace(address_info={"gcs_address": "192.0.2.1:6379"}))
    with pytest.raises(SearchError, match=r"^Expected Ray to start on this machine\. Received: .*at 192\.0\.2\.1:6379"):
        RayExecutor(Behaving(), 3, cpus_per_trial=1.5)
    assert calls[0]["_node_ip_address"] == "127.0.0.1"
    assert calls[0]["num_cpus"] == 5
    assert calls[1:] == ["shutdown"]


def test_a_cluster_that_cannot_be_joined_is_refused(pretended, monkeypatch):
    def refuses():
        raise ConnectionError("Failed to connect to Ray cluster at head:6379\nand more")

    monkeypatch.setattr("automl_cells.search.executors.ray_cluster.probe", lambda address: None)
    calls = pretended(refuses)
    with pytest.raises(SearchError, match=r"node of which must run on this machine too\. Received: .* at head:6379$"):
        RayExecutor(Behaving(), address="head:6379")
    assert calls[0]["address"] == "head:6379"
    assert calls[1:] == ["shutdown"]


def test_without_ray_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SearchError, match=r"^Expected Ray .*pip install 'automl-cells\[ray\]'.* Received: "):
        RayExecutor(Behaving())
