"""What every step keeps: shape, type, its inputs; and that steps come in order, by the recipe's data."""

import subprocess
import sys

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from automl_cells.augmentation import Augmentation, augment, check_steps
from automl_cells.augmentation.affine import affine
from automl_cells.errors import TrainingError

STEPS = TypeAdapter(tuple[Augmentation, ...])
WHOLE = [  # steps that move or blacken whole pixels
    {"op": "horizontal_flip"},
    {"op": "pad_crop", "padding": 2},
    {"op": "pad_crop", "padding": 11, "fill": "reflect"},
    {"op": "cutout", "size": 3},
]
COMPUTED = [
    {"op": "translation", "pixels": 1.5},
    {"op": "rotation", "degrees": 20, "fill": "wrap"},
    {"op": "zoom", "factor": 0.2, "fill": "nearest"},
    {"op": "upsample_crop", "size": 40},
    {"op": "upsample_crop", "scale": 1.25},
    {"op": "resized_crop", "area": [0.2, 0.8]},
    {"op": "color_jitter", "brightness": 0.2, "contrast": 0.3, "saturation": 0.4},
    {"op": "mixup", "alpha": 0.4},
]
every_step = pytest.mark.parametrize("step", WHOLE + COMPUTED, ids=lambda step: step["op"])


def batch(n=6, height=8, width=8, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, height, width, channels), dtype=np.uint8)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, n)]
    images.flags.writeable = targets.flags.writeable = False  # a step that writes into its inputs fails
    return images, targets


def run(images, targets, *steps, seed=1):
    return augment(images, targets, STEPS.validate_python(steps), np.random.default_rng(seed))


@every_step
@pytest.mark.parametrize("shape", [(6, 8, 8, 1), (1, 8, 8, 3), (5, 32, 20, 3), (4, 9, 12, 2), (3, 1, 5, 1)])
def test_a_step_keeps_the_shape_and_its_inputs_and_follows_the_generator(step, shape):
    images, targets = batch(*shape)
    before = images.copy(), targets.copy()
    changed, changed_targets = run(images, targets, step)
    assert changed.shape == images.shape
    assert changed.dtype == (np.uint8 if step in WHOLE else np.float32)
    assert changed_targets.shape == targets.shape
    assert changed_targets.dtype == np.float32
    assert np.isfinite(changed).all()
    assert np.array_equal(images, before[0])
    assert np.array_equal(targets, before[1])
    again = run(images, targets, step)
    assert np.array_equal(changed, again[0])
    assert np.array_equal(changed_targets, again[1])
    # Float images have the same values as the same images in whole numbers.
    floats = run(images.astype(np.float32), targets, step)[0]
    assert floats.dtype == np.float32
    assert np.array_equal(floats, changed)


@every_step
def test_a_step_does_something_else_with_another_generator(step):
    images, targets = batch(20, 12, 12, 3)
    first, second = (run(images, targets, step, seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, images)


@every_step
def test_only_mixup_changes_the_targets(step):
    images, targets = batch(20)
    assert np.array_equal(run(images, targets, step)[1], targets) == (step["op"] != "mixup")


@every_step
def test_many_images_at_once_are_done_alike(step):
    # More pixels than are sampled at once: no image is left out.
    images = np.full((100, 40, 40, 1), 100, np.uint8)
    changed = run(images, np.ones((100, 1), np.float32), step)[0]
    assert np.all(changed.max(axis=(1, 2, 3)) > 70)


def test_no_steps_hand_the_batch_back():
    images, targets = batch()
    assert run(images, targets)[0] is images
    assert run(images, targets)[1] is targets


def test_steps_come_in_order():
    images, targets = batch(channels=3)
    steps = [WHOLE[1], COMPUTED[0], WHOLE[0], COMPUTED[6], WHOLE[3]]
    rng = np.random.default_rng(3)
    expected = images, targets
    for step in steps:
        expected = augment(*expected, STEPS.validate_python([step]), rng)
    found = run(images, targets, *steps, seed=3)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


def test_affine_steps_of_one_fill_are_one_resampling():
    images, targets = batch(channels=3)
    steps = STEPS.validate_python(
        [
            {"op": "rotation", "degrees": 20},
            {"op": "translation", "pixels": 2},
            {"op": "zoom", "factor": 0.2, "fill": "nearest"},
        ]
    )
    rng = np.random.default_rng(1)
    expected = affine(affine(images, rng, steps[:2]), rng, steps[2:])
    assert np.array_equal(augment(images, targets, steps, np.random.default_rng(1))[0], expected)


def test_a_step_that_does_not_suit_the_images_is_refused():
    with pytest.raises(TrainingError, match=r"at least 12, that of the images\. Received: 11"):
        run(*batch(2, 9, 12), {"op": "upsample_crop", "size": 11})


def test_it_can_be_refused_before_there_is_a_batch():
    steps = STEPS.validate_python([{"op": "cutout", "size": 99}, {"op": "upsample_crop", "size": 11}])
    check_steps(steps, 11, 11)
    check_steps(STEPS.validate_python(WHOLE + COMPUTED), 40, 20)
    for size in ((12, 11), (11, 12)):
        with pytest.raises(TrainingError, match=r"at least 12, that of the images\. Received: 11"):
            check_steps(steps, *size)


def test_a_step_survives_json():
    steps = STEPS.validate_python(WHOLE + COMPUTED)
    assert STEPS.validate_json(STEPS.dump_json(steps)) == steps
    # as it was before there was a scale: a training that was begun then is still the same
    assert STEPS.dump_python(STEPS.validate_python([COMPUTED[3]])) == ({"op": "upsample_crop", "size": 40},)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"op": "blur"}, "does not match any"),
        ({"op": "pad_crop"}, "Field required"),
        ({"op": "pad_crop", "padding": 0}, "greater than or equal to 1"),
        ({"op": "pad_crop", "padding": 2, "fill": "white"}, "'constant', 'nearest'"),
        ({"op": "cutout", "size": 2.5}, "integer"),
        ({"op": "rotation", "degrees": 181}, "less than or equal to 180"),
        ({"op": "zoom", "factor": 1}, "less than 1"),
        ({"op": "translation", "pixels": float("inf")}, "finite"),
        ({"op": "resized_crop", "area": [0.5, 0.4]}, "from the smallest to the largest"),
        ({"op": "resized_crop", "ratio": [2, 1]}, "from the smallest to the largest"),
        ({"op": "resized_crop", "area": [0, 1]}, "greater than 0"),
        ({"op": "color_jitter"}, "must be above 0"),
        ({"op": "color_jitter", "contrast": 1.1}, "less than or equal to 1"),
        ({"op": "mixup", "alpha": 0}, "greater than 0"),
        ({"op": "upsample_crop"}, "either size or scale"),
        ({"op": "upsample_crop", "size": 40, "scale": 1.25}, "either size or scale"),
        ({"op": "upsample_crop", "scale": 0.9}, "greater than or equal to 1"),
        ({"op": "horizontal_flip", "pixels": 1}, "Extra inputs"),
    ],
)
def test_steps_that_cannot_be_are_refused(step, message):
    with pytest.raises(ValidationError, match=message):
        STEPS.validate_python([step])


def test_no_framework_is_imported():
    code = (
        "import sys, automl_cells.augmentation\n"
        "print({'keras', 'tensorflow', 'jax', 'torch', 'scipy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
