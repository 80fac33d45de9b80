"""How the next candidate is chosen. `strategy` makes a strategy by its name; `register_strategy` adds one of yours."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from automl_cells.errors import ExtensionError, StrategyError
from automl_cells.extensions import find, register
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
    "register_strategy",
    "strategy",
]

Registered = TypeVar("Registered", bound=type[Strategy])


def register_strategy(cls: Registered) -> Registered:
    """Make a strategy known by its ``name``, to `search` and on the command line: a decorator of its class.

    Its options are the arguments of its constructor that come after ``space``, ``trials`` and ``seed``. See
    `automl_cells.extensions` for who imports the module that the class is in.

    Args:
        cls: a subclass of `Strategy` with ``name``.

    Raises:
        ExtensionError: not a subclass of `Strategy`, one that lacks methods, or a name that is taken or no name.
    """
    if not isinstance(cls, type) or not issubclass(cls, Strategy):
        raise ExtensionError(f"Expected a subclass of Strategy. Received: {cls!r:.80}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise ExtensionError(f"Expected a strategy with all methods. Received: {cls.__qualname__} without {missing}")
    register(STRATEGIES, getattr(cls, "name", None), cls, "a strategy")
    return cls


def strategy(name: str, space: Space, trials: int, seed: int = 0, **options: Any) -> Strategy:
    """The search strategy of that name.

    Args:
        name: one of `STRATEGIES`, or of an extension.
        space: where to search.
        trials: distinct genotypes that the search will train; schedules are scaled to it.
        seed: seed of whatever randomness learning needs.
        **options: the strategy's own options, e.g. ``alpha=0.1`` for ``q_learning``.

    Raises:
        StrategyError: an unknown strategy, an option that it does not take, or a value out of range.
        ExtensionError: an extension cannot be imported.
    """
    cls = find(STRATEGIES, name)
    if cls is None:
        raise StrategyError(f"Expected a search strategy among {sorted(STRATEGIES)}. Received: {name}")
    known = _parameters(cls) - {"space", "trials", "seed"}
    if unknown := sorted(set(options) - known):
        raise StrategyError(
            f"Expected options of the strategy {name} among {sorted(known)}. Received: {', '.join(unknown)}"
        )
    return cls(space, trials, seed, **options)


def _parameters(made: type) -> set[str]:
    """The names that a class is called with; ``**options`` stands for those of the class that it comes from."""
    found = inspect.signature(made).parameters
    names = {name for name, parameter in found.items() if parameter.kind is not parameter.VAR_KEYWORD}
    return names if len(names) == len(found) else names | _parameters(made.__base__ or object)
