"""NASNet's controller in NumPy: an LSTM that emits an architecture one small number after the other.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (CVPR 2018, arXiv 1707.07012v4),
appendix A: a one-layer LSTM with 100 units, a softmax of its own for every prediction, all weights uniform from −0.1
to 0.1. A prediction is one factor of one decision here (`Space.factors`): step t of the LSTM predicts factor t mod F of
decision t div F, with F factors an action. The input of a step is a learnt embedding of the value predicted before,
that of the first step a learnt start token.

Ours: a value of a factor has one embedding, wherever it stands; the embeddings are as wide as the LSTM; biases begin
like all weights. A space does not say how many decisions it takes, so the softmaxes are made as trajectories get
longer; their first values depend on the seed and on where they stand, not on when they are made.

The four gates are four products, and sums over time are sums of products of single steps. At the paper's size that
keeps each product below what OpenBLAS thinks worth several threads, which made the learning 20 times slower where other
processes were busy.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from automl_cells.strategies.emission import Emitted

SPREAD = 0.1  # initial weights are uniform from -SPREAD to SPREAD
_STREAM = 1  # keeps these draws apart from those for proposals, whose seed the search loop begins with the same number


class Memory(NamedTuple):
    """What the LSTM remembers: its output and its cell state, both (batch, units)."""

    output: np.ndarray
    cell: np.ndarray


class Batch(NamedTuple):
    """B trajectories side by side, padded to the T steps of the longest; S is the size of the largest factor.

    Attributes:
        values: what is predicted, (T, B), 0 where a trajectory has ended.
        masks: what is legal, (T, B, S), 0 alone where a trajectory has ended, so that nothing is chosen there.
    """

    values: np.ndarray
    masks: np.ndarray


class Pass(NamedTuple):
    """What a pass over a batch computes, and what its gradient needs.

    Attributes:
        chosen: log-probability of each value, (T, B).
        entropies: of each step's probabilities, (T, B), in nats.
        logs: log-probabilities of all values, (T, B, S), −inf where not legal.
        tokens: the rows of the embeddings that were read, (T, B).
        outputs: of the LSTM, (T + 1, B, units), beginning with zeros.
        cells: its cell states, likewise.
        gates: input, forget and output gate and the candidate, after their nonlinearities, (T, 4, B, units).
    """

    chosen: np.ndarray
    entropies: np.ndarray
    logs: np.ndarray
    tokens: np.ndarray
    outputs: np.ndarray
    cells: np.ndarray
    gates: np.ndarray


class _Parts(NamedTuple):
    """Views of a flat vector of all parameters."""

    kernel: np.ndarray  # (4, units, units), from the embedding to the gates
    recurrent: np.ndarray  # (4, units, units), from the last output to the gates
    bias: np.ndarray  # (4, 1, units)
    embeddings: np.ndarray  # (tokens, units), row 0 the start token
    softmaxes: np.ndarray  # (steps, units + 1, S), the last row the biases


class Controller:
    """The network: probabilities of the next value, and gradients.

    Args:
        factor_sizes: how many values each factor of an action has.
        units: of the LSTM.
        seed: of the initial weights.
        dtype: of all arithmetic; double precision only where derivatives are compared with differences.

    Attributes:
        weights: all parameters in one vector: what every step shares, then the softmaxes of each decision in turn. May
            be changed in place.
        positions: decisions whose softmaxes are in `weights`.
    """

    def __init__(
        self, factor_sizes: Sequence[int], units: int = 100, seed: int = 0, dtype: type[np.floating] = np.float32
    ) -> None:
        self.units = units
        self.seed = seed
        self.dtype = dtype
        self._factors = len(factor_sizes)
        self._largest = max(factor_sizes)
        self._first_tokens = tuple(itertools.accumulate(factor_sizes, initial=1))
        self._shared = 8 * units * units + 4 * units + self._first_tokens[-1] * units
        self._per_decision = self._factors * (units + 1) * self._largest
        self._not_reached: dict[int, np.ndarray] = {}  # softmaxes by position
        self.load(self._initial(0, self._shared), 0)

    def size(self, positions: int) -> int:
        """Number of parameters with the softmaxes of so many decisions."""
        return self._shared + positions * self._per_decision

    def load(self, weights: np.ndarray, positions: int) -> None:
        """Take over parameters, shape ``(size(positions),)``."""
        self.weights = weights
        self.positions = positions
        self._parts = self._split(weights)

    def reach(self, steps: int) -> None:
        """Have the softmaxes of at least so many steps in `weights`."""
        positions = -(-steps // self._factors)
        if positions > self.positions:
            more = [self._initial(1 + position, self._per_decision) for position in range(self.positions, positions)]
            self.load(np.concatenate([self.weights, *more]), positions)

    def _initial(self, part: int, size: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, part, _STREAM])
        return rng.uniform(-SPREAD, SPREAD, size).astype(self.dtype)

    def _split(self, flat: np.ndarray) -> _Parts:
        units = self.units
        square = 4 * units * units
        return _Parts(
            flat[:square].reshape(4, units, units),
            flat[square : 2 * square].reshape(4, units, units),
            flat[2 * square : 2 * square + 4 * units].reshape(4, 1, units),
            flat[2 * square + 4 * units : self._shared].reshape(-1, units),
            flat[self._shared :].reshape(-1, units + 1, self._largest),
        )

    def _softmax(self, step: int) -> np.ndarray:
        """The softmax of a step, of its first values if `reach` has not come so far."""
        position, factor = divmod(step, self._factors)
        if position < self.positions:
            return self._parts.softmaxes[step]
        if position not in self._not_reached:
            initial = self._initial(1 + position, self._per_decision)
            self._not_reached[position] = initial.reshape(-1, self.units + 1, self._largest)
        return self._not_reached[position][factor]

    def begin(self) -> Memory:
        """The memory before the first step of one trajectory."""
        return Memory(*np.zeros((2, 1, self.units), self.dtype))

    def advance(self, memory: Memory, step: int, last: int | None, mask: np.ndarray) -> tuple[Memory, np.ndarray]:
        """One step of one trajectory. Changes nothing.

        Args:
            memory: what is remembered of the steps before.
            step: from 0.
            last: the value chosen in the step before, ``None`` in the first.
            mask: the legal values, (size of the factor,), at least one.

        Returns:
            What is remembered then, and the log-probabilities of the values, (size of the factor,), −inf where not
            legal.
        """
        token = 0 if last is None else self._first_tokens[(step - 1) % self._factors] + last
        inputs = self._parts.embeddings[token, np.newaxis] @ self._parts.kernel + self._parts.bias
        _, cell, output = self._cell(inputs, memory.output, memory.cell)
        softmax = self._softmax(step)
        logits = output[0] @ softmax[:-1] + softmax[-1]
        return Memory(output, cell), _log_softmax(logits[: len(mask)], mask)

    def _cell(self, inputs: np.ndarray, output: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, ...]:
        """One step of the LSTM: its gates, cell state and output."""
        gates = inputs + output @ self._parts.recurrent
        sigmoids = gates[:3]
        sigmoids *= 0.5  # σ(x) = (1 + tanh(x / 2)) / 2, which cannot overflow
        np.tanh(gates, out=gates)
        sigmoids += 1
        sigmoids *= 0.5
        enter, forget, leave, candidate = gates
        cell = forget * cell + enter * candidate
        return gates, cell, leave * np.tanh(cell)

    def forward(self, batch: Batch) -> Pass:
        """All trajectories of a batch at once; `reach` must have come as far as they do."""
        steps, size = batch.values.shape
        first_tokens = np.resize(self._first_tokens[:-1], steps - 1)
        tokens = np.zeros((steps, size), int)
        tokens[1:] = first_tokens[:, np.newaxis] + batch.values[:-1]
        # There are fewer tokens than predictions, so the product is with the tokens.
        inputs = (self._parts.embeddings @ self._parts.kernel + self._parts.bias)[:, tokens].swapaxes(0, 1)
        outputs, cells = np.zeros((2, steps + 1, size, self.units), self.dtype)
        gates = np.empty((steps, 4, size, self.units), self.dtype)
        for step in range(steps):
            gates[step], cells[step + 1], outputs[step + 1] = self._cell(inputs[step], outputs[step], cells[step])
        softmaxes = self._parts.softmaxes[:steps]
        logs = _log_softmax(outputs[1:] @ softmaxes[:, :-1] + softmaxes[:, -1:], batch.masks)
        chosen = np.take_along_axis(logs, batch.values[..., np.newaxis], axis=-1)[..., 0]
        entropies = -np.sum(np.exp(logs) * np.where(batch.masks, logs, 0), axis=-1)
        return Pass(chosen, entropies, logs, tokens, outputs, cells, gates)

    def gradient(self, batch: Batch, done: Pass, chosen: np.ndarray, entropies: np.ndarray) -> np.ndarray:
        """Back through a pass, and through time.

        Args:
            batch: the trajectories.
            done: the pass over them with the present weights.
            chosen: derivative of some number with respect to ``done.chosen``, (T, B).
            entropies: its derivative with respect to ``done.entropies``, (T, B).

        Returns:
            Its derivative with respect to `weights`, of their shape.
        """
        steps, size = batch.values.shape
        result = np.zeros_like(self.weights)
        parts = self._split(result)
        # d log p(v) / d logit = [v] − p and d H / d logit = −p (log p + H)
        surprise = np.where(batch.masks, done.logs, 0) + done.entropies[..., np.newaxis]
        logits = -np.exp(done.logs) * (chosen[..., np.newaxis] + entropies[..., np.newaxis] * surprise)
        logits[np.arange(steps)[:, np.newaxis], np.arange(size), batch.values] += chosen
        parts.softmaxes[:steps, :-1] = done.outputs[1:].swapaxes(1, 2) @ logits
        parts.softmaxes[:steps, -1] = logits.sum(axis=1)
        from_softmax = logits @ self._parts.softmaxes[:steps, :-1].swapaxes(1, 2)

        enter, forget, leave, candidate = done.gates.swapaxes(0, 1)
        bent = np.tanh(done.cells[1:])
        flows = done.gates * (1 - done.gates)  # becomes the derivatives with respect to what the gates are made of
        flows[:, 3] = 1 - candidate * candidate
        flows *= np.stack((candidate, done.cells[:-1], bent, enter), axis=1)
        to_cell = leave * (1 - bent * bent)
        reads = (done.tokens[:, np.newaxis] == np.arange(len(parts.embeddings))[:, np.newaxis]).astype(self.dtype)
        by_token = np.zeros((4, *parts.embeddings.shape), self.dtype)
        output, cell = np.zeros((2, size, self.units), self.dtype)  # what later steps want of output and cell state
        for step in reversed(range(steps)):
            output = output + from_softmax[step]
            cell = cell + output * to_cell[step]
            flow = flows[step]
            flow[:2] *= cell
            flow[2] *= output
            flow[3] *= cell
            cell = cell * forget[step]
            output = (flow @ self._parts.recurrent.swapaxes(1, 2)).sum(axis=0)
            parts.recurrent[:] += done.outputs[step].T @ flow
            by_token += reads[step] @ flow
        parts.kernel[:] = self._parts.embeddings.T @ by_token
        parts.bias[:] = by_token.sum(axis=1, keepdims=True)
        parts.embeddings[:] = (by_token @ self._parts.kernel.swapaxes(1, 2)).sum(axis=0)
        return result


def batched(trajectories: Sequence[Emitted]) -> Batch:
    """Trajectories side by side."""
    steps = max(len(trajectory.values) for trajectory in trajectories)
    largest = max(len(shares) for trajectory in trajectories for shares in trajectory.shares)
    values = np.zeros((steps, len(trajectories)), int)
    masks = np.zeros((steps, len(trajectories), largest), bool)
    for column, (chosen, shares) in enumerate(trajectories):
        values[: len(chosen), column] = chosen
        masks[len(chosen) :, column, 0] = True
        for step, legal in enumerate(shares):
            masks[step, column, : len(legal)] = legal > 0
    return Batch(values, masks)


def _log_softmax(logits: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis; −inf where `mask` does not hold, which it must somewhere."""
    logits = np.where(mask, logits, -np.inf)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
