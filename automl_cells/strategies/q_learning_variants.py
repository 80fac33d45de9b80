"""Q-learning with other constants, each under a name of its own: what differs is options of `QLearning`.

``q_learning_metaqnn`` is Baker et al., "Designing Neural Network Architectures using Reinforcement Learning"
(MetaQNN, ICLR 2017, arXiv 1611.02167v2), section 4.3, algorithms 1 to 3: α = 0.01, γ = 1, Q starts at 0.5; a network
earns its accuracy at its last decision and nothing before; after every network 100 are drawn from the replay memory,
each taught from its end to its beginning. The authors' configuration draws 128; the paper's number is taken here.

``q_learning_fast`` is ours: few hundred trials are too few for α = 0.01, so it learns ten times as fast, and explores
for 30 % of the trials instead of 56 %; then ε falls as MetaQNN's does.
"""

from __future__ import annotations

from typing import Any, ClassVar

from automl_cells.spaces.base import Space
from automl_cells.strategies.epsilon import METAQNN, EpsilonSchedule
from automl_cells.strategies.q_learning import QLearning

REPLAY = 100
"""Networks drawn from the replay memory after each new one."""

_FALLING = METAQNN.phases[1:]
_FALL = sum(length for _, length in _FALLING)
FAST = EpsilonSchedule(((1.0, 3 * _FALL), *((epsilon, 7 * length) for epsilon, length in _FALLING)))
"""ε = 1 for 30 % of the trials, then the rest of MetaQNN's schedule."""


class MetaQNN(QLearning):
    """As MetaQNN does it; takes the options of `QLearning`."""

    name: ClassVar[str] = "q_learning_metaqnn"
    constants: ClassVar[dict[str, Any]] = {"shaping": "none", "batch": 1, "replay": REPLAY, "epsilon": METAQNN}

    def __init__(self, space: Space, trials: int, seed: int = 0, **options: Any) -> None:
        super().__init__(space, trials, seed, **{**self.constants, **options})


class Fast(MetaQNN):
    """For searches of a few hundred trials; takes the options of `QLearning`."""

    name: ClassVar[str] = "q_learning_fast"
    constants: ClassVar[dict[str, Any]] = {**MetaQNN.constants, "alpha": 0.1, "epsilon": FAST}
