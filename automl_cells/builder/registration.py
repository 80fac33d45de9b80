"""Operations of extensions, for cells and blocks.

An operation is planned from the layers that a `PlanBuilder` knows. So its parameters, multiply-adds and memory are
counted, its latency is measured, and it is built, drawn and exported like any other, without a line more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from automl_cells.builder.block_network import OPERATIONS as BLOCK_PLANNERS
from automl_cells.builder.plan import PlanBuilder, strided
from automl_cells.errors import ExtensionError, TemplateError
from automl_cells.extensions import check_free, needed_by_workers, register
from automl_cells.genotypes import block, cell
from automl_cells.genotypes.block import Code

Planner = Callable[[PlanBuilder, str, int, int, int, int], int]
"""``plan(net, name, source, filters, kernel, stride)`` appends the layers of one operation to `net` and returns the
position of the last. Their names begin with `name`. The map at `source` may have any number of channels; the result has
`filters`, and the sides of the map at `source` divided by `stride` (1 or 2) and rounded up."""

Registered = TypeVar("Registered", bound=Planner)

KERNELS = (1, 3, 5, 7, 9)


def register_operation(
    name: str, kernels: Sequence[int], block_type: int | None = None
) -> Callable[[Registered], Registered]:
    """Make an operation known: a decorator of the function that plans it, see `Planner`.

    Cells name it ``NAME_KxK`` for each kernel, and space ``nasnet`` takes these names in its option ``operations``.
    Blocks number theirs; with a `block_type`, space ``blockqnn_fast`` takes NAME in its option ``operations``. The
    names and the number are part of every file of a genotype that has the operation: they must not change. See
    `automl_cells.extensions` for who imports the module that the function is in.

    Args:
        name: lower-case letters, digits and underscores.
        kernels: sides of its windows, among 1, 3, 5, 7 and 9.
        block_type: its number in blocks, from 100; ``None`` for cells only.

    Raises:
        ExtensionError: an argument that is not as it must be, or a name or a number that is taken.
    """
    if not isinstance(name, str):
        raise ExtensionError(
            f"Expected an operation with a name of lower-case letters, digits and _. Received: {name!r:.80}"
        )
    sides = tuple(kernels) if isinstance(kernels, Iterable) else ()
    known = all(type(side) is int and side in KERNELS for side in sides)
    if not sides or not known or len(set(sides)) < len(sides):
        raise ExtensionError(f"Expected kernels among {KERNELS}, each once. Received: {kernels!r:.80}")
    if block_type is not None and (type(block_type) is not int or block_type < block.FIRST_REGISTERED):
        raise ExtensionError(f"Expected a block type from {block.FIRST_REGISTERED}. Received: {block_type!r:.80}")
    ours = {operation.name for kind, operation in block.OPERATIONS.items() if kind < block.FIRST_REGISTERED}
    if name in ours or any(f"{name}_{side}x{side}" in cell.OPERATIONS for side in sides):
        raise ExtensionError(f"Expected an operation with a name of its own. Received: {name}, which the package has")

    def registered(plan: Registered) -> Registered:
        if not inspect.isfunction(plan):
            raise ExtensionError(f"Expected a function that plans the operation {name}. Received: {plan!r:.80}")
        for side in sides:
            check_free(cell.REGISTERED, f"{name}_{side}x{side}", plan, "an operation")
        if block_type is not None:
            _check_type(block_type, name, plan)
        for side in sides:  # nothing is refused from here on, so that an operation is known wholly or not at all
            planner = _known_by(plan, partial(_checked, plan, name, side))
            register(cell.REGISTERED, f"{name}_{side}x{side}", planner, "an operation")
        if block_type is not None:
            block.OPERATIONS[block_type] = block.Operation(name, sides, 1)
            BLOCK_PLANNERS[block_type] = _known_by(plan, partial(_in_a_block, plan, name))
        needed_by_workers(plan.__module__)
        return plan

    return registered


def _known_by(plan: Planner, made: partial[int]) -> partial[int]:
    """`made`, which a table will hold, by the name and the module of the function that it was made from."""
    made.__module__, made.__qualname__ = plan.__module__, plan.__qualname__  # type: ignore[attr-defined]
    return made


def _check_type(block_type: int, name: str, plan: Planner) -> None:
    """Hold the number of an operation against the others'.

    Raises:
        ExtensionError: another operation has the number, or the operation has another number.
    """
    ours = (name, f"{plan.__module__}.{plan.__qualname__}")
    for other, operation in block.OPERATIONS.items():
        if other < block.FIRST_REGISTERED:
            continue
        planner = BLOCK_PLANNERS[other]
        theirs = (operation.name, f"{planner.__module__}.{planner.__qualname__}")
        if other == block_type and theirs != ours:
            raise ExtensionError(
                f"Expected a block type that is free. Received: {block_type}, which is {theirs[0]} ({theirs[1]})"
            )
        if other != block_type and operation.name == name:
            raise ExtensionError(
                f"Expected a block type with an operation of its own. Received: {name}, which is {other} ({theirs[1]})"
            )


def _in_a_block(
    plan: Planner, operation: str, net: PlanBuilder, name: str, code: Code, outputs: list[int], filters: int
) -> int:
    return _checked(plan, operation, code.kernel, net, name, outputs[code.predecessor1], filters, 1)


def _checked(
    plan: Planner, operation: str, kernel: int, net: PlanBuilder, name: str, source: int, filters: int, stride: int
) -> int:
    """What `plan` has planned, if its shape is what the next layers count on."""
    position = plan(net, name, source, filters, kernel, stride)
    height, width, _ = net.shape(source)
    expected = (strided(height, kernel, stride, "same"), strided(width, kernel, stride, "same"), filters)
    if net.shape(position) != expected:
        raise TemplateError(
            f"Expected the operation {operation} to make a map of {expected} of one of {net.shape(source)}. "
            f"Received: {net.shape(position)}"
        )
    return position
