"""The schedule of ε against the paper's table, at the boundaries of all phases and at other lengths."""

from __future__ import annotations

import pytest

from automl_cells.errors import StrategyError
from automl_cells.strategies.epsilon import BLOCKQNN, EpsilonSchedule

# BlockQNN section 4.2: ε 1.0 for 95 iterations, 0.9, 0.8 and 0.7 for 7, 0.6 to 0.2 for 10 and 0.1 for 12. The first
# iteration of each phase:
FIRST = {1.0: 0, 0.9: 95, 0.8: 102, 0.7: 109, 0.6: 116, 0.5: 126, 0.4: 136, 0.3: 146, 0.2: 156, 0.1: 166}


@pytest.mark.parametrize("blocks", [1, 64])  # as iterations and, 64 blocks each, as the paper's 11,392 blocks
def test_the_papers_schedule_at_every_boundary(blocks: int) -> None:
    assert BLOCKQNN.length == 178
    trials = 178 * blocks
    before = None
    for epsilon, iteration in FIRST.items():
        assert BLOCKQNN.at(iteration * blocks, trials) == epsilon
        if before is not None:
            assert BLOCKQNN.at(iteration * blocks - 1, trials) == before
        before = epsilon
    assert BLOCKQNN.at(trials - 1, trials) == BLOCKQNN.at(trials, trials) == BLOCKQNN.at(10 * trials, trials) == 0.1


def test_scaled_to_24_trials_by_hand() -> None:
    # Trial t stands at iteration 178 t / 24: 12 at 89, 13 at 96.4, 14 at 103.8, 15 at 111.25, 16 at 118.7, 17 at 126.1,
    # 18 at 133.5, 19 at 140.9, 20 at 148.3, 21 at 155.75, 22 at 163.2, 23 at 170.6.
    late = [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1]
    assert [BLOCKQNN.at(trial, 24) for trial in range(24)] == [1.0] * 13 + late


def test_one_trial_is_explored() -> None:
    assert BLOCKQNN.at(0, 1) == 1.0


def test_own_phases() -> None:
    schedule = EpsilonSchedule(((1.0, 1), (0.25, 3)))
    assert [schedule.at(trial, 8) for trial in range(9)] == [1.0] * 2 + [0.25] * 7
    assert EpsilonSchedule(((0.5, 0.1),)).at(3, 7) == 0.5


@pytest.mark.parametrize("phases", [(), ((1.1, 1),), ((-0.1, 1),), ((0.5, 0),), ((0.5, -1),), ((float("nan"), 1),)])
def test_bad_phases_are_refused(phases: tuple) -> None:
    with pytest.raises(StrategyError, match=r"phases \(ε from 0 to 1, length above 0\)\. Received: \("):
        EpsilonSchedule(phases)
