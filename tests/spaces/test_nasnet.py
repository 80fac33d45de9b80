"""NASNet's space: which decisions there are, where, and what they make. The contract is in test_spaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.errors import GenotypeError, SpaceError
from automl_cells.genotypes import Block, Cell, CellGenotype, load
from automl_cells.genotypes.cell import COMBINATIONS, OPERATIONS
from automl_cells.spaces import NASNet, space
from tests.spaces.contract import walk

THREE = ["identity", "sep_conv_3x3", "max_pool_3x3"]


def test_the_papers_space_has_ten_decisions_a_block() -> None:
    where = NASNet()
    rng = np.random.default_rng(0)
    states, decisions = walk(where, rng)
    assert len(decisions) == 50
    sizes = [len(where.actions(state)) for state in states[:-1]]
    assert sizes == 2 * [size for block in range(5) for size in (2 + block, 2 + block, 13, 13, 2)]
    # The paper's estimate for five blocks: 7.1e16 for a pair of cells of its four-input space; this one is larger.
    assert np.prod([float(size) for size in sizes]) > 1e20


def test_decisions_by_hand() -> None:
    where = NASNet(blocks=2, operations=THREE)
    assert where.factor_sizes == (3 + 3 + 2,)  # states 0 to 2, three operations, two combinations
    normal = (0, 1, 4, 3, 6, 2, 2, 5, 5, 7)
    reduction = (1, 1, 3, 3, 7, 0, 2, 3, 4, 6)
    genotype = where.genotype(normal + reduction)
    assert genotype == CellGenotype(
        Cell((Block(0, 1, THREE[1], THREE[0], "add"), Block(2, 2, THREE[2], THREE[2], "concat"))),
        Cell((Block(1, 1, THREE[0], THREE[0], "concat"), Block(0, 2, THREE[0], THREE[1], "add"))),
    )
    assert where.decisions(genotype) == normal + reduction
    assert list(where.actions(())) == [0, 1]
    assert list(where.actions(normal[:2])) == [3, 4, 5]
    assert list(where.actions(normal[:4])) == [6, 7]
    assert list(where.actions(normal[:5])) == [0, 1, 2]
    assert list(where.actions(normal)) == [0, 1]  # the reduction cell begins anew


def test_an_action_means_the_same_wherever_it_is_legal() -> None:
    where = NASNet(blocks=3)
    meanings: dict[int, set[int]] = {}
    states, _ = walk(where, np.random.default_rng(1))
    for state in states[:-1]:
        role = (0, 0, 1, 1, 2)[len(state) % 5]
        for action in where.actions(state):
            meanings.setdefault(action, set()).add(role)
    assert sorted(meanings) == list(range(where.factor_sizes[0]))
    assert all(len(roles) == 1 for roles in meanings.values())


def test_the_last_block_is_no_input_of_any() -> None:
    where = NASNet(blocks=1)
    assert where.factor_sizes == (2 + 13 + 2,)
    assert len(walk(where, np.random.default_rng(0))[1]) == 10


def test_defaults_are_the_papers() -> None:
    where = space("nasnet")
    assert isinstance(where, NASNet)
    assert (where.blocks, where.operations, where.combinations) == (5, OPERATIONS, COMBINATIONS)
    assert where.kind == "cell"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, r"blocks from 1 to 10\. Received: 0"),
        ({"blocks": 50}, r"blocks from 1 to 10\. Received: 50"),
        ({"blocks": 5.0}, r"blocks from 1 to 10\. Received: 5\.0"),
        ({"blocks": True}, r"blocks from 1 to 10\. Received: True"),
        ({"operations": []}, r"operations as a list of names among identity, .* Received: \[\]"),
        ({"operations": "identity"}, r"operations as a list .* Received: 'identity'"),
        ({"operations": ["identity", "conv_9x9"]}, r"operations as a list .* Received: .*conv_9x9"),
        ({"operations": [["identity"]]}, r"operations as a list .* Received: \[\['identity'\]\]"),
        ({"operations": ["identity", "identity"]}, r"operations each once\. Received: "),
        ({"operations": 3}, r"operations as a list .* Received: 3"),
        ({"combinations": ["mul"]}, r"combinations as a list of names among add, concat\. Received: \['mul'\]"),
        ({"combinations": None}, r"combinations as a list .* Received: None"),
    ],
)
def test_options_that_make_no_space(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        NASNet(**options)


def test_cells_that_the_space_cannot_make() -> None:
    one = Cell((Block(0, 1, "identity", "identity", "add"),))
    other = Cell((Block(0, 1, "conv_1x1", "identity", "concat"),))
    assert NASNet(blocks=1).decisions(CellGenotype(one, other))
    for where, genotype, message in (
        (NASNet(), load("block_qnn_s"), r"Expected cells for the space nasnet\. Received: a block"),
        (
            NASNet(),
            load("nasnet_a"),
            r"concatenates its unused states, \[2, 3, 4, 5, 6\], .*Received: \[1, 2, 3, 4, 5, 6\]",
        ),
        (NASNet(blocks=2), CellGenotype(one, one), r"a normal cell of 2 blocks\. Received: 1"),
        (NASNet(1, THREE), CellGenotype(one, other), r"a reduction cell of the operations .*Received: conv_1x1"),
        (
            NASNet(1, OPERATIONS, ["add"]),
            CellGenotype(other, one),
            r"normal cell of the combinations .*Received: concat",
        ),
    ):
        with pytest.raises(GenotypeError, match=message):
            where.decisions(genotype)


def test_nasnet_a_is_in_the_space_but_for_its_lists_of_outputs() -> None:
    genotype = load("nasnet_a")
    bare = CellGenotype(Cell(genotype.normal.blocks), Cell(genotype.reduction.blocks))
    where = NASNet()
    assert where.genotype(where.replay(where.decisions(bare))[-1]) == bare
