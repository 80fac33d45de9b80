"""Fine-tuning a Keras model on two replicas: two trainings in one process, with either batch normalisation."""

import json
import subprocess
import sys

import keras
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("about MirroredStrategy", allow_module_level=True)

PROGRAM = """
import json
from automl_cells.training import check_replicas, recipe

check_replicas(2)  # before TensorFlow runs anything
import automl_cells as ac
from automl_cells.builder import build, template
from automl_cells.datasets import balanced_subset

frame = template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 1), classes=10)
body = build("block_qnn_a", frame, include_top=False)
data = balanced_subset(ac.load_dataset("digits"), 200, 0)
for batch_norm in ("adapt", "frozen"):
    chosen = recipe("finetune", epochs=1)
    metrics = ac.finetune(body, data, recipe=chosen, head_epochs=1, replicas=2, batch_norm=batch_norm).metrics
    print(json.dumps([metrics["replicas"], metrics["epochs"]]))
"""


@pytest.mark.slow
def test_both_phases_run_on_two_replicas():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert found == [[2, 2], [2, 2]]
