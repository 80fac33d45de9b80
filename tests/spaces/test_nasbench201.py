"""NAS-Bench-201's space: six edges, five operations each, in the order of the benchmark's string."""

from __future__ import annotations

import numpy as np
import pytest

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import BlockGenotype, NasBench201Genotype
from automl_cells.spaces import NasBench201

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"


def test_six_decisions_among_five() -> None:
    space = NasBench201()
    state = space.initial()
    for taken in range(6):
        assert not space.is_terminal(state)
        assert list(space.actions(state)) == [0, 1, 2, 3, 4]
        assert [space.factors(action) for action in space.actions(state)] == [(0,), (1,), (2,), (3,), (4,)]
        assert space.key(state) == (taken, state[-1] if taken else None)
        state = space.step(state, 4 - taken % 5)
    assert space.factor_sizes == (5,)
    assert space.is_terminal(state)
    assert state == (4, 3, 2, 1, 0, 4)


def test_decisions_by_hand() -> None:
    # none 0, skip_connect 1, nor_conv_1x1 2, nor_conv_3x3 3, avg_pool_3x3 4
    best = NasBench201Genotype.from_architecture(BEST)
    assert NasBench201().decisions(best) == (3, 3, 3, 1, 2, 3)
    assert NasBench201().genotype((3, 3, 3, 1, 2, 3)) == best
    assert NasBench201().genotype((0, 1, 2, 3, 4, 0)).architecture == (
        "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
    )


def test_a_mutation_changes_one_operation_and_every_change_comes_up() -> None:
    space = NasBench201()
    old = NasBench201Genotype.from_architecture(BEST)
    rng = np.random.default_rng(0)
    changes = set()
    for _ in range(400):
        new = space.mutate(old, rng)
        ((edge, operation),) = [
            (edge, new.operations[edge]) for edge in range(6) if new.operations[edge] != old.operations[edge]
        ]
        changes.add((edge, operation))
    assert len(changes) == 6 * 4  # one is missed in 400 draws with probability 24 · (23/24)^400 = 1e-6


def test_other_kinds_are_refused() -> None:
    with pytest.raises(GenotypeError, match=r"a cell of NAS-Bench-201\. Received: a block"):
        NasBench201().decisions(BlockGenotype(()))
