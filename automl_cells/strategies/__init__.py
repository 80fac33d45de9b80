"""How the next candidate is chosen. `strategy` makes a strategy by its name."""

from __future__ import annotations

import inspect
from typing import Any

from automl_cells.errors import StrategyError
from automl_cells.spaces.base import Space
from automl_cells.strategies.base import Proposal, Strategy
from automl_cells.strategies.evolution import Evolution
from automl_cells.strategies.local_search import LocalSearch
from automl_cells.strategies.ppo import PPO
from automl_cells.strategies.predictor_filter import PredictorFilter
from automl_cells.strategies.predictor_guided import PredictorGuided
from automl_cells.strategies.q_learning import QLearning
from automl_cells.strategies.q_learning_variants import Fast, MetaQNN
from automl_cells.strategies.random import Random

STRATEGIES: dict[str, type[Strategy]] = {
    cls.name: cls for cls in (Evolution, LocalSearch, PPO, PredictorGuided, QLearning, MetaQNN, Fast, Random)
}

__all__ = [
    "PPO",
    "STRATEGIES",
    "Evolution",
    "LocalSearch",
    "PredictorFilter",
    "PredictorGuided",
    "Proposal",
    "QLearning",
    "Random",
    "Strategy",
    "strategy",
]


def strategy(name: str, space: Space, trials: int, seed: int = 0, **options: Any) -> Strategy:
    """The search strategy of that name.

    Args:
        name: one of `STRATEGIES`.
        space: where to search.
        trials: distinct genotypes that the search will train; schedules are scaled to it.
        seed: seed of whatever randomness learning needs.
        **options: the strategy's own options, e.g. ``alpha=0.1`` for ``q_learning``.

    Raises:
        StrategyError: an unknown strategy, an option that it does not take, or a value out of range.
    """
    if name not in STRATEGIES:
        raise StrategyError(f"Expected a search strategy among {sorted(STRATEGIES)}. Received: {name}")
    known = _parameters(STRATEGIES[name]) - {"space", "trials", "seed"}
    if unknown := sorted(set(options) - known):
        raise StrategyError(
            f"Expected options of the strategy {name} among {sorted(known)}. Received: {', '.join(unknown)}"
        )
    return STRATEGIES[name](space, trials, seed, **options)


def _parameters(made: type) -> set[str]:
    """The names that a class is called with; ``**options`` stands for those of the class that it comes from."""
    found = inspect.signature(made).parameters
    names = {name for name, parameter in found.items() if parameter.kind is not parameter.VAR_KEYWORD}
    return names if len(names) == len(found) else names | _parameters(made.__base__ or object)
