import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.training import recipe, recipe_names
from automl_cells.training.schedule import ema_momentum, learning_rate


def rates(at, total, steps_per_epoch=1, **changes):
    chosen = recipe("plain", learning_rate=2.0, **{"warmup": 0, **changes})
    return [learning_rate(chosen, step, total, steps_per_epoch) for step in at]


def test_constant_stays():
    assert rates([0, 5, 99], 100, schedule="constant") == [2, 2, 2]


def test_cosine_after_a_linear_warm_up():
    # 10 steps, 2 of warm-up: 2 · 1/2, 2 · 2/2; then over 8 steps 2 · (1 + cos π k/8) / 2 for k = 0, 2, 4, 7, and 0.
    found = rates([0, 1, 2, 4, 6, 9, 10], 10, schedule="cosine", warmup=0.2)
    assert found == pytest.approx([1, 2, 2, 1 + 0.5**0.5, 1, 1 - math.cos(math.pi / 8), 0])


def test_linear_with_a_warm_up_is_one_cycle():
    # 10 steps, 5 of warm-up: 2 · k/5 for k = 1 … 5; then 2 · (1 - k/5) for k = 0 … 4, and 0.
    found = rates(range(11), 10, schedule="linear", warmup=0.5)
    assert found == pytest.approx([0.4, 0.8, 1.2, 1.6, 2, 2, 1.6, 1.2, 0.8, 0.4, 0])
    assert rates([0, 1, 2, 3], 4, schedule="linear") == [2, 1.5, 1, 0.5]


def test_steps_multiply_the_rate_at_their_fractions():
    found = rates([0, 6, 7, 69, 70, 99], 100, schedule="step", steps=[0.07, 0.7])
    assert found == pytest.approx([2, 2, 0.2, 0.2, 0.02, 0.02])
    assert rates([50], 100, schedule="step", steps=[0.5], step_factor=0.25) == [0.5]


def test_steps_may_have_a_factor_each():
    found = rates([0, 2, 4, 8], 10, schedule="step", steps=[0.2, 0.4, 0.8], step_factor=[0.5, 0.1, 0.25])
    assert found == pytest.approx([2, 1, 0.1, 0.025])


def test_exponential_goes_down_in_stairs_of_epochs():
    # 2.4 epochs of 5 steps are 12 steps.
    found = rates([0, 11, 12, 23, 24], 50, 5, schedule="exponential", decay_rate=0.97, decay_epochs=2.4)
    assert found == pytest.approx([2, 2, 2 * 0.97, 2 * 0.97, 2 * 0.97**2])


def test_stairs_shorter_than_a_step_are_one_step():
    found = rates([0, 1, 2], 50, 5, schedule="exponential", decay_rate=0.5, decay_epochs=0.01)
    assert found == [2, 1, 0.5]


@pytest.mark.parametrize(
    ("name", "epochs", "expected"),
    [
        ("metaqnn_cifar10", [0, 39, 40, 79, 80, 239, 240, 299], [0.025, 0.025, 0.0125, 0.0125, 1e-4, 1e-4, 1e-5, 1e-5]),
        ("metaqnn_svhn", [0, 4, 5, 9, 10, 29, 30, 39], [0.025, 0.025, 0.0125, 0.0125, 1e-4, 1e-4, 1e-5, 1e-5]),
        ("metaqnn_mnist", [0, 4, 5, 10, 39], [1e-3, 1e-3, 2e-4, 4e-5, 1e-3 * 0.2**7]),
        ("blockqnn_cifar", [0, 149, 150, 224, 225, 299], [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
        ("blockqnn_imagenet", [0, 29, 30, 59, 60, 89], [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]),
        ("nasnet_cifar", [0, 300, 400], [0.025, 0.0125, 0.00625]),  # cos(2π/3) = -1/2
        ("nasnet_imagenet", [0, 2, 3, 12], [1.5, 1.5, 1.5 * 0.97, 1.5 * 0.97**5]),
    ],
)
def test_the_papers_rates_at_the_papers_epochs(name, epochs, expected):
    chosen = recipe(name)
    steps = 390  # an epoch
    found = [learning_rate(chosen, epoch * steps, chosen.epochs * steps, steps) for epoch in epochs]
    assert found == pytest.approx(expected)


@given(st.sampled_from(recipe_names()), st.integers(1, 40), st.integers(1, 30), st.data())
def test_a_rate_is_above_zero_and_no_higher_than_the_peak(name, epochs, steps, data):
    chosen = recipe(name, epochs=epochs)
    step = data.draw(st.integers(0, epochs * steps - 1))
    assert 0 < learning_rate(chosen, step, epochs * steps, steps) <= chosen.learning_rate


def test_a_short_training_averages_over_a_twentieth_of_it():
    assert ema_momentum(recipe("plain", ema=0.99), 400) == pytest.approx(0.95)  # 20 steps
    assert ema_momentum(recipe("plain", ema=0.99), 2000) == pytest.approx(0.99)
    assert ema_momentum(recipe("plain", ema=0.99), 10_000) == 0.99
    assert ema_momentum(recipe("plain", ema=0.99), 3) == 0.0


def test_no_framework_is_imported():
    code = (
        "import sys, automl_cells.training.schedule; print({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
