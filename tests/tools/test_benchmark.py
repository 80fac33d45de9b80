"""The maintainers' benchmark script measures what it says, on few trials."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import random
import sys
from pathlib import Path

import pytest

from automl_cells.builder import cost, plan
from automl_cells.genotypes import BlockGenotype
from automl_cells.genotypes.nasbench201 import OPERATIONS, NasBench201Genotype

SCRIPT = Path(__file__).parents[2] / "tools" / "benchmark.py"


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPT.parent))  # as Python does for a script
        spec = importlib.util.spec_from_file_location("benchmark_script", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def run(benchmark, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *map(str, arguments)])
    benchmark.main()


def test_the_loop_is_measured_for_both_strategies(benchmark):
    result = benchmark.loop(trials=20, runs=2)
    figures = [value for name, value in result.items() if name.startswith(("random", "q_learning"))]
    assert len(figures) == 4
    for figure in figures:
        assert 0 < figure["min"] <= figure["ms_per_trial"] <= figure["max"]


def test_json_goes_to_a_file(benchmark, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(benchmark.BENCHMARKS, "loop", benchmark.Benchmark(lambda options: {"answer": 42}))
    run(benchmark, monkeypatch, "loop", "--json", tmp_path / "loop.json")
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "loop.json").read_text())
    assert json.loads((tmp_path / "loop.json").read_text())["answer"] == 42


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """All cells; the validation accuracy counts the 3 × 3 convolutions, and the test accuracy follows it."""
    path = tmp_path_factory.mktemp("table") / "cells.csv"
    noise = random.Random(0)
    lines = ["arch_str,c10_valid_12ep,c10_test_200ep,params_c10,flops_c10"]
    for operations in itertools.product(OPERATIONS, repeat=6):
        accuracy = 40 + 9 * operations.count("nor_conv_3x3") + noise.random()
        lines.append(f"{NasBench201Genotype(operations).architecture},{accuracy},{accuracy + 1},1,1")
    path.write_text("\n".join(lines))
    return path


def test_strategies_are_compared_on_a_table(benchmark, monkeypatch, capsys, table):
    options = ("--queries", 120, "--seeds", 4, "--processes", 2, "--first-seed", 3, "--table", table)
    run(benchmark, monkeypatch, "tabular", "--strategies", "random,evolution", *options)
    result = json.loads(capsys.readouterr().out)
    assert (result["queries"], result["seeds"], result["first_seed"], result["table"]) == (120, 4, 3, "cells.csv")
    random_search, evolution = result["strategies"]["random"], result["strategies"]["evolution"]
    assert list(evolution["after"]) == ["50", "100", "120"]
    assert evolution["runs"] == random_search["runs"] == 4
    assert evolution["mean"] == evolution["after"]["120"]["mean"] > random_search["mean"] + 5
    error = math.hypot(evolution["standard_error"], random_search["standard_error"])
    above = evolution["mean"] - random_search["mean"]
    assert evolution["above_random_in_standard_errors"] == pytest.approx(above / error)
    assert "above_random" not in random_search
    assert result["ratio"] == pytest.approx((100 - evolution["mean"]) / (100 - random_search["mean"]))
    for figures in result["strategies"].values():
        means = [after["mean"] for after in figures["after"].values()]
        assert means == sorted(means)  # the better by validation is the better by test here


def test_a_run_does_not_depend_on_the_number_of_processes(benchmark, monkeypatch, capsys, table):
    found = []
    for processes in (1, 2):
        options = ("--queries", 10, "--seeds", 3, "--processes", processes, "--table", table)
        run(benchmark, monkeypatch, "tabular", "--strategies", "ppo", *options)
        found.append(json.loads(capsys.readouterr().out)["strategies"]["ppo"])
    assert found[0]["after"] == found[1]["after"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategies", "random,nope"], "Expected a search strategy among ['evolution', "),
        (["--strategies", ""], "Expected a search strategy among ['evolution', "),
        (["--queries", "0"], "Expected --queries from 1. Received: 0"),
        (["--seeds", "-1"], "Expected --seeds from 1. Received: -1"),
        (["--first-seed", "-1"], "Expected --first-seed from 0. Received: -1"),
        (["--dataset", "c1000"], "Expected a data set among ['c10', 'c100', 'in16']. Received: 'c1000'"),
        (["--table", "/no/such/table.csv"], "Expected a table of NAS-Bench-201. Received: /no/such/table.csv"),
        (["--dataset", "c100"], "Expected the columns ['c100_valid_12ep', "),
    ],
)
def test_bad_input_is_one_line_and_status_2(benchmark, monkeypatch, capsys, table, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        run(benchmark, monkeypatch, "tabular", "--table", table, *arguments)
    assert stopped.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"Error: {message}")
    assert output.err.count("\n") == 1


def test_the_headline_of_strategies_is_the_best_one_s_error_over_that_of_random_search(tool):
    headline = tool("benchmark_tabular").headline
    means = {"random": {"mean": 92.0}, "ppo": {"mean": 93.0}, "evolution": {"mean": 94.0}}
    assert headline(means) == 0.75
    assert headline({"random": {"mean": 92.0}}) is None
    assert headline({"ppo": {"mean": 93.0}, "evolution": {"mean": 94.0}}) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nasnet", "--rounds", "0"], "Expected --rounds from 1. Received: 0"),
        (["nasnet", "--batch", "-3"], "Expected --batch from 1. Received: -3"),
        (["deploy", "--exports", "0"], "Expected --exports from 1. Received: 0"),
        (["loop", "--json", "."], "Expected a file for --json that can be written. Received: ."),
    ],
)
def test_what_cannot_be_measured_or_written_is_said_first(benchmark, monkeypatch, capsys, words, message):
    with pytest.raises(SystemExit, match="2"):
        run(benchmark, monkeypatch, *words)
    assert capsys.readouterr().err == f"Error: {message}\n"


def test_a_script_that_fails_is_one_line_after_its_own(benchmark, monkeypatch, capsys, tmp_path):
    script = tmp_path / "fails.py"
    script.write_text("raise SystemExit(3)")
    asked = benchmark.Benchmark(lambda options: benchmark.in_its_own_process(str(script), options))
    monkeypatch.setitem(benchmark.BENCHMARKS, "train", asked)
    with pytest.raises(SystemExit, match="2"):
        run(benchmark, monkeypatch, "train")
    expected = f"Error: Expected {script} to end well. Received: exit status 3, see above\n"
    assert capsys.readouterr().err == expected


def test_options_belong_to_their_benchmark(benchmark, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(benchmark, monkeypatch, "loop", "--queries", 5)
    assert stopped.value.code == 2
    assert "unrecognized arguments: --queries 5" in capsys.readouterr().err


def test_workers_are_compared_with_one(benchmark, monkeypatch, tmp_path):
    run(benchmark, monkeypatch, "scaling", "--workers", "1,2", "--trials-per-worker", 3, "--json", tmp_path / "found")
    found = json.loads((tmp_path / "found").read_text())
    assert found["real"]["1"]["of_linear"] == 1.0
    assert found["ratio"] == min(own["of_linear"] for own in found["real"].values())
    for own in found["real"].values():
        assert 0 < own["utilisation"] < 1
        assert own["driver_ms_per_trial"] > 0
    for own in found["simulated"].values():
        assert 0 < own["generations"] < own["asynchronous"] < 1


def test_utilisation_by_hand(benchmark, monkeypatch):
    scaling = sys.modules["benchmark_scaling"]
    monkeypatch.setattr(scaling, "SIMULATED_TRIALS", 1)
    # Two workers, a candidate of 3 s each, a driver that takes 1 s: from 1 to 4 and from 2 to 5; 6 of 10 seconds.
    # As a generation: both are proposed in 2 s, then trained in 3 s.
    assert scaling.simulated([3.0], 2, 1.0) == {"asynchronous": 0.6, "generations": 0.6}
    # Without a driver all of one length are no worse in generations.
    monkeypatch.setattr(scaling, "SIMULATED_TRIALS", 50)
    assert scaling.simulated([3.0], 4, 0.0) == pytest.approx({"asynchronous": 1.0, "generations": 1.0})


@pytest.mark.parametrize("options", [["--workers", "0"], ["--workers", "two"], ["--trials-per-worker", "0"]])
def test_scaling_refuses_what_is_no_number(benchmark, monkeypatch, capsys, options):
    with pytest.raises(SystemExit) as ended:
        run(benchmark, monkeypatch, "scaling", *options)
    assert ended.value.code == 2
    assert "Expected --workers as numbers from 1" in capsys.readouterr().err


def test_the_first_step_is_compared_with_keras(benchmark, monkeypatch):
    overhead = sys.modules["benchmark_overhead"]
    small = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)])
    frame = overhead.frame_of((8, 8, 1))
    drawn = overhead.random_blocks(frame, 3, 2000)
    assert len({block.hash for block in drawn}) == 3
    assert all(cost(plan(block, frame)).parameters <= 2000 for block in drawn)
    monkeypatch.setattr(overhead, "random_blocks", lambda frame, count, max_params: [small] * count)
    found = overhead.first_step("8x8x1", blocks=2, max_params=2000, rounds=1)
    assert 0 < found["lowest_ratio"] <= found["median_ratio"] <= found["highest_ratio"]
    assert found["ratio"] == pytest.approx(found["ours"]["seconds"] / found["keras"]["seconds"])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, with NumPy 2
def test_the_evaluation_is_compared_with_keras(benchmark, monkeypatch):
    overhead = sys.modules["benchmark_overhead"]
    small = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)])
    monkeypatch.setattr(overhead, "random_blocks", lambda frame, count, max_params: [small] * count)
    found = overhead.evaluation(blocks=2, max_params=2000, rounds=2)
    assert len(found["ours"]["accuracies"]) == len(found["keras"]["seconds_of_each"]) == 2
    assert found["ratio"] == pytest.approx(found["ours"]["seconds"] / found["keras"]["seconds"])
    gaps = [one - other for one, other in zip(found["ours"]["accuracies"], found["keras"]["accuracies"], strict=True)]
    assert found["accuracy_gap"] == pytest.approx(sum(gaps) / 2, abs=0.02)


def test_of_several_parts_the_first_has_the_headline(benchmark, monkeypatch):
    overhead = sys.modules["benchmark_overhead"]
    ratios = {"8x8x1": 0.1, "32x32x3": 0.2, "evaluation": 0.3, "memory": None}

    def measured(part, *options):
        return {"ratio": ratios[options[1] if part == "first_step" else part]}

    monkeypatch.setattr(overhead, "_in_a_process", measured)
    assert overhead.compare(overhead.PARTS, 1, 2000, 1, 1)["ratio"] == 0.2
    assert overhead.compare(("memory", "evaluation"), 1, 2000, 1, 1)["ratio"] == 0.3
    assert overhead.compare(("memory",), 1, 2000, 1, 1)["ratio"] is None


def test_the_memory_of_an_evaluating_process(benchmark, monkeypatch, tmp_path):
    options = ("--parts", "memory", "--candidates", 2, "--json", tmp_path / "found")
    run(benchmark, monkeypatch, "overhead", *options)
    measured = json.loads((tmp_path / "found").read_text())
    found = measured["memory"]
    assert measured["ratio"] == found["ratio"]  # the only part
    assert found["mb_after_5"] == found["mb_at_the_end"] > 100
    assert found["ratio"] == 1


@pytest.mark.parametrize(
    "options", [["--parts", "first"], ["--blocks", "0"], ["--rounds", "-1"], ["--max-params", "9"]]
)
def test_overhead_refuses_what_it_cannot_measure(benchmark, monkeypatch, capsys, options):
    with pytest.raises(SystemExit) as ended:
        run(benchmark, monkeypatch, "overhead", *options)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("Error: Expected ")
