"""Proximal policy optimisation of a controller, as NASNet was searched.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (CVPR 2018, arXiv 1707.07012v4),
appendix A: an LSTM samples architectures (`controller`); PPO raises the probability of those that earn more than the
exponential moving average (weight 0.95) of the rewards before them; Adam with learning rate 0.00035, entropy weight
0.00001, mini-batches of 20 architectures. The reward is the validation accuracy, from 0 to 1 here.

What the paper does not say, and what was chosen:

- The clip (0.2) and the epochs over each batch (10). They are options.
- The ratio that is clipped is that of one softmax. The objective is the sum over the softmaxes of a trajectory and the
  mean over the trajectories of a batch, plus the weighted entropies, summed and averaged likewise.
- The baseline begins at the mean of the first batch.
- Illegal values are masked out of every softmax. Where one value alone is legal, its log-probability is 0.
- A search of fewer than 500 trials has smaller batches, 25 in all, see `PPO`.
- An answer may come when the policy has moved on. The log-probabilities under which a proposal was drawn travel with it
  (`Proposal.info`) and are the old ones of its ratio, whenever it is learnt from; the clip sees to the rest. A proposal
  without them was not drawn by this strategy but at random, by the loop: then the old ones are those of uniform
  decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from automl_cells.errors import StrategyError
from automl_cells.spaces.base import Action, Space
from automl_cells.strategies.base import Proposal, Strategy, proposal
from automl_cells.strategies.snapshots import count, is_number, number, packed, trajectory, unpacked

if TYPE_CHECKING:
    import numpy as np

PAPER_BATCH = 20
LEAST_BATCHES = 25  # of a search
MOST = 4096  # units, epochs and architectures in a batch; beyond it memory ends before sense begins
REWARD_SCALE = 100.0  # rewards come in per cent; the controller learns from 0 to 1


class _Told(NamedTuple):
    """A trajectory that waits for its batch to fill: decisions, reward from 0 to 1, log-probabilities when drawn."""

    decisions: tuple[Action, ...]
    reward: float
    log_probabilities: tuple[float, ...]


class PPO(Strategy):
    """NASNet's search.

    Args:
        space: where to search.
        trials: distinct genotypes that the search will train.
        seed: of the controller's initial weights.
        learning_rate: of Adam.
        entropy: weight of the entropy of the softmaxes, which keeps them from settling too early.
        baseline_momentum: weight of the old baseline when a reward is added to it.
        batch: architectures from which it learns at once; by default the paper's 20, or a 25th of `trials` if that is
            less. The paper has 1,000 batches; with 20 a batch, searches of 24 to 100 trials on NAS-Bench-201 were no
            better than random.
        clip: ε, how far from 1 a ratio of probabilities may go; not from the paper.
        epochs: steps on each batch; not from the paper.
        units: of the LSTM.

    Raises:
        StrategyError: an option out of range.
    """

    name: ClassVar[str] = "ppo"

    def __init__(
        self,
        space: Space,
        trials: int,
        seed: int = 0,
        *,
        learning_rate: float = 3.5e-4,
        entropy: float = 1e-5,
        baseline_momentum: float = 0.95,
        batch: int | None = None,
        clip: float = 0.2,
        epochs: int = 10,
        units: int = 100,
    ) -> None:
        super().__init__(space, trials, seed)
        if not is_number(learning_rate) or not is_number(clip) or learning_rate <= 0 or clip <= 0:
            raise StrategyError(f"Expected learning_rate and clip above 0. Received: {learning_rate=}, {clip=}")
        if not is_number(entropy) or entropy < 0:
            raise StrategyError(f"Expected entropy from 0. Received: {entropy!r}")
        if not is_number(baseline_momentum) or not 0 <= baseline_momentum <= 1:
            raise StrategyError(f"Expected baseline_momentum from 0 to 1. Received: {baseline_momentum!r}")
        self.batch = min(PAPER_BATCH, max(1, round(trials / LEAST_BATCHES))) if batch is None else batch
        if any(type(value) is not int or not 1 <= value <= MOST for value in (self.batch, epochs, units)):
            raise StrategyError(
                f"Expected batch, epochs and units from 1 to {MOST}. Received: {batch=}, {epochs=}, {units=}"
            )
        from automl_cells.strategies.adam import Adam  # here, because they import NumPy
        from automl_cells.strategies.controller import Controller
        from automl_cells.strategies.emission import Emission

        self.entropy = entropy
        self.baseline_momentum = baseline_momentum
        self.clip = clip
        self.epochs = epochs
        self.controller = Controller(space.factor_sizes, units, seed)
        self.baseline: float | None = None
        self.pending: list[_Told] = []
        self._adam = Adam(learning_rate, self.controller.weights.size)
        self._emission = Emission(space)

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        """Draw from the controller, factor by factor.

        Returns:
            A proposal whose info has the ``log_probabilities`` of its factors and ``log_probability``, their sum.
        """
        import numpy as np

        decisions: list[Action] = []
        log_probabilities: list[float] = []
        memory = self.controller.begin()
        value = None
        state = self.space.initial()
        while not self.space.is_terminal(state):
            choices = self._emission.choices(state)
            factors: tuple[int, ...] = ()
            for _ in self.space.factor_sizes:
                mask = choices.shares(factors) > 0
                memory, logs = self.controller.advance(memory, len(log_probabilities), value, mask)
                legal = np.flatnonzero(mask)
                ends = np.cumsum(np.exp(logs[legal], dtype=float))
                value = int(legal[np.searchsorted(ends[:-1], rng.random() * ends[-1], side="right")])
                log_probabilities.append(float(logs[value]))
                factors = (*factors, value)
            decisions.append(choices.action(factors))
            state = self.space.step(state, decisions[-1])
        info = {"log_probability": sum(log_probabilities), "log_probabilities": log_probabilities}
        return proposal(self.space, tuple(decisions), info)

    def tell(self, proposal: Proposal, reward: float) -> None:
        """Keep the trajectory; learn from every full batch.

        Raises:
            GenotypeError: the decisions are none of this space.
        """
        emitted = self._emission.emitted(proposal.decisions)
        noted = _log_probabilities(proposal.info.get("log_probabilities"), len(emitted.values))
        old = emitted.uniform_log_probabilities if noted is None else noted
        self.pending.append(_Told(proposal.decisions, reward / REWARD_SCALE, old))
        if len(self.pending) == self.batch:
            self._learn()
            self.pending = []

    def inherit(self, told: Sequence[tuple[Proposal, float]]) -> None:
        """Start with the controller that the earlier search would have; the baseline follows the new rewards alone."""
        for earlier, reward in told:
            self.tell(earlier, reward)
        if self.pending:  # a last, smaller batch
            self._learn()
        self.pending = []
        self.baseline = None

    def _learn(self) -> None:
        """`epochs` steps on the batch that is pending."""
        import numpy as np

        from automl_cells.strategies.controller import batched
        from automl_cells.strategies.surrogate import advantages, surrogate

        rewards = [told.reward for told in self.pending]
        before = sum(rewards) / len(rewards) if self.baseline is None else self.baseline
        gains, self.baseline = advantages(rewards, before, self.baseline_momentum)
        batch = batched([self._emission.emitted(told.decisions) for told in self.pending])
        old = np.zeros(batch.values.shape, self.controller.dtype)
        for column, told in enumerate(self.pending):
            old[: len(told.log_probabilities), column] = told.log_probabilities
        self.controller.reach(len(old))
        self._adam.grow(self.controller.weights.size)
        entropy_slopes = np.full_like(old, self.entropy / len(gains))
        for _ in range(self.epochs):
            done = self.controller.forward(batch)
            _, slopes = surrogate(done.chosen, old, np.array(gains, old.dtype), self.clip)
            gradient = self.controller.gradient(batch, done, slopes / len(gains), entropy_slopes)
            self._adam.ascend(self.controller.weights, gradient)

    def state(self) -> dict[str, Any]:
        """The controller's weights, Adam's moments, the baseline and the batch that is not full yet."""
        return {
            "positions": self.controller.positions,
            "weights": packed(self.controller.weights),
            "first_moment": packed(self._adam.first),
            "second_moment": packed(self._adam.second),
            "steps": self._adam.steps,
            "baseline": self.baseline,
            "pending": [[list(told.decisions), told.reward, list(told.log_probabilities)] for told in self.pending],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`, which may have been through JSON.

        Raises:
            StrategyError: not a state of PPO in this space with as many units and as large a batch.
        """
        try:
            positions = count(state["positions"])
            size, dtype = self.controller.size(positions), self.controller.dtype
            weights, first, second = (
                unpacked(state[name], size, dtype) for name in ("weights", "first_moment", "second_moment")
            )
            if (second < 0).any():
                raise ValueError("a second moment below 0")
            steps = count(state["steps"])
            baseline = None if state["baseline"] is None else number(state["baseline"])
            pending = [self._told(*item) for item in state["pending"]]
            if len(pending) >= self.batch:
                raise ValueError(f"{len(pending)} trajectories pending for a batch of {self.batch}")
        except (KeyError, TypeError, ValueError) as error:
            raise StrategyError(f"Expected a state of ppo. Received: {error!r}") from None
        self.controller.load(weights, positions)
        self._adam.load(first, second, steps)
        self.baseline, self.pending = baseline, pending

    def _told(self, decisions: Any, reward: Any, log_probabilities: Any) -> _Told:
        checked = trajectory(decisions, self.space)
        old = _log_probabilities(log_probabilities, len(checked) * len(self.space.factor_sizes))
        if old is None:
            raise ValueError(f"log-probabilities {log_probabilities!r:.80}")
        return _Told(checked, number(reward), old)


def _log_probabilities(noted: Any, length: int) -> tuple[float, ...] | None:
    """`noted`, if it is the log-probabilities of so many factors."""
    if not isinstance(noted, list | tuple) or len(noted) != length:
        return None
    return tuple(noted) if all(is_number(log) and log <= 0 for log in noted) else None
