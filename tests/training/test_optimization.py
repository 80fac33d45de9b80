import keras
import numpy as np
import pytest

from automl_cells.training import recipe
from automl_cells.training.optimization import LearningRate, ema_momentum, make_optimizer


def rates(at, total, **changes):
    schedule = LearningRate(recipe("plain", learning_rate=2.0, **changes), total)
    return [float(schedule(step)) for step in at]


def test_cosine_after_a_linear_warm_up():
    # 10 steps, 2 of warm-up: 2 · 1/2, 2 · 2/2; then over 8 steps 2 · (1 + cos π k/8) / 2 for k = 0, 2, 4, 7, and 0.
    found = rates([0, 1, 2, 4, 6, 9, 10], 10, schedule="cosine", warmup=0.2)
    assert found == pytest.approx([1, 2, 2, 1 + 0.5**0.5, 1, 1 - np.cos(np.pi / 8), 0], abs=1e-6)


def test_steps_multiply_the_rate_at_their_fractions():
    found = rates([0, 49, 50, 69, 70, 99], 100, schedule="step", steps=[0.5, 0.7], step_factor=0.1, warmup=0)
    assert found == pytest.approx([2, 2, 0.2, 0.2, 0.02, 0.02])


def test_constant_stays():
    assert rates([0, 5, 99], 100, schedule="constant", warmup=0) == [2, 2, 2]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_only_kernels_decay(optimizer):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    model.set_weights([np.ones(weight.shape) for weight in model.weights])
    chosen = recipe("plain", optimizer=optimizer, learning_rate=0.5, weight_decay=0.2, schedule="constant", warmup=0)
    made = make_optimizer(chosen, 10, model)
    made.build(model.trainable_variables)
    made.apply([keras.ops.zeros(variable.shape) for variable in model.trainable_variables])
    kernel, *others = (variable.numpy() for variable in model.trainable_variables)
    np.testing.assert_allclose(kernel, 1 - 0.5 * 0.2, rtol=1e-6)
    for other in others:
        np.testing.assert_array_equal(other, 1)


def test_the_gradient_is_clipped_as_a_whole():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    chosen = recipe(
        "plain",
        optimizer="sgd",
        momentum=0,
        learning_rate=1.0,
        weight_decay=0,
        schedule="constant",
        warmup=0,
        clip_norm=1,
    )
    made = make_optimizer(chosen, 10, model)
    made.build(model.trainable_variables)
    made.apply([keras.ops.convert_to_tensor([[3.0]]), keras.ops.convert_to_tensor([4.0])])  # norm 5
    np.testing.assert_allclose(np.ravel([v.numpy().item() for v in model.weights]), [-0.6, -0.8], rtol=1e-6)


def test_a_short_training_averages_over_a_twentieth_of_it():
    assert ema_momentum(recipe("plain", ema=0.99), 400) == pytest.approx(0.95)  # 20 steps
    assert ema_momentum(recipe("plain", ema=0.99), 2000) == pytest.approx(0.99)
    assert ema_momentum(recipe("plain", ema=0.99), 10_000) == 0.99
    assert ema_momentum(recipe("plain", ema=0.99), 3) == 0.0
