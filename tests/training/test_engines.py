"""The contract of `automl_cells.training.engines.Engine`, for the engine of the active backend."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from automl_cells.builder import build, template
from automl_cells.datasets import Preprocessing
from automl_cells.genotypes import BlockGenotype
from automl_cells.training import recipe
from automl_cells.training.engines import engine_class
from automl_cells.training.precision import computing_in
from automl_cells.training.updates import Update

BACKEND = keras.backend.backend()
BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 2, 3, 1, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0)])
FRAME = template("cifar", repeats=1, filters=(4,), input_shape=(6, 6, 1), classes=3)
PREPROCESSING = Preprocessing((100.0,), (60.0,))
STEPS, BATCH = 20, 16
LONG = 1000  # steps of the whole training, of which these tests make the first: an average may look back that far
PLAIN = recipe(
    "plain", batch_size=BATCH, optimizer="sgd", learning_rate=0.05, weight_decay=0.0, ema=None, warmup=0.0,
    schedule="constant", label_smoothing=0.0,
)  # fmt: skip


def batches(seed=0):
    """Uint8 images of which the brightness tells the class, and one-hot targets."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, (STEPS, BATCH))
    images = random.integers(0, 90, (STEPS, BATCH, 6, 6, 1)) + 80 * labels[..., None, None, None]
    return list(zip(images.astype(np.uint8), np.eye(3, dtype=np.float32)[labels], strict=True))


BATCHES = batches()


def engine(chosen=PLAIN, *, dropout=0.0, precision="float32", stock=False):
    def network(placed):
        batch_norm = None if stock else placed.batch_norm
        return build(BLOCK, FRAME, classifier_activation=None, batch_norm=batch_norm, dropout=dropout)

    def update(model):
        return Update(chosen, LONG, 10, [tuple(variable.shape) for variable in model.trainable_variables])

    keras.utils.set_random_seed(1)
    with computing_in(precision):
        return engine_class(BACKEND)(network, update, PREPROCESSING, 1)


def losses(made, first=0, last=STEPS):
    found = []
    for number in range(first, last):
        made.step(*BATCHES[number], number)
        found.append(made.totals().loss)
    return found


def array(variable):
    tensor = getattr(variable, "value", variable)
    return np.asarray(tensor.detach() if BACKEND == "torch" else tensor)


def test_the_loss_falls():
    course = losses(engine())
    assert np.mean(course[-5:]) < 0.5 * np.mean(course[:2])


def test_every_step_is_the_one_that_keras_makes():
    ours = engine()
    model = build(BLOCK, FRAME, classifier_activation=None)
    for variable in model.weights:
        variable.assign(ours.weights(averaged=False)[variable.path])
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    theirs = []
    for images, targets in BATCHES[:10]:
        model.reset_metrics()  # the loss is a running mean
        theirs.append(float(model.train_on_batch(PREPROCESSING(images), targets)))
    np.testing.assert_allclose(losses(ours, last=10), theirs, atol=1e-4)
    found = ours.weights(averaged=False)
    for variable in model.weights:  # the moving averages of batch normalisation among them
        np.testing.assert_allclose(found[variable.path], array(variable), atol=1e-4, err_msg=variable.path)


def test_totals_are_means_over_the_images_since_the_last_time():
    made = engine()
    images, targets = BATCHES[0]
    before = made.weights(averaged=False)
    logits = _in_training(before, images)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)
    loss = -np.mean(np.log((probabilities * targets).sum(1)))
    made.step(images, targets, 0)
    first = made.totals()
    assert first.loss == pytest.approx(loss, abs=1e-5)
    assert first.accuracy == pytest.approx(np.mean(logits.argmax(1) == targets.argmax(1)))
    other = engine()
    other.step(images, targets, 0)
    other.step(*BATCHES[1], 1)
    made.step(*BATCHES[1], 1)
    second = made.totals()  # of the second batch alone
    assert other.totals().loss == pytest.approx((first.loss + second.loss) / 2, abs=1e-5)


def _in_training(weights, images):
    """The logits of stock layers with the statistics of the batch."""
    model = build(BLOCK, FRAME, classifier_activation=None)
    for variable in model.weights:
        variable.assign(weights[variable.path])
    return array(model(PREPROCESSING(images), training=True))


def test_targets_may_be_weighted():
    images, targets = BATCHES[0]
    light, heavy = engine(), engine()
    light.step(images, targets, 0)
    heavy.step(images, 3 * targets, 0)
    ours, theirs = light.totals(), heavy.totals()
    assert theirs.loss == pytest.approx(3 * ours.loss, rel=1e-5)
    assert theirs.accuracy == ours.accuracy


@pytest.mark.parametrize("fields", [{"optimizer": "adamw", "weight_decay": 0.05}, {"clip_norm": 0.1, "l2": 1e-3}])
def test_a_restored_training_goes_on_as_if_nothing_had_happened(fields):
    chosen = recipe(PLAIN, ema=0.9, dropout=0.3, **fields)
    whole = engine(chosen, dropout=0.3)
    losses(whole, last=6)
    state = {name: value.copy() for name, value in whole.state().items()}
    rest = losses(whole, 6, 12)
    resumed = engine(chosen, dropout=0.3)
    losses(resumed, last=2)  # somewhere else
    resumed.restore(state)
    np.testing.assert_allclose(losses(resumed, 6, 12), rest, atol=1e-6)  # dropout's random state is restored too
    for averaged in (False, True):
        ours, theirs = resumed.weights(averaged), whole.weights(averaged)
        assert ours.keys() == theirs.keys()
        for path, value in ours.items():
            np.testing.assert_allclose(value, theirs[path], atol=1e-6, err_msg=path)


def test_a_state_stays_what_it_was_when_the_training_goes_on():
    made = engine(recipe(PLAIN, ema=0.9))
    losses(made, last=3)
    state, weights = made.state(), made.weights(averaged=True)
    kept = [{name: value.copy() for name, value in part.items()} for part in (state, weights)]
    losses(made, 3, 8)
    for part, copy in zip((state, weights), kept, strict=True):
        for name, value in part.items():
            np.testing.assert_array_equal(value, copy[name], err_msg=name)


def test_a_state_of_another_network_is_refused():
    made = engine()
    state = made.state()
    with pytest.raises(KeyError):
        made.restore({name: value for name, value in state.items() if not name.endswith("/0")})
    with pytest.raises(ValueError):  # noqa: PT011  the backends word it differently
        made.restore({name: np.zeros(7, np.float32) for name in state})


def test_averaged_weights_lag_behind_and_leave_the_weights_alone():
    made = engine(recipe(PLAIN, ema=0.9))
    course = losses(made, last=6)
    plain, averaged = made.weights(averaged=False), made.weights(averaged=True)
    kernels = [path for path in plain if path.endswith("kernel")]
    assert max(np.abs(plain[path] - averaged[path]).max() for path in kernels) > 1e-3
    for path in plain:
        if "moving" in path:
            np.testing.assert_array_equal(plain[path], averaged[path])
    images = BATCHES[0][0]
    assert np.abs(made.logits(images, averaged=True) - made.logits(images, averaged=False)).max() > 1e-3
    again = engine(recipe(PLAIN, ema=0.9))  # the same, without looking at the average in between
    assert losses(again, last=6) == pytest.approx(course, abs=1e-6)
    assert losses(made, 6, 10) == pytest.approx(losses(again, 6, 10), abs=1e-5)


@pytest.mark.parametrize("averaged", [False, True])
def test_logits_are_those_of_stock_layers_with_these_weights(averaged):
    made = engine(recipe(PLAIN, ema=0.9), dropout=0.5)
    losses(made, last=6)
    model = build(BLOCK, FRAME, classifier_activation=None)
    weights = made.weights(averaged=averaged)
    for variable in model.weights:
        variable.assign(weights[variable.path])
    images = BATCHES[7][0]
    found = made.logits(images, averaged=averaged)
    assert (found.dtype, found.shape) == (np.float32, (BATCH, 3))
    np.testing.assert_allclose(found, array(model(PREPROCESSING(images), training=False)), atol=1e-5)
    np.testing.assert_allclose(made.logits(images[:3], averaged=averaged), found[:3], atol=1e-5)


def test_without_averages_the_weights_are_the_average():
    made = engine()
    losses(made, last=2)
    for path, value in made.weights(averaged=True).items():
        np.testing.assert_array_equal(value, made.weights(averaged=False)[path])


def test_dropout_drops_in_training_only():
    made = engine(dropout=0.5)
    images = BATCHES[0][0]
    np.testing.assert_array_equal(made.logits(images, averaged=False), made.logits(images, averaged=False))
    frozen = engine(recipe(PLAIN, learning_rate=1e-30), dropout=0.5)
    different = set()
    for step in range(4):
        frozen.step(*BATCHES[0], step)
        different.add(frozen.totals().loss)
    assert len(different) == 4  # another mask in every step


def test_in_bfloat16_the_variables_stay_float32_and_the_loss_falls():
    made = engine(precision="bfloat16")
    assert {layer.compute_dtype for layer in made.network.layers if layer.weights} == {"bfloat16"}
    course = losses(made)
    assert np.mean(course[-5:]) < 0.6 * np.mean(course[:2])
    assert {value.dtype for value in made.weights(averaged=False).values()} == {np.dtype(np.float32)}
    assert made.logits(BATCHES[0][0], averaged=False).dtype == np.float32
    assert keras.config.dtype_policy().name == "float32"


REPLICAS = """
import sys
from automl_cells.training import check_replicas
replicas = check_replicas(int(sys.argv[1]))
import keras, numpy as np
from automl_cells.builder import build, template
from automl_cells.datasets import load
from automl_cells.training import recipe
from automl_cells.training.engines import engine_class
from automl_cells.training.updates import Update
data = load("digits")
frame = template("cifar", repeats=1, filters=(4, 8), input_shape=(8, 8, 1), classes=10)
chosen = recipe("plain", batch_size=32, optimizer="sgd", learning_rate=0.02, weight_decay=0, l2=1e-3, clip_norm=5.0)
keras.utils.set_random_seed(0)
engine = engine_class(keras.backend.backend())(
    lambda placed: build("block_qnn_s", frame, classifier_activation=None, batch_norm=placed.batch_norm),
    lambda model: Update(chosen, 20, 20, [tuple(v.shape) for v in model.trainable_variables]),
    data.preprocessing, replicas)
assert engine.replicas == replicas
for step in range(20):
    part = slice(32 * step, 32 * step + 32)
    engine.step(data.x_train[part], np.eye(10, dtype=np.float32)[data.y_train[part]], step)
    print("loss", repr(float(engine.totals().loss)))
logits = engine.logits(data.x_test[:33], averaged=True)
print("logits", repr(float(np.abs(logits).mean())))
"""


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "torch", reason="torch trains on one device")
def test_two_replicas_do_what_one_does():
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only")
    courses = []
    for replicas in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", REPLICAS, replicas], capture_output=True, text=True, timeout=300,
            cwd=Path(__file__).parents[2], env={**os.environ, "KERAS_BACKEND": BACKEND},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        courses.append(
            [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith(("loss", "log"))]
        )
    assert len(courses[0]) == 21
    assert courses[0][19] < courses[0][0]
    np.testing.assert_allclose(*courses, atol=1e-4)


@pytest.mark.skipif(BACKEND != "jax", reason="about JAX's devices")
def test_devices_that_come_too_late_are_refused():
    program = (
        "import jax; jax.numpy.zeros(1)\n"
        "from automl_cells.errors import TrainingError\n"
        "from automl_cells.training import check_replicas\n"
        "assert check_replicas(None) == check_replicas(1) == 1\n"
        "for asked in (2, 10_000, 0):\n"
        "    try: check_replicas(asked)\n"
        "    except TrainingError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        cwd=Path(__file__).parents[2], env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    late, many, none = done.stdout.splitlines()
    assert "started with fewer devices" in late or "Received: 2" in late  # the latter on one core
    assert many.endswith("Received: 10000")
    assert none.endswith("Received: 0")
