"""Cells for the tests of the builder, and what a plan computes, in NumPy."""

from __future__ import annotations

import numpy as np

from automl_cells.genotypes import Block, Cell, CellGenotype


def cell(*blocks: tuple, concat: tuple[int, ...] | None = None) -> Cell:
    return Cell(tuple(Block(*block) for block in blocks), concat)


def both(*blocks: tuple, concat: tuple[int, ...] | None = None) -> CellGenotype:
    """The same cell as normal and as reduction cell."""
    one = cell(*blocks, concat=concat)
    return CellGenotype(one, one)


def one_of(operation: str) -> CellGenotype:
    """Both inputs through one operation, added."""
    return both((0, 1, operation, operation, "add"))


def pooled_with_zeros(image: np.ndarray, kernel: int, kind: str) -> np.ndarray:
    """Pooling (height, width, channels) with stride 2 and zeros around, from its definition.

    The first window begins where that of a strided convolution with ``same`` padding does.
    """
    sides = image.shape[:2]
    before = [max((-(-side // 2) - 1) * 2 + kernel - side, 0) // 2 for side in sides]
    rows = []
    for row in range(-(-sides[0] // 2)):
        columns = []
        for column in range(-(-sides[1] // 2)):
            window = np.zeros((kernel, kernel, image.shape[2]), image.dtype)
            for i in range(kernel):
                for j in range(kernel):
                    y, x = 2 * row - before[0] + i, 2 * column - before[1] + j
                    if 0 <= y < sides[0] and 0 <= x < sides[1]:
                        window[i, j] = image[y, x]
            columns.append(window.max((0, 1)) if kind == "max" else window.mean((0, 1)))
        rows.append(columns)
    return np.array(rows)
