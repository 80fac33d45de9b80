"""Candidates looked up in a table: the numbers, the cache, what is no table, and the real one where it is at hand."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from automl_cells.errors import DataError, GenotypeError, SearchError
from automl_cells.evaluation import Limits, from_spec, table
from automl_cells.evaluation.table import TableEvaluator
from automl_cells.genotypes import BlockGenotype, NasBench201Genotype
from automl_cells.search.executors.base import Job
from automl_cells.search.executors.serial import SerialExecutor

DATA = Path(os.environ.get("AUTOML_CELLS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
REAL = DATA / "nas_tables" / "nasbench201.csv.gz"

CONVOLUTIONS = NasBench201Genotype(("nor_conv_3x3",) * 6)
POOLS = NasBench201Genotype(("avg_pool_3x3",) * 6)
NOTHING = NasBench201Genotype(("none",) * 6)

HEADER = "index,arch_str,c10_valid_12ep,c10_test_12ep,c10_test_200ep,params_c10,flops_c10,unique_str"
LINES = (
    f"0,{CONVOLUTIONS.architecture},69.078,70.5,93.76,1531546,220119690,a",
    f"1,{POOLS.architecture},40.5,41,55.25,73306,7783050,b",
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a table of the lines given, by default a good one; ``name`` says where and how."""

    def write(*lines: str, name: str = "table.csv") -> Path:
        text = "\n".join(lines or (HEADER, *LINES)) + "\n"
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        return path

    return write


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_metrics_by_hand(write: Write, name: str) -> None:
    evaluator = TableEvaluator(write(name=name))
    evaluation = evaluator.evaluate(CONVOLUTIONS, 3)
    assert evaluation.failure is None
    assert evaluation.metrics == {
        "accuracy": 69.078,
        "test_accuracy": 93.76,
        "parameters": 1531546,
        "flops": 220119690,
    }
    assert evaluator.known(POOLS) == {"parameters": 73306, "flops": 7783050}
    assert evaluator.evaluate(POOLS, 0).metrics == evaluator.evaluate(POOLS, 1).metrics
    assert evaluator.chance == 10.0


def test_other_columns(write: Write) -> None:
    evaluator = TableEvaluator(write(), reward_column="c10_test_12ep", test_column="c10_valid_12ep")
    metrics = evaluator.evaluate(POOLS, 0).metrics
    assert (metrics["accuracy"], metrics["test_accuracy"]) == (41, 40.5)


def test_the_data_set_chooses_columns_and_chance(write: Write) -> None:
    header = "arch_str,in16_valid_12ep,in16_test_200ep,params_in16,flops_in16"
    evaluator = TableEvaluator(write(header, f"{POOLS.architecture},20.5,30.5,7,8"), "in16")
    assert evaluator.evaluate(POOLS, 0).metrics == {
        "accuracy": 20.5,
        "test_accuracy": 30.5,
        "parameters": 7,
        "flops": 8,
    }
    assert evaluator.chance == pytest.approx(100 / 120)


def test_an_architecture_that_is_not_there_fails(write: Write) -> None:
    evaluator = TableEvaluator(write())
    evaluation = evaluator.evaluate(NOTHING, 0)
    assert evaluation.metrics == evaluator.known(NOTHING) == {}
    assert evaluation.failure == "table.csv does not hold this architecture"


def test_limits_are_checked_on_the_table(write: Write) -> None:
    evaluator = TableEvaluator(write())
    assert evaluator.allows(POOLS, Limits(max_params=100_000))
    assert not evaluator.allows(CONVOLUTIONS, Limits(max_params=100_000))
    assert not evaluator.allows(CONVOLUTIONS, Limits(max_flops=220_119_689))


def test_another_process_can_make_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(name="some.csv.gz")
    monkeypatch.chdir(path.parent)
    spec = json.loads(json.dumps(TableEvaluator("some.csv.gz", test_column="c10_test_12ep").spec()))
    monkeypatch.chdir("/")
    again = from_spec(spec)
    assert isinstance(again, TableEvaluator)
    assert again.evaluate(POOLS, 0).metrics["test_accuracy"] == 41
    assert again.spec() == spec


def test_an_executor_takes_it(write: Write) -> None:
    executor = SerialExecutor(TableEvaluator(write()))
    executor.submit(Job(0, CONVOLUTIONS, 1))
    executor.submit(Job(1, BlockGenotype(()), 1))
    good, bad = executor.next_result(), executor.next_result()
    assert good.evaluation.metrics["accuracy"] == 69.078
    assert bad.evaluation.failure == "GenotypeError: Expected a cell of NAS-Bench-201. Received: a block"


def test_a_file_is_read_once_until_it_changes(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    really = table._opened
    monkeypatch.setattr(table, "_opened", lambda path: opened.append(path) or really(path))
    path = write()
    for _ in range(3):
        TableEvaluator(path)
    assert len(opened) == 1
    write(HEADER, LINES[0].replace("69.078", "70"))
    assert TableEvaluator(path).evaluate(CONVOLUTIONS, 0).metrics["accuracy"] == 70
    assert len(opened) == 2


def test_a_genotype_of_another_kind_is_refused(write: Write) -> None:
    evaluator = TableEvaluator(write())
    for method in (evaluator.known, lambda genotype: evaluator.evaluate(genotype, 0)):
        with pytest.raises(GenotypeError, match=r"a cell of NAS-Bench-201\. Received: a block"):
            method(BlockGenotype(()))


@pytest.mark.parametrize("dataset", ["cifar10", "", None, "C10"], ids=repr)
def test_an_unknown_data_set_is_refused(write: Write, dataset: str) -> None:
    with pytest.raises(SearchError, match=r"a data set among \['c10', 'c100', 'in16'\]\. Received: "):
        TableEvaluator(write(), dataset)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["hello"], r"the columns \['arch_str', 'c10_valid_12ep', .* Received: 'hello'"),
        ([""], r"the columns \['arch_str', .* Received: ''"),
        ([HEADER], r"at least one architecture in .* Received: none"),
        ([HEADER.replace("params_c10", "size"), *LINES], r"the columns \['params_c10'\] in .* Received: 'index, "),
        ([HEADER, *LINES, LINES[0]], r"one line an architecture in .* Received: \|nor_conv_3x3~0\|.* twice"),
        ([HEADER, "0,resnet,1,2,3,4,5,a"], r"line 2 of .*Expected an architecture .* Received: 'resnet'"),
        ([HEADER, LINES[0], "1"], r"line 3 of .*Expected an architecture .* Received: None"),
        ([HEADER, LINES[0].replace("69.078", "good")], r"c10_valid_12ep in line 2 of .* from 0\. Received: 'good'"),
        ([HEADER, LINES[0].replace("69.078", "nan")], r"c10_valid_12ep in line 2 of .* Received: 'nan'"),
        ([HEADER, LINES[0].replace("93.76", "-1")], r"c10_test_200ep in line 2 of .* Received: '-1'"),
        ([HEADER, LINES[0].replace("1531546", "")], r"params_c10 in line 2 of .* Received: ''"),
        ([HEADER, LINES[0].split(",220")[0]], r"flops_c10 in line 2 of .* Received: None"),
    ],
)
def test_what_is_no_table_is_refused_with_the_place(write: Write, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        TableEvaluator(write(*lines))


def test_files_that_cannot_be_read_are_refused(write: Write, tmp_path: Path) -> None:
    whole = write(name="whole.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-20])
    (tmp_path / "plain.csv.gz").write_text(HEADER)
    (tmp_path / "bits.csv.gz").write_bytes(whole[:15] + b"\xff" * 40 + whole[55:])
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.csv").mkdir()
    for name in ("missing.csv", "cut.csv.gz", "plain.csv.gz", "bits.csv.gz", "bytes.csv", "folder.csv"):
        with pytest.raises(DataError, match=rf"a table of NAS-Bench-201\. Received: .*{name}"):
            TableEvaluator(tmp_path / name)


@pytest.fixture(scope="module")
def real() -> Path:
    if not REAL.is_file():
        pytest.skip(f"no NAS-Bench-201 table at {REAL} (AUTOML_CELLS_DATA names the folder of the data)")
    return REAL


def test_the_real_table(real: Path) -> None:
    # Six 3 × 3 convolutions a cell, 15 cells of 16, 32 and 64 filters on 32, 16 and 8 pixels; the stem; two residual
    # blocks that halve the image; 64 · 10 weights and 10 biases. The parameters are the published 1.53 million.
    cells = 15 * 6 * (32**2 * 16**2 * 9)
    stem = 32**2 * 27 * 16
    reductions = 2 * (16**2 * 9 * (16 + 32) * 32 + 16**2 * 16 * 32)
    known = TableEvaluator(real).known(CONVOLUTIONS)
    assert known == {"parameters": 1_531_546, "flops": cells + stem + reductions + 640 + 10}


@pytest.mark.parametrize(("dataset", "best"), [("c10", 94.37), ("c100", 73.51), ("in16", 47.31)])
def test_the_best_of_the_real_table_is_the_published_one(real: Path, dataset: str, best: float) -> None:
    rows = TableEvaluator(real, dataset)._rows
    assert len(rows) == 15_625
    assert max(row[1] for row in rows.values()) == pytest.approx(best, abs=0.006)
