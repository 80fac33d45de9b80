"""The maintainers' comparison of searches: runs that go on where they stopped, networks of equal size, its tables."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from rich.console import Console

from automl_cells.builder import cost, plan
from automl_cells.errors import SearchError
from automl_cells.genotypes import load, to_document
from automl_cells.search.journal import Journal
from tests.search.synthetic import block

TOOLS = Path(__file__).parents[2] / "tools"

COMMAND = """
import json, os, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(parents=True, exist_ok=True)
(out / "calls").open("a").write(json.dumps([sys.argv[1:], sorted(os.sched_getaffinity(0))]) + "\\n")
sys.exit(3 if "fail" in sys.argv else 0)
"""


@pytest.fixture(scope="module")
def proof():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        spec = importlib.util.spec_from_file_location("proof", TOOLS / "proof.py")
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "proof", module)  # where dataclasses look for their module
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def runs(proof, monkeypatch):
    """The module of the runs, with another command in the place of the package's."""
    module = sys.modules["proof_runs"]
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", COMMAND))
    return module


def calls(run):
    return [json.loads(line) for line in (run.out / "calls").read_text().splitlines()]


def quiet():
    return Console(file=io.StringIO(), width=200)


def test_each_run_is_done_once_on_one_core(runs, tmp_path):
    several = [runs.Run(tmp_path / name, ("train", name), True) for name in "abc"]
    console = quiet()
    runs.perform(several, console)
    runs.perform(several, console)
    for run in several:
        ((arguments, cores),) = calls(run)
        assert arguments == ["train", run.out.name, "--out", str(run.out)]
        assert len(cores) == 1
        assert run.done
    lines = console.file.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["1/3", "2/3", "3/3"]
    assert lines[-1].endswith("done, 0 minutes left")


def test_other_arguments_are_another_run(runs, tmp_path):
    first, second = (runs.Run(tmp_path / "a", ("train", word), True) for word in ("8", "60"))
    runs.perform([first], quiet())
    assert not second.done
    runs.perform([second], quiet())
    assert [arguments[:2] for arguments, _ in calls(second)] == [["train", "60"]]
    assert "--resume" not in calls(second)[0][0]
    assert second.done
    assert not first.done


@pytest.mark.parametrize(("resumable", "before", "goes_on"), [(True, 8, True), (True, 9, False), (False, 8, False)])
def test_what_was_interrupted_goes_on_or_begins_anew(runs, tmp_path, resumable, before, goes_on):
    run = runs.Run(tmp_path / "a", ("search", "8"), resumable)
    run._replace(arguments=("search", str(before))).arguments_file.write_text(json.dumps(["search", str(before)]))
    run.out.mkdir()
    (run.out / "kept").touch()
    runs.perform([run], quiet())
    assert (run.out / "kept").exists() == goes_on
    ((arguments, _),) = calls(run)
    assert ("--resume" in arguments) == goes_on


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_what_is_compared_by_time_begins_together_or_not_at_all(runs, tmp_path):
    pair = [runs.Run(tmp_path / name, ("search",), False) for name in "ab"]
    runs.perform(pair, quiet(), together=True)
    assert calls(pair[0])[0][1] != calls(pair[1])[0][1]
    (pair[0].out / "done.json").unlink()
    (pair[1].out / "old").touch()
    runs.perform(pair, quiet(), together=True)
    assert not (pair[1].out / "old").exists()
    with pytest.raises(SearchError, match=r"Expected a core for each of 1000 searches\. Received: \d+$"):
        runs.perform([runs.Run(tmp_path / str(n), (), False) for n in range(1000)], quiet(), together=True)


def test_a_run_that_fails_is_said_with_its_log(runs, tmp_path):
    run = runs.Run(tmp_path / "a", ("fail",), True)
    with pytest.raises(SearchError, match=rf"Received: a: status 3, see {tmp_path / 'a.log'}$"):
        runs.perform([run], quiet())
    assert not run.done


def sizes(genotype, frame):
    own = cost(plan(genotype, frame))
    return own.parameters, own.flops


@pytest.mark.parametrize("where", ["blockqnn", "nasnet", "metaqnn"])
def test_random_ones_have_about_as_many_multiply_adds(proof, where):
    frame = proof.frame_of(where)
    options = {"input_shape": (28, 28, 1), "filter_multiplier": 0.125} if where == "metaqnn" else {}
    drawn = sys.modules["proof_genotypes"].strategy(
        "random", sys.modules["proof_genotypes"].space(where, **options), 10, 7
    )
    asked = [drawn.ask(np.random.default_rng(number), number).genotype for number in range(21)]
    wanted = sorted(asked, key=lambda genotype: cost(plan(genotype, frame)).flops)[9:12]
    others = proof.alike(where, wanted, frame, 0)
    assert others == proof.alike(where, wanted, frame, 0)
    assert len({genotype.hash for genotype in [*wanted, *others]}) == len(wanted) + len(others)
    assert not {sizes(genotype, frame) for genotype in wanted} & {sizes(other, frame) for other in others}
    for genotype, other in zip(wanted, others, strict=True):
        ratio = cost(plan(other, frame)).flops / cost(plan(genotype, frame)).flops
        assert 0.6 < ratio < 1.6


def trained(run, accuracy, flops=100):
    (run.out / "entry").mkdir(parents=True)
    (run.out / "entry" / "metrics.json").write_text(json.dumps({"test_accuracy": accuracy, "flops": flops}))
    (run.out / "done.json").write_text(json.dumps({"seconds": 9.0, "arguments": run.arguments}))


def searched(run, accuracies, genotype_of=block):
    run.out.mkdir(parents=True)
    with Journal(run.out / "journal.sqlite", {"trials": 10}) as journal:
        for number, accuracy in enumerate(accuracies):
            data = {"proposal": number, "genotype": to_document(genotype_of(number)), "decisions": [number], "info": {}}
            journal.append(number, "proposed", data)
            metrics = {"accuracy": accuracy, "flops": 10.0 * (number + 1)}
            answer = {"reward": accuracy - 1, "metrics": metrics, "seconds": 1.0, "failure": None, "details": {}}
            journal.append(number, "done", answer)
    (run.out / "done.json").write_text(json.dumps({"seconds": 481.0, "arguments": run.arguments}))


@pytest.fixture
def table(proof, tmp_path, monkeypatch, capsys):
    """What ``proof.py table`` prints, given more options."""
    monkeypatch.setattr(proof, "SPACES", (("blockqnn", (0,)),))

    def printed(*options):
        words = ["proof.py", "table", "--data", str(tmp_path), "--work", str(tmp_path), *options]
        monkeypatch.setattr(sys, "argv", words)
        proof.main()
        return json.loads(capsys.readouterr().out)

    return printed


@pytest.fixture
def whole(proof, tmp_path):
    """The comparison that `table` shows."""
    return proof.Proof(tmp_path.resolve(), tmp_path.resolve(), 8.0, 30, 12, quiet())


def test_the_table_says_what_is_done(proof, whole, table):
    """Blocks of accuracy 50, 60, 70, 80 after a short training, 51, 53, 52, 54 after a full one: Spearman 0.8."""
    guided, random = whole.searches("blockqnn", 0)
    assert table() == {"search": [], "transfer": {}}
    searched(guided, [50.0, 90.0])
    searched(random, [50.0, 60.0, 70.0, 80.0])
    assert table()["rank"] == {"blocks": 0, "test_accuracy": []}
    for run, accuracy in zip(proof.rank_runs(whole), [51.0, 53.0, 52.0, 54.0], strict=True):
        trained(run, accuracy)
    for run, accuracy in zip(proof.top_runs(whole)[:2], [80.0, 84.0], strict=True):  # two were found
        trained(run, accuracy)
    measured = table()
    (row,) = measured["search"]
    assert row["guided"] == {
        "seconds": 481.0,
        "candidates": 2,
        "best_reward": 89.0,
        "best_accuracy": 90.0,
        "mean_accuracy_of_ten_best": 70.0,
        "test_accuracy": 80.0,
    }
    assert row["random"]["candidates"] == 4
    assert "test_accuracy" not in row["random"]
    assert measured["top"]["found"] == {"values": [80.0, 84.0], "mean": 82.0, "standard_error": 2.0, "flops": [100] * 2}
    assert measured["top"]["random"]["mean"] is None
    assert measured["rank"]["blocks"] == 4
    assert measured["rank"]["accuracy"]["spearman"] == 0.8
    assert measured["rank"]["flops"]["spearman"] == 0.8


def test_the_table_does_not_mix_what_was_done_with_other_options(proof, whole, table):
    for run in whole.searches("blockqnn", 0):
        searched(run, [50.0, 60.0])
    trained(proof.top_runs(whole)[0], 80.0)
    assert table()["top"]["found"]["values"] == [80.0]
    assert table("--epochs", "60")["top"]["found"]["values"] == []
    assert table("--minutes", "9") == {"search": [], "transfer": {}}


def test_found_ones_are_transferred_beside_random_ones_of_as_many_multiply_adds(proof, whole, table, monkeypatch):
    monkeypatch.setattr(proof, "SPACES", (("blockqnn", (0,)), ("nasnet", (0,))))
    for where, genotype_of in (("blockqnn", block), ("nasnet", lambda number: load("nasnet_a"))):
        for run in whole.searches(where, 0):
            searched(run, [50.0], genotype_of)
    assert list(table()["transfer"]) == ["block", "cell"]  # a search in colour is still to come
    searched(whole.colour_search(0), [50.0, 60.0])
    for name in ("block", "cell", "colour"):
        pair = proof.transfer_runs(whole, name)
        assert [run.out.name for run in pair] == [f"tiny-{name}-found-0", f"tiny-{name}-random-0"]
        files = [run.arguments[1] for run in pair]
        assert files[0] != files[1]
        trained(pair[0], 20.0)
    colour = proof.transfer_runs(whole, "colour")[0].arguments
    assert load(colour[1]).hash == block(1).hash
    assert colour[colour.index("--template") + 1] == "imagenet"
    transferred = table()["transfer"]
    assert [transferred[name]["found"]["values"] for name in ("block", "cell", "colour")] == [[20.0]] * 3
    assert transferred["cell"]["random"]["values"] == []


def test_a_search_that_found_nothing_is_said(whole, table, capsys):
    guided, random = whole.searches("blockqnn", 0)
    searched(guided, [50.0])
    searched(random, [])
    with pytest.raises(SystemExit, match="2"):
        table()
    assert capsys.readouterr().err.startswith("Error: Expected a candidate that succeeded in ")


@pytest.mark.parametrize("words", [["--minutes", "nan"], ["--epochs", "0"], ["--tiny-epochs", "0"], ["--json", "."]])
def test_bad_options_are_refused_first(proof, tmp_path, monkeypatch, capsys, words):
    monkeypatch.setattr(
        sys, "argv", ["proof.py", "search", "--data", str(tmp_path), "--work", str(tmp_path / "work"), *words]
    )
    with pytest.raises(SystemExit, match="2"):
        proof.main()
    assert capsys.readouterr().err.startswith("Error: Expected ")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("rank", "Expected a search that was brought to its end (part search). Received: "),
        ("search", "Expected Fashion-MNIST in the layout of keras.datasets. Received: "),
    ],
)
def test_what_is_missing_is_an_error_of_one_line(proof, tmp_path, monkeypatch, capsys, part, message):
    monkeypatch.setattr(sys, "argv", ["proof.py", part, "--data", str(tmp_path), "--work", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        proof.main()
    error = capsys.readouterr().err
    assert error.startswith(f"Error: {message}")
    assert error.count("\n") == 1


def test_two_do_not_work_in_one_folder(table, tmp_path, capsys):
    with FileLock(tmp_path / ".lock"), pytest.raises(SystemExit, match="2"):
        table()
    assert "Expected a work folder that no other run is using. Received: " in capsys.readouterr().err


def test_cells_are_searched_on_the_same_images_with_a_quarter_of_the_pixels(proof, tmp_path):
    images = np.arange(2 * 28 * 28, dtype=np.uint32).reshape(2, 28, 28) % 251
    labels = np.array([3, 7])
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:1], "y_test": labels[:1]}
    np.savez(tmp_path / "fashion_mnist.npz", **{name: array.astype(np.uint8) for name, array in arrays.items()})
    (tmp_path / "work").mkdir()
    comparison = proof.Proof(tmp_path, tmp_path / "work", 1, 1, 1, quiet())
    comparison.halve()
    cells, blocks = (comparison.searches(where, 0)[0].arguments for where in ("nasnet", "blockqnn"))
    assert str(tmp_path / "work" / "fashion_14.npz") in cells[cells.index("--dataset") + 1]
    assert str(tmp_path / "fashion_mnist.npz") in blocks[blocks.index("--dataset") + 1]
    with np.load(tmp_path / "work" / "fashion_14.npz", allow_pickle=False) as archive:
        assert archive["x_train"].shape == (2, 14, 14)
        assert archive["x_train"].dtype == np.uint8
        assert archive["x_train"][1, 13, 0] == round(images[1, 26:28, 0:2].mean())
        assert archive["y_train"].tolist() == [3, 7]
