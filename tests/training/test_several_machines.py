"""MultiWorkerMirroredStrategy over two processes on 127.0.0.1: the same training as in one process."""

import json
import os
import socket
import subprocess
import sys

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("MultiWorkerMirroredStrategy is TensorFlow's", allow_module_level=True)

PROGRAM = """
import json, sys
from automl_cells.builder import template
from automl_cells.datasets import load
from automl_cells.genotypes import load as genotype
from automl_cells.training import recipe, train

frame = template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 1), classes=10)
chosen = recipe("fast_no_flip", epochs=2, batch_size=64, learning_rate=0.02)
result = train(genotype("block_qnn_a"), "digits", frame, chosen, out=sys.argv[1])
print(json.dumps({"loss": result.history["loss"], "replicas": result.metrics["replicas"]}))
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(out, environment):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(out)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    try:
        out, error = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 0, error
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
def test_two_machines_train_as_one(tmp_path):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [
        start(
            tmp_path / "two",
            {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})},
        )
        for index in range(2)
    ]
    first, second = [finish(process) for process in processes]
    alone = finish(start(tmp_path / "one", {}))
    assert first == second
    assert (first["replicas"], alone["replicas"]) == (2, 1)
    assert first["loss"] == pytest.approx(alone["loss"], abs=1e-2)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["checkpoints", "entry"]
