"""MetaQNN's Q-learning and our fast one: constants, schedules, and what one network teaches, by hand."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import MetaQNN as Space
from automl_cells.strategies import STRATEGIES, Proposal, QLearning, strategy
from automl_cells.strategies.epsilon import METAQNN, EpsilonSchedule
from automl_cells.strategies.q_learning_variants import FAST, Fast, MetaQNN
from tests.strategies.tree import Path, Tree

# MetaQNN (arXiv 1611.02167v2), section 4.3: models trained at each ε.
MODELS = {1.0: 1500, 0.9: 100, 0.8: 100, 0.7: 100, 0.6: 150, 0.5: 150, 0.4: 150, 0.3: 150, 0.2: 150, 0.1: 150}
# The first model of each ε:
FIRST = {1.0: 0, 0.9: 1500, 0.8: 1600, 0.7: 1700, 0.6: 1800, 0.5: 1950, 0.4: 2100, 0.3: 2250, 0.2: 2400, 0.1: 2550}


def learner(name: str = "q_learning_metaqnn", trials: int = 100, **options: Any) -> QLearning:
    made = strategy(name, Tree(), trials, **options)
    assert isinstance(made, QLearning)
    return made


def path(*decisions: int) -> Proposal:
    return Proposal(Path(decisions), decisions)


def test_they_are_found_by_their_names() -> None:
    assert STRATEGIES["q_learning_metaqnn"] is MetaQNN
    assert STRATEGIES["q_learning_fast"] is Fast
    assert isinstance(learner(), MetaQNN)
    assert isinstance(learner("q_learning_fast"), Fast)


@pytest.mark.parametrize("trials", [1, 24, 2700, 11_392])
def test_constants_of_metaqnn_hold_for_every_number_of_trials(trials: int) -> None:
    search = learner(trials=trials)
    assert (search.alpha, search.gamma, search.initial_q) == (0.01, 1.0, 0.5)
    assert (search.batch, search.replay, search.shaping) == (1, 100, "none")
    assert search.epsilon == METAQNN


def test_the_fast_one_differs_in_its_learning_rate_and_schedule() -> None:
    search = learner("q_learning_fast")
    assert (search.alpha, search.gamma, search.initial_q) == (0.1, 1.0, 0.5)
    assert (search.batch, search.replay, search.shaping) == (1, 100, "none")
    assert search.epsilon == FAST


def test_the_papers_schedule_at_every_boundary() -> None:
    assert dict(METAQNN.phases) == MODELS
    assert METAQNN.length == 2700
    before = None
    for epsilon, model in FIRST.items():
        assert METAQNN.at(model, 2700) == epsilon
        if before is not None:
            assert METAQNN.at(model - 1, 2700) == before
        before = epsilon
    assert METAQNN.at(2699, 2700) == METAQNN.at(2700, 2700) == METAQNN.at(10**6, 2700) == 0.1


def test_the_papers_schedule_over_27_trials_by_hand() -> None:
    # Trial t stands at model 100 t: 18 and 19 at 1800 and 1900, 20 at 2000, 21 and 22 at 2100 and 2200, and so on.
    late = [0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.4, 0.4, 0.3, 0.2, 0.2, 0.1]
    assert [METAQNN.at(trial, 27) for trial in range(27)] == [1.0] * 15 + late


@pytest.mark.parametrize("trials", [100, 240, 333, 1000])
def test_the_fast_one_explores_for_30_per_cent_of_the_trials(trials: int) -> None:
    # The other phases share 70 % as 100 (ε from 0.9 to 0.7) and 150 (from 0.6 to 0.1) of 1200 models.
    counts = Counter(FAST.at(trial, trials) for trial in range(trials))
    assert list(counts) == list(MODELS)
    assert counts[1.0] == math.ceil(0.3 * trials)
    for epsilon in list(MODELS)[1:]:
        assert counts[epsilon] == pytest.approx(0.7 * trials * MODELS[epsilon] / 1200, abs=1.001)


def test_what_one_drawing_of_one_network_teaches_by_hand() -> None:
    # (0, 1, 0) earns 0.9 at its end and nothing before. α = 0.01, γ = 1, Q = 0.5 at first. From the end:
    #   Q((0,1), 0) = 0.99·0.5 + 0.01·0.9               = 0.504
    #   Q((0,), 1)  = 0.99·0.5 + 0.01·max(0.504, 0.5)   = 0.495 + 0.00504   = 0.50004
    #   Q((), 0)    = 0.99·0.5 + 0.01·max(0.5, 0.50004) = 0.495 + 0.0050004 = 0.5000004
    # From the beginning the latter two would stay at 0.5.
    search = learner(replay=1)
    search.tell(path(0, 1, 0), 90.0)
    assert search.table == {
        (0, 1): {0: pytest.approx(0.504, abs=1e-12)},
        (0,): {1: pytest.approx(0.50004, abs=1e-12)},
        (): {0: pytest.approx(0.5000004, abs=1e-12)},
    }


def test_what_the_first_network_teaches_in_closed_form() -> None:
    # It is alone in the memory, so all 100 drawings draw it. With r = 0.9, a = 1 - α = 0.99 and d = r - 0.5, what
    # is left to learn after k drawings:
    #   at the end     e_k = a e_(k-1)               = d a^k
    #   before that    f_k = a f_(k-1) + (1 - a) e_k = d a^k (1 + k α)
    #   at first       g_k = a g_(k-1) + (1 - a) f_k = d a^k (1 + k α + α² k (k + 1) / 2)
    # and with k = 100 the brackets are 1, 2 and 2 + 0.0001·5050 = 2.505.
    search = learner()
    search.tell(path(0, 1, 0), 90.0)
    left = 0.4 * 0.99**100
    assert search.table == {
        (0, 1): {0: pytest.approx(0.9 - left, abs=1e-12)},
        (0,): {1: pytest.approx(0.9 - 2 * left, abs=1e-12)},
        (): {0: pytest.approx(0.9 - 2.505 * left, abs=1e-12)},
    }
    assert search.value((), 1) == search.value((0,), 0) == search.value((0, 1), 1) == 0.5


def test_a_bad_end_says_nothing_of_what_led_there_while_another_end_is_unknown() -> None:
    # Q((0,), 0) goes from 0.5 towards 0.1; of (0,), action 1 has still 0.5, which is what Q((), 0) is taught.
    search = learner()
    search.tell(path(0, 0), 10.0)
    assert search.value((0,), 0) == pytest.approx(0.1 + 0.4 * 0.99**100, abs=1e-12)
    assert search.value((), 0) == pytest.approx(0.5, abs=1e-12)


def test_the_fast_one_learns_ten_times_as_fast() -> None:
    search = learner("q_learning_fast")
    search.tell(path(1), 90.0)
    assert search.value((), 1) == pytest.approx(0.9 - 0.4 * 0.9**100, abs=1e-12)


def test_after_every_network_100_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    search = learner()
    taught: list[tuple[tuple[int, ...], float]] = []
    monkeypatch.setattr(search, "update", lambda decisions, reward: taught.append((decisions, reward)))
    for number, decisions in enumerate([(1,), (2,), (0, 0), (0, 1, 1)], start=1):
        search.tell(path(*decisions), 20.0 * number)
        assert len(taught) == 100 * number
    assert set(taught[:100]) == {((1,), 0.2)}
    assert set(taught[300:]) == {((1,), 0.2), ((2,), 0.4), ((0, 0), 0.6), ((0, 1, 1), 0.8)}


def test_repeats_enter_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    # A network that was proposed twice is drawn twice as often: 67 of 100, ± 4.7 (one σ).
    search = learner()
    taught: list[tuple[int, ...]] = []
    monkeypatch.setattr(search, "update", lambda decisions, reward: taught.append(decisions))
    for decisions in ((1,), (1,), (2,)):
        search.tell(path(*decisions), 50.0)
    assert search.memory == [((1,), 0.5), ((1,), 0.5), ((2,), 0.5)]
    assert abs(taught[200:].count((1,)) - 67) < 19


def test_all_options_can_be_overridden() -> None:
    options = {"alpha": 0.5, "gamma": 0.9, "initial_q": 0.2, "batch": 3, "replay": 128, "shaping": "length"}
    for name in ("q_learning_metaqnn", "q_learning_fast"):
        search = learner(name, epsilon=[[0.2, 1]], **options)
        assert {option: getattr(search, option) for option in options} == options
        assert search.epsilon == EpsilonSchedule(((0.2, 1),))
    assert Fast.constants["alpha"] == 0.1  # what one search is given is not kept for the next
    assert MetaQNN.constants["replay"] == 100


@pytest.mark.parametrize("name", ["q_learning_metaqnn", "q_learning_fast"])
def test_unknown_options_are_answered_with_the_known_ones(name: str) -> None:
    known = r"\['alpha', 'batch', 'epsilon', 'gamma', 'initial_q', 'replay', 'shaping'\]"
    message = rf"options of the strategy {name} among {known}\. Received: beta, delta"
    with pytest.raises(StrategyError, match=message):
        learner(name, beta=1, alpha=0.1, delta=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, r"α above 0 and γ from 0, both up to 1\. Received: alpha=0, gamma=1\.0"),
        ({"replay": -1}, r"batch from 1 and replay from 0\. Received: batch=1, replay=-1"),
        ({"shaping": "some"}, r"shaping 'length' or 'none'\. Received: 'some'"),
        ({"epsilon": [[2, 1]]}, r"phases \(ε from 0 to 1, length above 0\)\. Received: "),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        learner(**options)


def test_proposals_carry_the_epsilon_of_their_trial() -> None:
    slow, fast = learner(trials=27), learner("q_learning_fast", trials=27)
    rng = np.random.default_rng(0)
    assert [slow.ask(rng, trial).info["epsilon"] for trial in (0, 14, 15, 26)] == [1.0, 1.0, 0.9, 0.1]
    assert [fast.ask(rng, trial).info["epsilon"] for trial in (0, 8, 9, 26)] == [1.0, 1.0, 0.9, 0.1]


def test_states_whose_maps_lie_in_one_bin_share_their_values() -> None:
    # 32 becomes 16 or 15 pixels, both in the upper bin: at the same depth, after the same layer, one value.
    space = Space((32, 32, 3))
    search = strategy("q_learning_metaqnn", space, 10)
    assert isinstance(search, QLearning)
    conv, end = (1, 64, 3), (5, 0, 0)
    one, other = (conv, (2, 2, 2), conv), (conv, (2, 3, 2), conv)
    search.tell(Proposal(space.genotype((*one, end)), (*one, end)), 90.0)
    assert search.value(one, end) == search.value(other, end) == pytest.approx(0.9 - 0.4 * 0.99**100)
    assert search.value((conv, conv, conv), end) == search.value(one, end)
    assert search.value((conv,), end) == 0.5  # another depth
