"""A training killed in the middle by SIGKILL, on the command line, goes on and ends with the same number of steps."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

ARGUMENTS = [
    "train", "block_qnn_a", "--dataset", "digits", "--recipe", "fast_no_flip", "--epochs", "8",
    "--set", "batch_size=64", "--repeats", "1", "--filters", "8",
]  # fmt: skip
COMMAND = [sys.executable, "-m", "automl_cells.cli.main", *ARGUMENTS]


def checkpoint_time(folder):
    try:
        return (folder / "checkpoints" / "state.npz").stat().st_mtime_ns
    except FileNotFoundError:
        return None


@pytest.mark.slow
def test_a_training_killed_twice_ends_as_one_that_was_not(tmp_path):
    out = tmp_path / "run"
    kills = 0
    for resume in ([], ["--resume"]):
        process = subprocess.Popen(
            [*COMMAND, "--out", str(out), *resume], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        first = checkpoint_time(out)
        deadline = time.monotonic() + 120
        while checkpoint_time(out) == first and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills == 2
    assert not (out / "entry").exists()
    done = subprocess.run(
        [*COMMAND, "--out", str(out), "--resume"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "entry" / "metrics.json").read_text())
    steps = 1212 // 64
    assert (metrics["epochs"], metrics["steps"]) == (8, 8 * steps)
    history = json.loads((out / "entry" / "history.json").read_text())
    assert [len(values) for values in history.values()] == [8] * 4
    assert metrics["test_accuracy"] > 50
    assert sorted(path.name for path in out.iterdir()) == ["checkpoints", "entry"]
