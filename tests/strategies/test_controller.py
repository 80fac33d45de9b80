"""The controller against formulas written out, finite differences and exhaustive sums."""

from __future__ import annotations

import itertools
from math import exp, log, tanh

import numpy as np
import pytest

from automl_cells.spaces import NasBench201, Space, State, space
from automl_cells.strategies.base import uniform_decisions
from automl_cells.strategies.controller import Batch, Controller, batched
from automl_cells.strategies.emission import Emission
from tests.strategies.tree import Tree


def trajectories(where: Space, count: int, seed: int = 0) -> list:
    """Random trajectories as a controller sees them."""
    emission, rng = Emission(where), np.random.default_rng(seed)
    return [emission.emitted(uniform_decisions(where, rng)) for _ in range(count)]


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def test_two_steps_by_hand() -> None:
    # One unit, one factor of two values: tokens are the start, value 0 and value 1.
    controller = Controller((2,), units=1, dtype=np.float64)
    controller.reach(2)
    controller.weights[:] = [
        *(0.5, -0.4, 0.3, 0.2),  # from the embedding to input, forget and output gate and candidate
        *(0.1, 0.7, -0.6, 0.9),  # from the last output
        *(0.05, 0.15, 0.25, 0.35),  # biases
        *(1.0, -2.0, 3.0),  # embeddings of the start, of 0 and of 1
        *(0.8, -0.8, 0.1, 0.2),  # softmax of the first decision: two weights, two biases
        *(2.0, 1.0, 0.0, -0.5),  # and of the second
    ]
    output = cell = 0.0
    expected = []
    for embedding, chosen, weights, biases in [
        (1.0, 1, (0.8, -0.8), (0.1, 0.2)),
        (3.0, 0, (2.0, 1.0), (0.0, -0.5)),  # the step before chose value 1, whose embedding is 3
    ]:
        enter = sigmoid(0.5 * embedding + 0.1 * output + 0.05)
        forget = sigmoid(-0.4 * embedding + 0.7 * output + 0.15)
        leave = sigmoid(0.3 * embedding - 0.6 * output + 0.25)
        cell = forget * cell + enter * tanh(0.2 * embedding + 0.9 * output + 0.35)
        output = leave * tanh(cell)
        logits = [weight * output + bias for weight, bias in zip(weights, biases, strict=True)]
        total = log(sum(map(exp, logits)))
        expected.append((logits[chosen] - total, -sum(exp(z - total) * (z - total) for z in logits)))
    done = controller.forward(Batch(np.array([[1], [0]]), np.ones((2, 1, 2), bool)))
    assert done.chosen[:, 0] == pytest.approx([chosen for chosen, _ in expected], rel=1e-12)
    assert done.entropies[:, 0] == pytest.approx([entropy for _, entropy in expected], rel=1e-12)


def test_weights_are_uniform_and_follow_the_seed() -> None:
    controller = Controller((5,), seed=3)
    controller.reach(6)
    weights = controller.weights
    assert controller.units == 100
    # 2 · 100 · 400 to the gates with 400 biases, 6 tokens of 100, 6 softmaxes of 101 · 5
    assert weights.size == controller.size(6) == 80_000 + 400 + 600 + 3030
    assert np.abs(weights).max() <= 0.1
    assert abs(weights.mean()) < 1e-3  # σ = 0.2 / √12 / √84,030 = 2e-4
    assert weights.std() == pytest.approx(0.2 / 12**0.5, rel=0.02)
    other = Controller((5,), seed=4)
    other.reach(6)
    assert (other.weights != weights).mean() > 0.99
    assert (np.random.default_rng([3, 0]).uniform(-0.1, 0.1, 1000) != weights[:1000]).any()  # as for proposals


def test_softmaxes_do_not_depend_on_when_they_were_made() -> None:
    at_once, bit_by_bit = Controller((3, 2), units=4), Controller((3, 2), units=4)
    at_once.reach(7)  # four decisions of two factors
    for steps in (1, 2, 5, 4, 7):
        bit_by_bit.reach(steps)
    assert bit_by_bit.positions == at_once.positions == 4
    assert bit_by_bit.weights.tolist() == at_once.weights.tolist()


def test_asking_beyond_the_softmaxes_sees_what_they_will_be() -> None:
    controller = Controller((3, 2), units=4)
    before = controller.weights.copy()
    mask = np.ones(2, bool)
    fresh = controller.advance(controller.begin(), 5, 1, mask)[1]
    assert controller.positions == 0
    assert controller.weights.tolist() == before.tolist()
    controller.reach(6)
    assert controller.advance(controller.begin(), 5, 1, mask)[1].tolist() == fresh.tolist()


@pytest.mark.parametrize(
    ("where", "units"),
    [(space("blockqnn", max_index=4), 3), (Tree(), 4), (NasBench201(), 2)],
    ids=["blockqnn", "tree", "nasbench201"],
)
def test_gradients_against_differences(where: Space, units: int) -> None:
    # Trajectories of several lengths; both derivatives at once, with random weights for every step.
    batch = batched(trajectories(where, 6))
    controller = Controller(where.factor_sizes, units, seed=1, dtype=np.float64)
    controller.reach(len(batch.values))
    controller.weights *= 10  # far from where everything is linear
    rng = np.random.default_rng(2)
    chosen, entropies = rng.normal(size=(2, *batch.values.shape))

    def value() -> float:
        done = controller.forward(batch)
        return float((done.chosen * chosen).sum() + (done.entropies * entropies).sum())

    gradient = controller.gradient(batch, controller.forward(batch), chosen, entropies)
    differences = np.empty_like(gradient)
    for index in range(gradient.size):
        kept = controller.weights[index]
        ends = []
        for step in (1e-5, -1e-5):
            controller.weights[index] = kept + step
            ends.append(value())
        controller.weights[index] = kept
        differences[index] = (ends[0] - ends[1]) / 2e-5
    assert np.abs(gradient).max() > 0.1
    assert gradient == pytest.approx(differences, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("where", [space("blockqnn", max_index=5), Tree()], ids=["blockqnn", "tree"])
def test_one_by_one_is_as_side_by_side(where: Space) -> None:
    # `advance` and a batch of one see what the padded batch sees.
    emitted = trajectories(where, 8)
    assert len({len(one.values) for one in emitted}) > 1
    controller = Controller(where.factor_sizes, 5, dtype=np.float64)
    controller.reach(max(len(one.values) for one in emitted))
    together = controller.forward(batched(emitted)).chosen
    for column, one in enumerate(emitted):
        alone = controller.forward(batched([one])).chosen[:, 0]
        memory, last, steps = controller.begin(), None, []
        for step, (value, shares) in enumerate(zip(one.values, one.shares, strict=True)):
            memory, logs = controller.advance(memory, step, last, shares > 0)
            assert len(logs) == len(shares)
            assert np.all(np.isneginf(logs) == (shares == 0))
            steps.append(logs[value])
            last = value
        assert steps == pytest.approx(alone, rel=1e-12)
        assert together[: len(alone), column] == pytest.approx(alone, rel=1e-12)
        assert not together[len(alone) :, column].any()


def test_where_one_value_is_legal_nothing_is_chosen() -> None:
    # At its maximum index BlockQNN has the terminal alone.
    batch = batched([one for one in trajectories(space("blockqnn", max_index=3), 20) if len(one.values) == 9])
    controller = Controller((11, 3, 3), 4)
    controller.reach(9)
    controller.weights *= 30
    done = controller.forward(batch)
    assert batch.masks[6:].sum(axis=-1).tolist() == np.ones((3, len(batch.values[0]))).tolist()
    assert not done.chosen[6:].any()
    assert not done.entropies[6:].any()
    gradient = controller.gradient(batch, done, np.ones_like(done.chosen), np.ones_like(done.chosen))
    later = gradient[controller.size(2) :]
    assert later.size == controller.size(3) - controller.size(2)
    assert not later.any()
    assert gradient.any()


def everything(where: Space, state: State) -> list[tuple]:
    """All trajectories from `state` on."""
    if where.is_terminal(state):
        return [()]
    return [(action, *rest) for action in where.actions(state) for rest in everything(where, where.step(state, action))]


@pytest.mark.parametrize(
    ("where", "count"),
    # BlockQNN with at most one layer: 11 codes, or with two: 10 · 11 + 1
    [(Tree(), 5), (space("blockqnn", max_index=2), 11), (space("blockqnn", max_index=3), 111)],
    ids=["tree", "one layer", "two layers"],
)
def test_the_probabilities_of_all_trajectories_sum_to_one(where: Space, count: int) -> None:
    emission = Emission(where)
    emitted = [emission.emitted(decisions) for decisions in everything(where, where.initial())]
    assert len(emitted) == count
    controller = Controller(where.factor_sizes, 6, dtype=np.float64)
    controller.reach(20)
    controller.weights *= 20
    probabilities = np.exp(controller.forward(batched(emitted)).chosen.sum(axis=0))
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert probabilities.max() > 2 / count


def test_batches_are_padded() -> None:
    emission = Emission(Tree())
    batch = batched([emission.emitted((0, 1, 1)), emission.emitted((2,))])
    assert batch.values.tolist() == [[0, 2], [1, 0], [1, 0]]
    assert batch.masks.tolist() == [
        [[True] * 3, [True] * 3],
        [[True, True, False], [True, False, False]],
        [[True, True, False], [True, False, False]],
    ]


def test_values_of_different_factors_have_embeddings_of_their_own() -> None:
    # (factor 0, value 1) and (factor 1, value 0) are different tokens.
    controller = Controller((2, 3), units=4)
    mask = np.ones(2, bool)
    memories = {
        (step, last): controller.advance(controller.begin(), step, last, mask)[0].output.tobytes()
        for step, last in itertools.chain(
            [(0, None)], itertools.product((1,), (0, 1)), itertools.product((2,), range(3))
        )
    }
    assert len(set(memories.values())) == 6
