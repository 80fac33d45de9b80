"""The maintainers' benchmark script measures what it says, on few trials."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "benchmark.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_loop_is_measured_for_both_strategies(benchmark):
    result = benchmark.loop(trials=20, runs=2)
    figures = [value for name, value in result.items() if name.startswith(("random", "q_learning"))]
    assert len(figures) == 4
    for figure in figures:
        assert 0 < figure["min"] <= figure["ms_per_trial"] <= figure["max"]


def test_json_goes_to_a_file(benchmark, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "loop", "--json", str(tmp_path / "loop.json")])
    monkeypatch.setitem(benchmark.BENCHMARKS, "loop", lambda: {"answer": 42})
    benchmark.main()
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "loop.json").read_text())
    assert json.loads((tmp_path / "loop.json").read_text())["answer"] == 42
