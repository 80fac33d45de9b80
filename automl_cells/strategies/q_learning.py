"""Tabular Q-learning over the decisions of a space, with experience replay.

Zhong et al. (BlockQNN, CVPR 2018, arXiv 1708.05552) sections 3.2 and 4.2. The table maps what the space says a state
looks like (`Space.key`) and an action to a value. A finished block with reward r_T and T decisions teaches

    Q(s_{T-1}, a_T) ← (1 − α) Q(s_{T-1}, a_T) + α r_T
    Q(s_{t-1}, a_t) ← (1 − α) Q(s_{t-1}, a_t) + α [r_t + γ max_a Q(s_t, a)],   r_t = r_T / T  for t < T

with T the trajectory's own length. After every mini-batch of new blocks, as many are drawn from the replay memory and
taught. Both are 64 in the paper, for 11,392 blocks; they are scaled with the number of trials here.

Where the paper is silent: Q starts at 0.5 (as MetaQNN's); a trajectory is taught from its end to its beginning, in the
order in which the paper lists the equations; the replay draws with replacement.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from automl_cells.errors import StrategyError
from automl_cells.spaces.base import Action, Space, State
from automl_cells.strategies.base import Proposal, Strategy, proposal
from automl_cells.strategies.epsilon import BLOCKQNN, EpsilonSchedule

if TYPE_CHECKING:
    import numpy as np

PAPER_BLOCKS = 11_392  # 178 iterations of 64 blocks
PAPER_BATCH = 64
REWARD_SCALE = 100.0  # rewards come in per cent; the table holds values around 0 to 1


class QLearning(Strategy):
    """Q-learning as BlockQNN does it; the options turn it into its relatives.

    Args:
        space: where to search.
        trials: distinct genotypes that the search will train.
        seed: seed of the replay's draws.
        alpha: learning rate α.
        gamma: discount γ.
        initial_q: value of a state and action never taught.
        batch: new trajectories between two replays; by default the paper's 64, scaled to `trials`.
        replay: trajectories taught in each replay; by default as `batch`.
        shaping: ``"length"``: r_T / T for every decision before the last (BlockQNN); ``"none"``: 0.
        epsilon: schedule of ε, scaled to `trials`; by default the paper's.

    Raises:
        StrategyError: an option out of range.
    """

    name: ClassVar[str] = "q_learning"

    def __init__(
        self,
        space: Space,
        trials: int,
        seed: int = 0,
        *,
        alpha: float = 0.01,
        gamma: float = 1.0,
        initial_q: float = 0.5,
        batch: int | None = None,
        replay: int | None = None,
        shaping: Literal["length", "none"] = "length",
        epsilon: EpsilonSchedule | Sequence[Sequence[float]] = BLOCKQNN,
    ) -> None:
        super().__init__(space, trials, seed)
        if not _is_number(alpha) or not _is_number(gamma) or not 0 < alpha <= 1 or not 0 <= gamma <= 1:
            raise StrategyError(f"Expected α above 0 and γ from 0, both up to 1. Received: {alpha=}, {gamma=}")
        if not _is_number(initial_q):
            raise StrategyError(f"Expected initial_q as a finite number. Received: {initial_q!r}")
        scaled = max(1, round(PAPER_BATCH * trials / PAPER_BLOCKS))
        self.batch = scaled if batch is None else batch
        self.replay = self.batch if replay is None else replay
        if not all(isinstance(count, int) for count in (self.batch, self.replay)) or self.batch < 1 or self.replay < 0:
            raise StrategyError(f"Expected batch from 1 and replay from 0. Received: {batch=}, {replay=}")
        if shaping not in ("length", "none"):
            raise StrategyError(f"Expected shaping 'length' or 'none'. Received: {shaping!r}")
        self.alpha = alpha
        self.gamma = gamma
        self.initial_q = initial_q
        self.shaping = shaping
        if not isinstance(epsilon, EpsilonSchedule):
            epsilon = EpsilonSchedule.from_pairs(epsilon)
        self.epsilon = epsilon
        self.table: dict[Hashable, dict[Action, float]] = {}
        self.memory: list[tuple[tuple[Action, ...], float]] = []  # (decisions, reward on the 0 to 1 scale)

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """An ε-greedy walk: each decision is random with probability ε, else the best known; ties drawn at random."""
        epsilon = self.epsilon.at(trial, self.trials)
        decisions = []
        state = self.space.initial()
        while not self.space.is_terminal(state):
            legal = self.space.actions(state)
            choices = legal if rng.random() < epsilon else self._best_actions(state, legal)
            action = choices[int(rng.integers(len(choices)))]
            decisions.append(action)
            state = self.space.step(state, action)
        return proposal(self.space, tuple(decisions), {"epsilon": epsilon})

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Remember the trajectory; after every `batch` of them, teach `replay` drawn from memory."""
        import numpy as np

        self.memory.append((proposal.decisions, reward / REWARD_SCALE))
        if len(self.memory) % self.batch == 0:
            rng = np.random.default_rng([self.seed, len(self.memory)])
            for index in rng.integers(len(self.memory), size=self.replay):
                self.update(*self.memory[index])

    def inherit(self, told: Sequence[tuple[Proposal, float]]) -> None:
        """Start with the table that the earlier trials teach, one after the other with its replay, and without ε = 1.

        Their rewards are not kept for later replays: they are not what the same genotypes earn here.
        """
        batch, replay = self.batch, self.replay
        self.batch, self.replay = 1, max(1, round(replay / batch))  # few earlier trials need not fill a mini-batch
        for earlier, reward in told:
            self.tell(earlier, reward)
        self.batch, self.replay, self.memory = batch, replay, []
        self.epsilon = self.epsilon.after_exploring()

    def update(self, decisions: Sequence[Action], reward: float) -> None:
        """Teach one trajectory.

        Args:
            decisions: the actions, the last one leading to the terminal state.
            reward: r_T on the 0 to 1 scale.
        """
        states = [self.space.initial()]
        for action in decisions:
            states.append(self.space.step(states[-1], action))
        step_reward = reward / len(decisions) if self.shaping == "length" else 0.0
        for position in reversed(range(len(decisions))):
            if position == len(decisions) - 1:
                target = reward
            else:
                target = step_reward + self.gamma * self._best_value(states[position + 1])
            values = self.table.setdefault(self.space.key(states[position]), {})
            old = values.get(decisions[position], self.initial_q)
            values[decisions[position]] = (1 - self.alpha) * old + self.alpha * target

    def value(self, state: State, action: Action) -> float:
        """Q(state, action)."""
        return self.table.get(self.space.key(state), {}).get(action, self.initial_q)

    def _best_value(self, state: State) -> float:
        """Max over the legal actions of Q(state, ·)."""
        values = self.table.get(self.space.key(state))
        if not values:
            return self.initial_q
        return max(map(values.get, self.space.actions(state), repeat(self.initial_q)))

    def _best_actions(self, state: State, legal: Sequence[Action]) -> Sequence[Action]:
        """All legal actions of the largest value."""
        values = self.table.get(self.space.key(state))
        if not values:
            return legal
        numbers = list(map(values.get, legal, repeat(self.initial_q)))
        best = max(numbers)
        return [action for action, number in zip(legal, numbers, strict=True) if number == best]

    def state(self) -> dict[str, Any]:
        """The table, the replay memory, and the phases of ε, which a warm start shortens."""
        return {
            "epsilon": [list(phase) for phase in self.epsilon.phases],
            "table": [[key, action, value] for key, values in self.table.items() for action, value in values.items()],
            "memory": [[list(decisions), reward] for decisions, reward in self.memory],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of Q-learning.
        """
        try:
            table: dict[Hashable, dict[Action, float]] = {}
            for key, action, value in state["table"]:
                table.setdefault(_frozen(key), {})[_frozen(action)] = _finite(value)
            memory = [(_trajectory(decisions), _finite(reward)) for decisions, reward in state["memory"]]
            epsilon = EpsilonSchedule.from_pairs(state["epsilon"])
        except (KeyError, TypeError, ValueError) as error:
            raise StrategyError(f"Expected a state of q_learning. Received: {error!r}") from None
        self.table, self.memory, self.epsilon = table, memory, epsilon


def _frozen(value: Any) -> Any:
    """JSON lists back to the tuples that they were."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _trajectory(value: Any) -> tuple[Action, ...]:
    """The decisions in a list, at least one."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"decisions {value!r:.80}")
    return _frozen(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _finite(value: Any) -> float:
    if not _is_number(value):
        raise ValueError(f"value {value!r:.80}")
    return float(value)
