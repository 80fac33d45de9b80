"""Latency is measured: what takes longer is found to take longer, by the clock of the thread."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_cells.builder import plan, template
from automl_cells.builder.plan import PlanBuilder
from automl_cells.errors import ExportError
from automl_cells.evaluation import latency
from automl_cells.evaluation.latency import latency_ms
from automl_cells.genotypes import load


def network(filters: int, size: int = 32):
    net = PlanBuilder((size, size, 3))
    net.conv("second", net.conv("first", 0, filters, 3), filters, 3)
    return net.plan()


def test_a_hundred_times_the_work_takes_longer() -> None:
    small, large = latency_ms(network(8)), latency_ms(network(80))
    assert 0 < 3 * small < large < 1000


def test_it_is_the_lowest_median_of_five_rounds_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [(3, 900, 4), (2, 1, 900), (7, 7, 7), (5, 6, 5), (9, 0, 9)]  # milliseconds; medians 4, 2, 7, 5, 9
    lengths = [length for one in rounds for length in one]
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return sum(lengths[: asked // 2]) / 1000  # asked before and after each run

    monkeypatch.setattr(time, "thread_time", clock)
    monkeypatch.setattr(latency, "ROUND_SECONDS", 0.0)
    assert latency_ms(network(2, 8)) == pytest.approx(2.0)
    assert asked == 2 * len(lengths)  # the warm-up does not look at the clock


def test_a_small_network_runs_as_often_as_a_round_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(time, "thread_time", lambda: asked.append(0) or 0.0)
    assert latency_ms(network(2, 8)) == 0.0
    assert len(asked) > 2 * latency.ROUNDS * latency.LEAST_RUNS


def test_an_open_size_has_no_latency() -> None:
    layers = plan(load("block_qnn_s"), template("cifar", repeats=1, filters=(4,), input_shape=(None, None, 3)))
    with pytest.raises(ExportError, match="input size known"):
        latency_ms(layers)


def test_no_framework_is_loaded_to_measure() -> None:
    program = """
import sys
from automl_cells.builder import plan, template
from automl_cells.evaluation.latency import latency_ms
from automl_cells.genotypes import load
assert latency_ms(plan(load("block_qnn_s"), template("cifar", repeats=1, filters=(4,)))) > 0
loaded = {"keras", "tensorflow", "tf2onnx"} & set(sys.modules)
sys.exit(f"measuring loads {sorted(loaded)}" if loaded else 0)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
