"""What is counted of a genotype, by hand, and that it depends on the graph alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.genotypes import BlockGenotype, NasBench201Genotype, load
from automl_cells.predictors import encode
from automl_cells.predictors.encoding import LONGEST_PATH
from automl_cells.spaces import space
from automl_cells.strategies.base import proposal, uniform_decisions

SPACES = {
    "blockqnn": space("blockqnn", max_index=12),
    "metaqnn": space("metaqnn", input_shape=(28, 28, 1), max_depth=12),
    "nasbench201": space("nasbench201"),
    "nasnet": space("nasnet"),
}


def test_a_block_counted_by_hand() -> None:
    # input → conv 3 → max_pool 3 ─┐
    #              └──────────── add → output
    block = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 2, 3, 1, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0)])
    assert encode(block) == {
        ("block", "node", "input"): 1,
        ("block", "node", "conv 3"): 1,
        ("block", "node", "max_pool 3"): 1,
        ("block", "node", "add"): 1,
        ("block", "node", "output"): 1,
        ("block", "around", "input", "<", ">", "conv 3"): 1,
        ("block", "around", "conv 3", "<", "input", ">", "add", "max_pool 3"): 1,
        ("block", "around", "max_pool 3", "<", "conv 3", ">", "add"): 1,
        ("block", "around", "add", "<", "conv 3", "max_pool 3", ">", "output"): 1,
        ("block", "around", "output", "<", "add", ">"): 1,
        ("block", "path", "conv 3"): 1,
        ("block", "path", "conv 3", "max_pool 3"): 1,
    }


def test_a_path_is_counted_as_often_as_it_occurs() -> None:
    # Of the three ways through this cell two are a single 3×3 convolution after another.
    cell = NasBench201Genotype(("nor_conv_3x3", "nor_conv_3x3", "none", "skip_connect", "nor_conv_3x3", "nor_conv_3x3"))
    counts = encode(cell)
    assert counts["cell", "path", "conv 3", "conv 3"] == 2
    assert counts["cell", "path", "identity"] == 1
    assert sum(count for name, count in counts.items() if name[1] == "path") == 3


def test_the_cells_of_a_genotype_are_told_apart() -> None:
    genotype = load("nasnet_a")
    parts = {name[0] for name in encode(genotype)}
    assert parts == {name for name, _ in genotype.parts()}
    assert len(parts) == 2


def test_long_paths_are_left_out_and_cost_no_time() -> None:
    # 20 sums of the one before with itself: 2^20 paths, all alike; as many convolutions: none is short enough.
    sums = [(1, 1, 3, 0, 0), *((index, 5, 0, index - 1, index - 1) for index in range(2, 22)), (22, 7, 0, 0, 0)]
    assert encode(BlockGenotype.from_codes(sums))["block", "path", "conv 3"] == 2**20
    convolutions = [*((index, 1, 3, index - 1, 0) for index in range(1, 21)), (21, 7, 0, 0, 0)]
    assert not [name for name in encode(BlockGenotype.from_codes(convolutions)) if name[1] == "path"]


@pytest.mark.parametrize("where", SPACES)
def test_every_space_is_encoded(where: str) -> None:
    rng = np.random.default_rng(0)
    genotypes = [proposal(SPACES[where], uniform_decisions(SPACES[where], rng)).genotype for _ in range(30)]
    for genotype in genotypes:
        counts = encode(genotype)
        nodes = sum(len(graph.labels) for _, graph in genotype.parts())
        assert sum(count for name, count in counts.items() if name[1] == "node") == nodes
        assert sum(count for name, count in counts.items() if name[1] == "around") == nodes
        assert all(len(name) - 2 <= LONGEST_PATH for name in counts if name[1] == "path")
        assert all(count > 0 for count in counts.values())
    assert len({frozenset(encode(genotype).items()) for genotype in genotypes}) > 20


@given(st.permutations([1, 2, 3, 4]))
def test_isomorphic_blocks_have_the_same_counts(order: list[int]) -> None:
    kinds = {1: (1, 3), 2: (1, 5), 3: (2, 3), 4: (3, 3)}  # four operations on one convolution, in any order
    codes = [(1, 1, 1, 0, 0)]
    codes += [(place + 2, *kinds[number], 1, 0) for place, number in enumerate(order)]
    block = BlockGenotype.from_codes([*codes, (6, 7, 0, 0, 0)])
    codes = [(1, 1, 1, 0, 0), *((number + 1, *kinds[number], 1, 0) for number in kinds), (6, 7, 0, 0, 0)]
    assert encode(block) == encode(BlockGenotype.from_codes(codes))
