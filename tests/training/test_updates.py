"""The arithmetic of each optimizer against Keras' own, over 50 steps."""

import keras
import numpy as np
import pytest

from automl_cells.training import recipe
from automl_cells.training.schedule import learning_rate
from automl_cells.training.updates import Update

SHAPES = [(3, 3, 2, 4), (4,), (4,), (5, 3), (3,)]
STEPS = 50
PLAIN = {"warmup": 0.1, "weight_decay": 0.0, "ema": None, "clip_norm": None, "learning_rate": 0.05}


def start():
    random = np.random.default_rng(0)
    return [random.normal(size=shape).astype(np.float32) for shape in SHAPES]


def gradient_of(values):
    """Of a bowl with its middle at 1: different for every variable, and shrinking."""
    return [(value - 1) * (number + 1) / 3 for number, value in enumerate(values)]


def ours(chosen, rates=None):
    update = Update(chosen, STEPS, 10, SHAPES, rates)
    values = start()
    slots = [keras.ops.convert_to_tensor(slot) for slot in update.initial(values).values()]
    weights = update.flat(values)
    for step in range(STEPS):
        gradient = update.flat(gradient_of([np.asarray(value) for value in update.split(weights)]))
        weights, slots = update(weights, gradient, slots, list(update.scalars(step)))
    return [np.asarray(value) for value in update.split(weights)], slots


def theirs(chosen, optimizer):
    variables = [keras.Variable(value) for value in start()]
    optimizer.build(variables)
    for step in range(STEPS):
        optimizer.learning_rate = learning_rate(chosen, step, STEPS, 10)
        gradients = gradient_of([variable.numpy() for variable in variables])
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], variables)
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize(
    ("fields", "make"),
    [
        ({"optimizer": "sgd"}, lambda o: o.SGD(0.1, momentum=0.9, nesterov=True)),
        ({"optimizer": "sgd", "nesterov": False}, lambda o: o.SGD(0.1, momentum=0.9)),
        ({"optimizer": "adam", "epsilon": 1e-8}, lambda o: o.Adam(0.1, epsilon=1e-8)),
        (
            {"optimizer": "rmsprop", "momentum": 0.9, "epsilon": 1.0},
            lambda o: o.RMSprop(0.1, momentum=0.9, epsilon=1.0),
        ),
        ({"optimizer": "rmsprop", "momentum": 0.0}, lambda o: o.RMSprop(0.1)),
    ],
    ids=["nesterov", "momentum", "adam", "rmsprop with momentum", "rmsprop"],
)
def test_the_arithmetic_is_that_of_keras(fields, make):
    chosen = recipe("plain", **PLAIN | fields)
    for own, other in zip(ours(chosen)[0], theirs(chosen, make(keras.optimizers)), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6, rtol=1e-6)


def test_adamw_lets_kernels_decay_and_nothing_else():
    chosen = recipe("plain", **PLAIN | {"optimizer": "adamw", "weight_decay": 0.05})
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.05)
    optimizer.exclude_from_weight_decay(var_names=["vector"])
    variables = [
        keras.Variable(value, name="vector" if value.ndim == 1 else "kernel") for value in start()
    ]  # Keras goes by names
    optimizer.build(variables)
    for step in range(STEPS):
        optimizer.learning_rate = learning_rate(chosen, step, STEPS, 10)
        gradients = gradient_of([variable.numpy() for variable in variables])
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], variables)
    for own, other in zip(ours(chosen)[0], variables, strict=True):
        np.testing.assert_allclose(own, other.numpy(), atol=1e-6, rtol=1e-6)


def one_step(weights, gradient, shapes, slots=(0.0,), rates=None, **fields):
    chosen = recipe(
        "plain", **PLAIN | {"optimizer": "sgd", "nesterov": False, "warmup": 0.0, "schedule": "constant"} | fields
    )
    update = Update(chosen, 10, 10, shapes, rates)
    slots = [keras.ops.convert_to_tensor(np.full(update.size, slot, np.float32)) for slot in slots]
    flat, new = update(np.float32(weights), np.float32(gradient), slots, list(update.scalars(0)))
    return np.asarray(flat), [np.asarray(slot) for slot in new]


def test_l2_is_added_to_the_gradient_of_kernels_before_clipping():
    # kernel w = 2, g = 1, l2 = 0.5: g + 0.5 · 2 = 2; the vector's gradient stays 0. Clipped to 1: 1. η = 0.05.
    weights, _ = one_step([2.0, 7.0], [1.0, 0.0], [(1, 1), (1,)], l2=0.5, clip_norm=1.0)
    np.testing.assert_allclose(weights, [2 - 0.05 * 1, 7])


def test_the_norm_of_the_whole_gradient_is_clipped_and_a_small_one_left():
    weights, _ = one_step([0.0, 0.0], [3.0, 4.0], [(1, 1), (1,)], clip_norm=1.0)  # norm 5
    np.testing.assert_allclose(weights, [-0.05 * 3 / 5, -0.05 * 4 / 5], rtol=1e-6)
    weights, _ = one_step([0.0, 0.0], [0.3, 0.4], [(1, 1), (1,)], clip_norm=1.0)
    np.testing.assert_allclose(weights, [-0.05 * 0.3, -0.05 * 0.4], rtol=1e-6)


def test_each_variable_has_its_own_factor_of_the_rate():
    weights, _ = one_step([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [(1, 2), (1,)], rates=[0.1, 2.0])
    np.testing.assert_allclose(weights, [-0.005, -0.005, -0.1], rtol=1e-6)


def test_the_average_starts_at_the_weights_and_then_lags():
    chosen = recipe("plain", **PLAIN | {"optimizer": "sgd", "ema": 0.5, "warmup": 0.0, "schedule": "constant"})
    update = Update(chosen, 1000, 10, [(1,)])
    assert update.slots == ("momentum", "average")
    np.testing.assert_allclose(update.initial([np.array([3.0])])["average"], [3])
    slots = [np.float32([0.0]), np.float32([4.0])]
    zero = np.float32([0.0])
    _, first = update(np.float32([2.0]), zero, slots, list(update.scalars(0)))
    assert float(first[1][0]) == 2  # the first step takes the weights
    _, later = update(np.float32([2.0]), zero, slots, list(update.scalars(1)))
    assert float(later[1][0]) == pytest.approx(0.5 * 4 + 0.5 * 2)


def test_flat_and_split_are_inverse():
    update = Update(recipe("plain"), 10, 10, SHAPES)
    values = start()
    back = update.split(update.flat(values))
    assert update.size == sum(value.size for value in values)
    for value, again in zip(values, back, strict=True):
        np.testing.assert_array_equal(value, np.asarray(again))
