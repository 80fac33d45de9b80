"""The extensions of examples/extending keep the contracts, and are found by searches, worker processes and commands."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_cells import extensions
from automl_cells.builder import build, cost, plan, template
from automl_cells.builder.block_network import OPERATIONS as BLOCK_PLANNERS
from automl_cells.errors import GenotypeError, SpaceError, StrategyError
from automl_cells.evaluation import proxy_protocol
from automl_cells.genotypes import Block, BlockGenotype, Cell, CellGenotype, dumps, write
from automl_cells.genotypes.block import OPERATIONS as BLOCK_OPERATIONS
from automl_cells.genotypes.cell import REGISTERED
from automl_cells.search import search
from automl_cells.search.defaults import defaults
from automl_cells.spaces import SPACES, Space, space
from automl_cells.strategies import STRATEGIES, strategy
from automl_cells.strategies.base import proposal
from tests.spaces.contract import SpaceContract
from tests.strategies.contract import TRIALS, Make, StrategyContract

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "extending"
MODULES = ["examples.extending.operation", "examples.extending.space", "examples.extending.strategy"]
TABLES: list[dict] = [SPACES, STRATEGIES, REGISTERED, BLOCK_OPERATIONS, BLOCK_PLANNERS]
COMMAND = "import sys; from automl_cells.cli.main import main; sys.argv[0] = 'automl-cells'; main()"


@pytest.fixture(scope="module", autouse=True)
def imported() -> Iterator[None]:
    """The three modules, imported as a user's program imports them; nothing of them is left to other tests."""
    before = [dict(table) for table in TABLES]
    workers = set(extensions._for_workers)
    for module in MODULES:
        importlib.import_module(module)
    yield
    for table, old in zip(TABLES, before, strict=True):
        table.clear()
        table.update(old)
    extensions._for_workers.clear()
    extensions._for_workers.update(workers)
    for module in MODULES:
        del sys.modules[module]


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(extensions.VARIABLE, raising=False)


@pytest.mark.parametrize("branches", [1, 3, 16])
class TestSpace(SpaceContract):
    @pytest.fixture
    def space(self, branches: int) -> Space:
        return space("branches", (8, 8, 1), 10, branches=branches)


class TestSpaceOfCells(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return space("nasnet", blocks=2, operations=["identity", "bottleneck_3x3", "bottleneck_5x5"])


class TestSpaceOfBlocks(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return space("blockqnn_fast", max_index=5, operations=["bottleneck"])


@pytest.mark.parametrize("options", [{}, {"threshold": 0}], ids=str)
@pytest.mark.parametrize("where", ["branches", "nasbench201", "nasnet"])
class TestStrategy(StrategyContract):
    @pytest.fixture
    def make(self, where: str, options: dict[str, Any]) -> Make:
        return lambda: strategy("threshold_accepting", space(where), TRIALS, seed=7, **options)


def test_the_strategy_accepts_down_to_a_threshold_that_falls() -> None:
    how = strategy("threshold_accepting", space("branches"), 10, threshold=5.0)
    current = []
    for choice, reward in enumerate([50.0, 45.6, 41.7, 37.6]):  # allowed: anything, 4.5, 4 and 3.5 points less
        how.tell(proposal(how.space, (choice,) * 3), reward)
        current.append(how.state()["current"][1])
    assert current == [50.0, 45.6, 41.7, 41.7]


@pytest.mark.parametrize("branches", [0, 17, 2.0, True, "3"])
def test_branches_that_no_space_has(branches: object) -> None:
    with pytest.raises(SpaceError, match=r"branches from 1 to 16\. Received: "):
        space("branches", branches=branches)


@pytest.mark.parametrize("threshold", [-1, float("nan"), "5", True])
def test_a_threshold_is_a_number_from_0(threshold: object) -> None:
    with pytest.raises(StrategyError, match=r"threshold from 0\. Received: "):
        strategy("threshold_accepting", space("branches"), 10, threshold=threshold)


def test_the_space_refuses_other_blocks() -> None:
    for codes in (
        [(1, 1, 3, 0, 0), (2, 1, 3, 1, 0), (3, 1, 3, 0, 0), (4, 7, 0, 0, 0)],  # a layer on a layer
        [(1, 1, 3, 0, 0), (2, 4, 0, 0, 0), (3, 1, 3, 0, 0), (4, 7, 0, 0, 0)],  # an identity
        [(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)],
    ):
        with pytest.raises(GenotypeError, match=r"a block of 3 branches\. Received: "):
            space("branches").decisions(BlockGenotype.from_codes(codes))


def test_a_space_of_ones_own_has_the_defaults_of_its_kind_of_genotype() -> None:
    assert defaults("branches") == defaults("blockqnn")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_has_at_most_30_lines_without_imports_and_docstrings(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            left_out |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = [line for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in left_out]
    assert 5 <= len(lines) <= 30


def bottlenecks() -> CellGenotype:
    """A network of nothing but bottlenecks, in both cells."""
    cell = Cell(
        (Block(0, 1, "bottleneck_3x3", "bottleneck_5x5", "add"), Block(2, 0, "bottleneck_3x3", "identity", "add"))
    )
    return CellGenotype(cell, cell)


def test_the_operation_is_counted_by_hand() -> None:
    # One 3×3 bottleneck of 8 channels to 8: 8·2 + 9·2·2 + 2·8 weights and 2·(2 + 2 + 8) of batch normalisation.
    frame = template("cifar", kind="block", repeats=1, filters=(8,), input_shape=(8, 8, 1), classes=10)
    empty = BlockGenotype(())
    block = BlockGenotype.from_codes([(1, 100, 3, 0, 0), (2, 7, 0, 0, 0)])
    more = cost(plan(block, frame)).parameters - cost(plan(empty, frame)).parameters
    assert more == 8 * 2 + 9 * 2 * 2 + 2 * 8 + 2 * (2 + 2 + 8)
    assert block.graph().labels == ("input", "bottleneck 3", "output")


@pytest.mark.slow
def test_networks_with_the_operation_cost_what_their_plan_says() -> None:
    cells = template("cifar", kind="cell", repeats=1, filters=(4, 8), input_shape=(9, 9, 1), classes=3)
    blocks = template("cifar", kind="block", repeats=1, filters=(4, 8), input_shape=(9, 9, 1), classes=3)
    block = BlockGenotype.from_codes([(1, 100, 5, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
    for genotype, frame in ((bottlenecks(), cells), (block, blocks)):
        model = build(genotype, frame)
        assert model.output_shape == (None, 3)
        assert model.count_params() == cost(plan(genotype, frame)).total_parameters


@pytest.mark.slow
def test_workers_know_the_operation_because_the_driver_does(tmp_path: Path) -> None:
    one_epoch = proxy_protocol("nasnet_no_flip", epochs=1)
    found = search(
        "digits?train=200",
        space="nasnet",
        space_options={"blocks": 1, "operations": ["bottleneck_3x3"], "combinations": ["add"]},
        strategy="threshold_accepting",
        trials=2,
        workers=2,
        filters=(4,),
        protocol=one_epoch,
        out=tmp_path / "run",
    )
    assert [(trial.status, trial.failure) for trial in found.trials] == [("done", None)] * 2
    assert "bottleneck_3x3" in dumps(found.best.genotype)


def command(*words: object, named: str | None) -> subprocess.CompletedProcess:
    """The command line in a process of its own, with modules named in the environment or not."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({extensions.VARIABLE: named} if named else {})}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_commands_know_what_the_environment_names(tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    write(bottlenecks(), file)
    words = (
        "build",
        file,
        "--template",
        "cifar",
        "--repeats",
        1,
        "--filters",
        "4,8",
        "--input-shape",
        "8,8,1",
        "--classes",
        3,
    )
    done = command("show", file, named=MODULES[0])
    assert (done.returncode, "bottleneck_3x3" in done.stdout) == (0, True), done.stderr
    refused = command(*words, named=None)
    assert refused.returncode == 2
    assert "Received: 'bottleneck_3x3'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_search_from_the_command_line(tmp_path: Path) -> None:
    words = ["search", "--dataset", "digits?train=200", "--trials", 2, "--workers", 2, "--filters", 4]
    words += ["--space", "branches", "--space-option", "branches=2", "--out", tmp_path / "run"]
    words += ["--strategy", "threshold_accepting", "--strategy-option", "threshold=1.5"]
    done = command(*words, named=f"{MODULES[1]}, {MODULES[2]}")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 candidates done, 0 failed" in done.stdout
