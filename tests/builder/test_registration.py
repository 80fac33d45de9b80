"""Operations of extensions: what may be registered, and what a planner must return."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from automl_cells import extensions
from automl_cells.builder import plan, register_operation, template
from automl_cells.builder.block_network import OPERATIONS as BLOCK_PLANNERS
from automl_cells.builder.plan import PlanBuilder
from automl_cells.errors import ExtensionError, SpaceError, TemplateError
from automl_cells.genotypes import Block, BlockGenotype, Cell, CellGenotype, dumps, loads
from automl_cells.genotypes.block import OPERATIONS as BLOCK_OPERATIONS
from automl_cells.genotypes.cell import REGISTERED
from automl_cells.spaces import space


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    tables: list[Any] = [REGISTERED, BLOCK_OPERATIONS, BLOCK_PLANNERS, extensions._for_workers]
    before = [table.copy() for table in tables]
    yield
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)


def planner(net: PlanBuilder, name: str, source: int, filters: int, kernel: int, stride: int) -> int:
    return net.preactivation_conv(name, source, filters, kernel, stride)


def other(net: PlanBuilder, name: str, source: int, filters: int, kernel: int, stride: int) -> int:
    return net.preactivation_conv(name, source, filters, kernel, stride)


def cells(operation: str) -> CellGenotype:
    cell = Cell((Block(0, 1, operation, "identity", "add"),))
    return CellGenotype(cell, cell)


def test_cells_and_blocks_have_the_operation_in_files_and_plans() -> None:
    assert register_operation("mine", kernels=[1, 3], block_type=100)(planner) is planner
    genotype = cells("mine_3x3")
    assert loads(dumps(genotype)) == genotype
    frame = template("cifar", kind="cell", repeats=1, filters=(4, 8), input_shape=(9, 9, 1), classes=3)
    convolutions = [layer for layer in plan(genotype, frame) if layer.name.endswith("left_conv")]
    assert {(layer.kernel, layer.stride, layer.shape) for layer in convolutions} == {
        (3, 1, (9, 9, 4)),
        (3, 2, (5, 5, 8)),
        (3, 1, (5, 5, 8)),
    }
    block = BlockGenotype.from_codes([(1, 100, 3, 0, 0), (2, 100, 1, 1, 0), (3, 7, 0, 0, 0)])
    assert loads(dumps(block)) == block
    assert [code.label for code in block.layers] == ["mine 3", "mine 1"]
    assert planner.__module__ in extensions.for_workers()


def test_an_unknown_operation_is_refused_by_files_and_spaces() -> None:
    with pytest.raises(SpaceError, match=r"operations as a list of names among .*Received: \['mine_3x3'\]"):
        space("nasnet", operations=["mine_3x3"])
    for operations in (["mine"], "mine", [["mine"]], ["conv"]):
        with pytest.raises(SpaceError, match=r"names that extensions have registered for blocks, each once\. Received"):
            space("blockqnn_fast", operations=operations)
    register_operation("mine", kernels=[3], block_type=100)(planner)
    assert space("nasnet", operations=["mine_3x3"]).operations == ("mine_3x3",)
    assert space("nasnet").operations == space("nasnet", operations=list(space("nasnet").operations)).operations
    with pytest.raises(SpaceError, match=r"each once\. Received: \['mine', 'mine'\]"):
        space("blockqnn_fast", operations=["mine", "mine"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "Mine"}, r"an operation with a name of lower-case letters, digits and _\. Received: 'Mine_3x3'"),
        ({"name": "conv"}, r"a name of its own\. Received: conv, which the package has"),
        ({"name": "identity"}, r"Received: identity, which the package has"),
        ({"name": "dil_conv"}, r"Received: dil_conv, which the package has"),
        ({"name": ["x"]}, r"an operation with a name of .* Received: \['x'\]"),
        ({"kernels": 3}, r"kernels among .* Received: 3"),
        ({"kernels": "x"}, r"kernels among .* Received: 'x'"),
        ({"kernels": [[3]]}, r"kernels among .* Received: \[\[3\]\]"),
        ({"kernels": [True]}, r"kernels among .* Received: \[True\]"),
        ({"kernels": []}, r"kernels among \(1, 3, 5, 7, 9\), each once\. Received: \[\]"),
        ({"kernels": [3, 3]}, r"kernels among .* Received: \[3, 3\]"),
        ({"kernels": [4]}, r"kernels among .* Received: \[4\]"),
        ({"block_type": 99}, r"a block type from 100\. Received: 99"),
        ({"block_type": True}, r"a block type from 100\. Received: True"),
    ],
)
def test_what_cannot_be_registered(arguments: dict[str, Any], message: str) -> None:
    before = dict(REGISTERED)
    with pytest.raises(ExtensionError, match=message):
        register_operation(**{"name": "mine", "kernels": [3], **arguments})(planner)
    assert before == REGISTERED


def test_names_and_numbers_are_taken_once() -> None:
    register_operation("mine", kernels=[3], block_type=100)(planner)
    register_operation("mine", kernels=[3], block_type=100)(planner)  # its module was imported again
    with pytest.raises(ExtensionError, match=r"Received: mine_3x3, which is .*planner"):
        register_operation("mine", kernels=[3])(other)
    with pytest.raises(ExtensionError, match=r"a block type that is free\. Received: 100, which is mine"):
        register_operation("another", kernels=[3], block_type=100)(other)
    assert "another_3x3" not in REGISTERED


def test_a_map_of_another_shape_is_refused_when_it_is_planned() -> None:
    def wide(net: PlanBuilder, name: str, source: int, filters: int, kernel: int, stride: int) -> int:
        return net.preactivation_conv(name, source, 2 * filters, kernel, stride)

    def large(net: PlanBuilder, name: str, source: int, filters: int, kernel: int, stride: int) -> int:
        return net.preactivation_conv(name, source, filters, kernel)

    register_operation("wide", kernels=[3], block_type=100)(wide)
    register_operation("large", kernels=[3])(large)
    frame = template("cifar", kind="cell", repeats=1, filters=(4, 8), input_shape=(8, 8, 1), classes=3)
    with pytest.raises(TemplateError, match=r"wide to make a map of \(8, 8, 4\) .* Received: \(8, 8, 8\)"):
        plan(cells("wide_3x3"), frame)
    with pytest.raises(TemplateError, match=r"large to make a map of \(4, 4, 8\) of one of .* Received: \(8, 8, 8\)"):
        plan(cells("large_3x3"), frame)
    block = BlockGenotype.from_codes([(1, 100, 3, 0, 0), (2, 7, 0, 0, 0)])
    with pytest.raises(TemplateError, match=r"the operation wide to make"):
        plan(block, template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 1), classes=3))


def test_a_block_type_is_one_function_with_one_name() -> None:
    register_operation("mine", kernels=[3], block_type=100)(planner)
    with pytest.raises(ExtensionError, match=r"type that is free\. Received: 100, which is mine \(.*\.planner\)"):
        register_operation("mine", kernels=[5], block_type=100)(other)
    with pytest.raises(ExtensionError, match=r"operation of its own\. Received: mine, which is 100 \(.*\.planner\)"):
        register_operation("mine", kernels=[5], block_type=101)(other)
    assert BLOCK_OPERATIONS[100].kernels == (3,)
    assert not {"mine_5x5"} & REGISTERED.keys()
    assert 101 not in BLOCK_OPERATIONS


def test_an_operation_is_registered_wholly_or_not_at_all() -> None:
    register_operation("mine", kernels=[5])(planner)
    with pytest.raises(ExtensionError, match=r"Received: mine_5x5, which is .*planner"):
        register_operation("mine", kernels=[3, 5], block_type=100)(other)
    assert "mine_3x3" not in REGISTERED
    assert 100 not in BLOCK_OPERATIONS


def test_only_functions_plan() -> None:
    with pytest.raises(ExtensionError, match=r"a function that plans the operation mine\. Received: 5"):
        register_operation("mine", kernels=[3])(5)  # type: ignore[type-var]
