"""The Ray that `RayExecutor` works on: one of its own on this machine, or a cluster that is there already."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from types import ModuleType

from automl_cells.errors import SearchError
from automl_cells.search.executors.devices import available_cpus, visible_gpus

_PATIENCE = 5.0  # seconds for an address to answer
_OBJECT_STORE = 100 * 2**20  # bytes of shared memory of a Ray of our own; only short texts pass through it
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # with empty SETTINGS
_SETTINGS = 4  # the type of the frame that an HTTP/2 server sends first


def import_ray() -> ModuleType:
    """The module ``ray``.

    Raises:
        SearchError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise SearchError(
            f"Expected Ray for executor='ray': pip install 'automl-cells[ray]'. Received: {error}"
        ) from None
    return ray


class RayCluster:
    """A connection of this process to Ray; a process has at most one.

    Without an address it is the one that this process has already, or else a new Ray on this machine, which listens to
    127.0.0.1 only, asks for no token and ends with `close`. What was there before is left as it was.

    Args:
        address: ``HOST:PORT`` of the head of a running cluster. Ray wants one of its nodes on this machine too.
        cpus: cores that a new Ray may give away; by default those of this machine.

    Attributes:
        ray: the module.

    Raises:
        SearchError: Ray is not installed, cannot start, or nobody answers at the address.
    """

    def __init__(self, address: str | None = None, cpus: int | None = None) -> None:
        if address is not None:
            probe(address)
        with _environment({"RAY_AUTH_MODE": "disabled"} if address is None else {}):
            self.ray = import_ray()
            self._ours = not self.ray.is_initialized()
            if not self._ours:
                self._check_same(address)
                return
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
            try:
                with _loopback_kept():
                    if address is not None:
                        self.ray.init(address=address, **quiet)
                    else:
                        context = self.ray.init(
                            address="local",  # whatever RAY_ADDRESS says
                            num_cpus=cpus or available_cpus(),
                            num_gpus=len(visible_gpus()),
                            object_store_memory=_OBJECT_STORE,
                            include_dashboard=False,
                            _node_ip_address="127.0.0.1",
                            **quiet,
                        )
                        if not (where := context.address_info["gcs_address"]).startswith("127.0.0.1:"):
                            raise RuntimeError(f"it listens to the network, at {where}; start one and give its address")
            except (OSError, RuntimeError, ValueError, self.ray.exceptions.RayError) as error:
                self.ray.shutdown()
                what = (
                    "Ray to start on this machine"
                    if address is None
                    else f"to join the Ray cluster at {address}, a node of which must run on this machine too"
                )
                raise SearchError(f"Expected {what}. Received: {_first_line(error)}") from None

    def _check_same(self, address: str | None) -> None:
        there = self.ray.get_runtime_context().gcs_address
        if address is not None and address != there:
            raise SearchError(f"Expected the Ray that this process is connected to, {there}. Received: {address}")

    def room(self, cpus: float, gpus: float) -> int:
        """How many trials of that many cores and GPUs all nodes that are alive could run at once."""
        total = 0
        for node in self.ray.nodes():
            if node["Alive"]:
                wanted = [(node["Resources"].get(name, 0.0), each) for name, each in (("CPU", cpus), ("GPU", gpus))]
                total += min(int(there / each + 1e-6) for there, each in wanted if each > 0)
        return total

    def words(self) -> str:
        """The cores and GPUs of all nodes that are alive, for messages."""
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        cores, gpus = (sum(resources.get(name, 0.0) for resources in alive) for name in ("CPU", "GPU"))
        return f"{len(alive)} nodes with {cores:g} CPUs and {gpus:g} GPUs in all"

    def close(self) -> None:
        """Leave the cluster, or end the Ray of our own. A second call does nothing."""
        if self._ours:
            self._ours = False
            self.ray.shutdown()


def probe(address: str) -> None:
    """Make sure that somebody who speaks Ray's protocol (gRPC, which is HTTP/2) is there.

    Ray itself tries for two minutes and then ends the whole process (measured with Ray 2.60).

    Raises:
        SearchError: not ``HOST:PORT``, nobody answers, or somebody else does.
    """
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise SearchError(f"Expected the address of a Ray cluster as HOST:PORT. Received: {address}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return  # it would answer to a TLS greeting only
            connection.sendall(_HTTP2_GREETING)
            answer = b""
            while len(answer) < len(b"\0\0\0\4") and (more := connection.recv(64)):
                answer += more
    except OSError as error:
        raise SearchError(
            f"Expected a Ray cluster that answers at {address} within {_PATIENCE:g} s. "
            f"Received: {error or type(error).__name__}"
        ) from None
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise SearchError(f"Expected a Ray cluster at {address}. Received: an answer that is not Ray's")


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables that are set for a while, where the user has not set them."""
    new = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


@contextlib.contextmanager
def _loopback_kept() -> Iterator[None]:
    """Keep Ray from replacing 127.0.0.1 by the host's own address.

    It does so on systems where it supports clusters, and a Ray at any other address listens to all interfaces
    (measured with Ray 2.60). Who asks for 127.0.0.1 means it: on one's own machine nothing else is wanted.
    """
    from ray._private import ray_constants

    before = getattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:500]
