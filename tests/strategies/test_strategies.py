"""All strategies keep the contract on all spaces; `strategy` makes them by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.errors import StrategyError
from automl_cells.spaces import SPACES, BlockQNN, Space, space
from automl_cells.strategies import STRATEGIES, Random, strategy
from tests.strategies.contract import TRIALS, Make, StrategyContract
from tests.strategies.tree import Tree

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "evolution": [{}, {"population": 20, "sample": 2}],
    "local_search": [{}, {"initial": 3, "patience": 2}],
    "predictor_guided": [{"initial": 5, "pool": 12, "parents": 3}],
    "ppo": [{"units": 8, "batch": 5}, {"units": 3, "epochs": 2, "entropy": 0.1, "clip": 0.1, "learning_rate": 0.05}],
    "random": [{}],
    "q_learning_fast": [{"replay": 10}],
    "q_learning_metaqnn": [{"replay": 10}],
    "q_learning": [
        {},
        {"alpha": 0.5, "batch": 3, "replay": 5, "shaping": "none", "epsilon": [[1.0, 1], [0.3, 3]]},
    ],
}
WHERE: dict[str, Space] = {
    "tree": Tree(),
    "blockqnn": space("blockqnn", max_index=6),
    "blockqnn, input anywhere": space("blockqnn", max_index=6, input_anywhere=True),
    "blockqnn_fast": space("blockqnn_fast", max_index=6, dilated=True, squeeze_excitation=True, self_attention=True),
    "metaqnn": space("metaqnn", input_shape=(8, 8, 1), max_depth=6),
    "nasbench201": space("nasbench201"),
    "nasnet": space("nasnet", blocks=2),
}


def test_every_strategy_and_every_space_is_under_contract() -> None:
    assert set(OPTIONS) == set(STRATEGIES)
    assert {where.name for where in WHERE.values()} == {*SPACES, "tree"}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, sets in OPTIONS.items() for options in sets], ids=str
)
class TestContract(StrategyContract):
    @pytest.fixture
    def make(self, name: str, options: dict[str, Any], where: str) -> Make:
        return lambda: strategy(name, WHERE[where], TRIALS, seed=7, **options)


def test_random_draws_uniformly_and_learns_nothing() -> None:
    # Of the three first decisions each has probability 1/3; of 3000 draws 1000 ± 26 (one σ) are each.
    search = Random(Tree(), 10)
    proposals = [search.ask(np.random.default_rng([0, trial]), trial) for trial in range(3000)]
    counts = np.bincount([proposal.decisions[0] for proposal in proposals])
    assert np.all(np.abs(counts - 1000) < 110)
    search.tell(proposals[0], 100.0)
    assert search.ask(np.random.default_rng([0, 5]), 5) == proposals[5]


@pytest.mark.parametrize(
    ("name", "trials", "options", "message"),
    [
        (
            "evolve",
            10,
            {},
            r"a search strategy among \['evolution', 'local_search', 'ppo', .*'random'\]\. Received: evolve",
        ),
        ("random", 10, {"alpha": 0.1}, r"options of the strategy random among \[\]\. Received: alpha"),
        (
            "q_learning",
            10,
            {"beta": 1, "delta": 2},
            r"options of .* among \['alpha', 'batch', .* Received: beta, delta",
        ),
        ("random", 0, {}, r"at least one trial\. Received: trials=0"),
        ("q_learning", -3, {}, r"at least one trial\. Received: trials=-3"),
        ("random", 2.5, {}, r"at least one trial\. Received: trials=2\.5"),
        ("evolution", 10, {"population": 0}, r"population from 1 to 1000000\. Received: 0"),
        ("evolution", 10, {"population": 2.5}, r"population from 1 to 1000000\. Received: 2\.5"),
        ("evolution", 10, {"sample": 0}, r"sample from 1 to 1000000\. Received: 0"),
        ("evolution", 10, {"sample": True}, r"sample from 1 to 1000000\. Received: True"),
        ("evolution", 10, {"crossover": 1}, r"options of .* among \['population', 'sample'\]\. Received: crossover"),
        ("ppo", 10, {"learning_rate": 0}, r"learning_rate and clip above 0\. Received: learning_rate=0,"),
        ("ppo", 10, {"learning_rate": "1"}, r"learning_rate and clip above 0\. Received: learning_rate='1',"),
        ("ppo", 10, {"clip": -0.1}, r"learning_rate and clip above 0\. Received: .*clip=-0\.1"),
        ("ppo", 10, {"entropy": -1}, r"entropy from 0\. Received: -1"),
        ("ppo", 10, {"entropy": float("nan")}, r"entropy from 0\. Received: nan"),
        ("ppo", 10, {"baseline_momentum": 1.1}, r"baseline_momentum from 0 to 1\. Received: 1\.1"),
        ("ppo", 10, {"batch": 0}, r"batch, epochs and units from 1 to 4096\. Received: batch=0"),
        ("ppo", 10, {"epochs": 1.5}, r"batch, epochs and units from 1 to 4096\. Received: .*epochs=1\.5"),
        ("ppo", 10, {"units": True}, r"batch, epochs and units from 1 to 4096\. Received: .*units=True"),
        ("ppo", 10, {"units": 10**8}, r"units from 1 to 4096\. Received: .*units=100000000"),
        ("evolution", 10, {"sample": 10**11}, r"sample from 1 to 1000000\. Received: 100000000000"),
        ("evolution", 10, {"population": 10**11}, r"population from 1 to 1000000\. Received: 100000000000"),
        ("ppo", 10, {"layers": 2}, r"options of the strategy ppo among .* Received: layers"),
        ("q_learning", 10, {"alpha": 0}, r"α above 0 .* Received: alpha=0"),
        ("q_learning", 10, {"alpha": 1.5}, r"α above 0 .* Received: alpha=1\.5"),
        ("q_learning", 10, {"alpha": "fast"}, r"α above 0 .* Received: alpha='fast'"),
        ("q_learning", 10, {"gamma": -0.1}, r"γ from 0.* Received: .*gamma=-0\.1"),
        ("q_learning", 10, {"gamma": 2}, r"γ from 0.* Received: .*gamma=2"),
        ("q_learning", 10, {"initial_q": float("nan")}, r"initial_q .*Received: nan"),
        ("q_learning", 10, {"initial_q": "high"}, r"initial_q .*Received: 'high'"),
        ("q_learning", 10, {"batch": 0}, r"batch from 1 .* Received: batch=0"),
        ("q_learning", 10, {"batch": 2.5}, r"batch from 1 .* Received: batch=2\.5"),
        ("q_learning", 10, {"replay": -1}, r"replay from 0\. Received: .*replay=-1"),
        ("q_learning", 10, {"replay": "all"}, r"replay from 0\. Received: .*replay='all'"),
        ("q_learning", 10, {"shaping": "depth"}, r"shaping 'length' or 'none'\. Received: 'depth'"),
        ("q_learning", 10, {"epsilon": []}, r"phases .* Received: \(\)"),
        ("q_learning", 10, {"epsilon": [[1.5, 3]]}, r"phases .* Received: \(\(1\.5, 3\.0\),\)"),
        ("q_learning", 10, {"epsilon": [[0.5, 0]]}, r"phases .* Received: "),
        ("q_learning", 10, {"epsilon": [[0.5, float("nan")]]}, r"phases .* Received: "),
        ("q_learning", 10, {"epsilon": [[0.5, float("inf")]]}, r"phases .* Received: "),
        ("q_learning", 10, {"epsilon": [[0.5]]}, r"phases .* Received: \[\[0\.5\]\]"),
        ("q_learning", 10, {"epsilon": [["much", 1]]}, r"phases .* Received: "),
        ("q_learning", 10, {"epsilon": 0.5}, r"phases .* Received: 0\.5"),
    ],
)
def test_what_no_strategy_is_made_of(name: str, trials: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        strategy(name, BlockQNN(), trials, **options)
