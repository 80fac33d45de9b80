"""Q-learning against updates worked out by hand, on a space of five genotypes (see `tests.strategies.tree`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import BlockQNN
from automl_cells.strategies import Proposal, QLearning
from tests.strategies.tree import Path, Tree

GREEDY = [[0.0, 1]]


def learner(**options: Any) -> QLearning:
    return QLearning(Tree(), 100, **options)


def path(*decisions: int) -> Proposal:
    return Proposal(Path(decisions), decisions)


def test_first_update_with_the_papers_alpha() -> None:
    # (0, 1, 0) earns r_T = 0.9; T = 3, so r_t = 0.3. α = 0.01, γ = 1, Q = 0.5 at first. From the end:
    #   Q((0,1), 0) = 0.99·0.5 + 0.01·0.9                        = 0.504
    #   Q((0,), 1)  = 0.99·0.5 + 0.01·(0.3 + max(0.504, 0.5))    = 0.495 + 0.00804   = 0.50304
    #   Q((), 0)    = 0.99·0.5 + 0.01·(0.3 + max(0.5, 0.50304))  = 0.495 + 0.0080304 = 0.5030304
    search = learner()
    search.update((0, 1, 0), 0.9)
    assert search.table == {
        (0, 1): {0: pytest.approx(0.504, abs=1e-12)},
        (0,): {1: pytest.approx(0.50304, abs=1e-12)},
        (): {0: pytest.approx(0.5030304, abs=1e-12)},
    }
    assert search.value((), 1) == search.value((0,), 0) == 0.5


def test_second_update_with_the_papers_alpha() -> None:
    # The same once more:
    #   Q((0,1), 0) = 0.99·0.504     + 0.01·0.9               = 0.49896     + 0.009       = 0.50796
    #   Q((0,), 1)  = 0.99·0.50304   + 0.01·(0.3 + 0.50796)   = 0.4980096   + 0.0080796   = 0.5060892
    #   Q((), 0)    = 0.99·0.5030304 + 0.01·(0.3 + 0.5060892) = 0.498000096 + 0.008060892 = 0.506060988
    search = learner()
    for _ in range(2):
        search.update((0, 1, 0), 0.9)
    assert search.value((0, 1), 0) == pytest.approx(0.50796, abs=1e-12)
    assert search.value((0,), 1) == pytest.approx(0.5060892, abs=1e-12)
    assert search.value((), 0) == pytest.approx(0.506060988, abs=1e-12)


def test_length_is_the_trajectory_s_own() -> None:
    # (0, 0) has T = 2 and (1,) has T = 1. α = 0.5:
    #   Q((0,), 0) = 0.5·0.5 + 0.5·0.6                          = 0.55
    #   Q((), 0)   = 0.5·0.5 + 0.5·(0.3 + max(0.55, 0.5))       = 0.25 + 0.425 = 0.675
    #   Q((), 1)   = 0.5·0.5 + 0.5·0.4                          = 0.45
    search = learner(alpha=0.5)
    search.update((0, 0), 0.6)
    search.update((1,), 0.4)
    assert search.table == {
        (0,): {0: pytest.approx(0.55)},
        (): {0: pytest.approx(0.675), 1: pytest.approx(0.45)},
    }


def test_no_shaping() -> None:
    # α = 0.5, r_t = 0. (0, 0) earns 0.2:
    #   Q((0,), 0)  = 0.5·0.5  + 0.5·0.2              = 0.35
    #   Q((), 0)    = 0.5·0.5  + 0.5·max(0.35, 0.5)   = 0.5     (action 1 of (0,) was never taught, so it has 0.5)
    # (0, 1, 1) earns 0.8:
    #   Q((0,1), 1) = 0.5·0.5  + 0.5·0.8              = 0.65
    #   Q((0,), 1)  = 0.5·0.5  + 0.5·max(0.5, 0.65)   = 0.575
    #   Q((), 0)    = 0.5·0.5  + 0.5·max(0.35, 0.575) = 0.5375
    search = learner(alpha=0.5, shaping="none")
    search.update((0, 0), 0.2)
    assert search.value((0,), 0) == pytest.approx(0.35)
    assert search.value((), 0) == pytest.approx(0.5)
    search.update((0, 1, 1), 0.8)
    assert search.value((0, 1), 1) == pytest.approx(0.65)
    assert search.value((0,), 1) == pytest.approx(0.575)
    assert search.value((), 0) == pytest.approx(0.5375)


def test_when_all_actions_are_taught_the_initial_value_no_longer_counts() -> None:
    # α = 1 forgets the past: Q((0,), 0) = 0.1, Q((0,1), 0) = 0.2, Q((0,1), 1) = 0.3, Q((0,), 1) = max = 0.3 at last,
    # and Q((), 0) = max(0.1, 0.3) = 0.3, below the initial 0.5.
    search = learner(alpha=1, shaping="none")
    for decisions, reward in [((0, 0), 0.1), ((0, 1, 0), 0.2), ((0, 1, 1), 0.3), ((0, 1, 1), 0.3)]:
        search.update(decisions, reward)
    assert search.value((0,), 1) == pytest.approx(0.3)
    assert search.value((), 0) == pytest.approx(0.3)


def test_gamma_and_initial_value() -> None:
    # α = 0.5, γ = 0.5, Q = 0.2 at first, (0, 0) earns 1, T = 2:
    #   Q((0,), 0) = 0.5·0.2 + 0.5·1               = 0.6
    #   Q((), 0)   = 0.5·0.2 + 0.5·(0.5 + 0.5·0.6) = 0.1 + 0.4 = 0.5
    search = learner(alpha=0.5, gamma=0.5, initial_q=0.2)
    search.update((0, 0), 1.0)
    assert search.value((0,), 0) == pytest.approx(0.6)
    assert search.value((), 0) == pytest.approx(0.5)
    assert search.value((), 1) == 0.2


def test_rewards_come_in_per_cent() -> None:
    # One trajectory in memory, so the replay draws it: Q((), 1) = 0.99·0.5 + 0.01·(90 / 100).
    search = learner(batch=1, replay=1)
    search.tell(path(1), 90.0)
    assert search.table == {(): {1: pytest.approx(0.504, abs=1e-12)}}
    assert search.memory == [((1,), 0.9)]


@pytest.mark.parametrize(
    ("trials", "expected"),
    # round(64 · trials / 11,392), at least 1: 24 → 0.13, 267 → 1.5 (to the even 2), 2000 → 11.24
    [(1, 1), (24, 1), (178, 1), (267, 2), (356, 2), (2000, 11), (11_392, 64), (22_784, 128)],
)
def test_batch_and_replay_scale_with_the_trials(trials: int, expected: int) -> None:
    search = QLearning(Tree(), trials)
    assert (search.batch, search.replay) == (expected, expected)


def test_replay_follows_a_batch_given() -> None:
    assert (learner(batch=4).batch, learner(batch=4).replay) == (4, 4)
    assert (learner(batch=4, replay=0).batch, learner(batch=4, replay=0).replay) == (4, 0)


def test_replay_after_every_batch_from_all_that_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    search = learner(batch=3, replay=50)
    taught: list[tuple[tuple[int, ...], float]] = []
    monkeypatch.setattr(search, "update", lambda decisions, reward: taught.append((decisions, reward)))
    decisions = [(1,), (2,), (0, 0), (0, 1, 0), (0, 1, 1), (1,), (2,)]
    told = [(path(*steps), 10.0 * number) for number, steps in enumerate(decisions)]
    counts = []
    for proposal, reward in told:
        search.tell(proposal, reward)
        counts.append(len(taught))
    assert counts == [0, 0, 50, 50, 50, 100, 100]
    remembered = [(proposal.decisions, reward / 100) for proposal, reward in told]
    # 50 draws miss one of six about once in 1500 runs, and the seed is fixed.
    assert set(taught[:50]) == set(remembered[:3])
    assert set(taught[50:]) == set(remembered[:6])


def test_every_replay_draws_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    # Draws with one and the same generator would all come from the same place of a growing memory.
    search = learner(batch=1, replay=1)
    drawn: list[float] = []
    monkeypatch.setattr(search, "update", lambda decisions, reward: drawn.append(reward))
    for number in range(100):
        search.tell(path(1), float(number))
    places = [100 * reward / size for size, reward in enumerate(drawn, start=1)]
    assert 30 < sum(place < 0.5 for place in places) < 70


def test_without_replay_nothing_is_taught() -> None:
    search = learner(batch=1, replay=0)
    search.tell(path(1), 90.0)
    assert search.table == {}
    assert len(search.memory) == 1


def test_replay_depends_on_the_seed_alone() -> None:
    tables = []
    for seed in (1, 1, 2):
        search = learner(seed=seed, batch=3, replay=4)
        for number, decisions in enumerate([(1,), (2,), (0, 0), (0, 1, 0), (0, 1, 1), (1,)]):
            search.tell(path(*decisions), 10.0 * number)
        tables.append(search.table)
    assert tables[0] == tables[1] != tables[2]


def first_decisions(search: QLearning, asks: int = 900) -> list[int]:
    """How often 0, 1 and 2 came first."""
    decisions = [search.ask(np.random.default_rng([11, number]), 0).decisions for number in range(asks)]
    return [sum(d[0] == action for d in decisions) for action in range(3)]


def test_greedy_picks_the_best() -> None:
    search = learner(alpha=0.5, epsilon=GREEDY)
    search.update((2,), 0.6)
    assert first_decisions(search, 50) == [0, 0, 50]
    search.update((0, 1, 1), 0.9)
    assert {search.ask(np.random.default_rng(seed), 0).decisions for seed in range(50)} == {(0, 1, 1)}


def test_greedy_avoids_what_was_bad_and_draws_among_ties() -> None:
    # Equal shares of 900 are 300 ± 14 (thirds) and 450 ± 15 (halves); four σ are tolerated.
    search = learner(alpha=0.5, epsilon=GREEDY)
    assert all(abs(count - 300) < 57 for count in first_decisions(search))
    search.update((1,), 0.1)
    counts = first_decisions(search)
    assert counts[1] == 0
    assert abs(counts[0] - 450) < 60
    assert sum(counts) == 900
    search.update((0, 0), 1.0)  # now Q((), 0) is the best alone
    assert first_decisions(search, 50) == [50, 0, 0]


def test_epsilon_mixes_random_decisions_in() -> None:
    # ε = 0.3, action 2 the best: 0 and 1 come first with probability 0.1 each, 90 ± 9 times of 900.
    search = learner(alpha=0.5, epsilon=[[0.3, 1]])
    search.update((2,), 0.9)
    counts = first_decisions(search)
    assert abs(counts[0] - 90) < 37
    assert abs(counts[1] - 90) < 37


def test_epsilon_follows_the_trial_number() -> None:
    search = QLearning(Tree(), 178)
    rng = np.random.default_rng(0)
    assert [search.ask(rng, trial).info["epsilon"] for trial in (0, 94, 95, 177)] == [1.0, 1.0, 0.9, 0.1]


def test_a_good_block_is_found_again() -> None:
    # The best of five gets the largest value after enough rewards, whatever the order.
    search = learner(alpha=0.1, epsilon=[[1.0, 3], [0.0, 1]])
    for trial in range(100):
        proposal = search.ask(np.random.default_rng([4, trial]), trial)
        search.tell(proposal, 95.0 if proposal.decisions == (0, 1, 0) else 40.0)
    assert search.ask(np.random.default_rng(99), 99).decisions == (0, 1, 0)


def test_the_key_is_what_the_table_sees() -> None:
    # Two states of one last layer share their values; actions that are legal in one alone do not hurt.
    space = BlockQNN(max_index=4)
    search = QLearning(space, 10, alpha=1)
    pool, conv, same = (1, 2, 3, 0, 0), (1, 1, 3, 0, 0), (2, 4, 0, 1, 0)
    search.update((conv, same, (3, 7, 0, 0, 0)), 0.9)
    assert search.value((pool, same), (3, 7, 0, 0, 0)) == 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"table": [[[], 0, "much"]]},
        {"table": [[{}, 0, 0.5]]},
        {"table": [[[], 0, float("nan")]]},
        {"table": [[[], 0, 0.5, 1]]},
        {"memory": [[[1]]]},
        {"memory": [["ab", 0.5]]},
        {"memory": [[[], 0.5]]},
        {"memory": [[[1], None]]},
        {"memory": None},
    ],
    ids=str,
)
def test_a_damaged_state_is_refused(change: dict[str, Any]) -> None:
    search = learner(batch=1)
    search.tell(path(1), 90.0)
    with pytest.raises(StrategyError, match=r"a state of q_learning\. Received: "):
        search.restore({**search.state(), **change})
