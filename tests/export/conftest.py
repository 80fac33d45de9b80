import json

import keras
import numpy as np
import pytest

from automl_cells.builder import build
from automl_cells.datasets import load
from automl_cells.genotypes import BlockGenotype

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 2, 3, 0, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0)])


def randomised(model, seed=0):
    """`model` with random weights and, above all, random moving statistics: 0 and 1 would hide a wrong export."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        name = variable.path.rpartition("/")[2]
        spread = random.uniform(0.5, 1.5, variable.shape)
        variable.assign(spread if name in ("gamma", "moving_variance") else random.normal(0, 0.3, variable.shape))
    return model


def tiny(**options):
    """A network of blocks for the digits."""
    keras.utils.set_random_seed(0)
    sizes = {"repeats": 1, "filters": (4, 8), "input_shape": (8, 8, 1), **options}
    return randomised(build(BLOCK, "cifar", **sizes))


@pytest.fixture(scope="session")
def model():
    return tiny()


@pytest.fixture(scope="session")
def images():
    """33 real images, normalised."""
    digits = load("digits")
    return digits.preprocessing(digits.x_test[:33])


@pytest.fixture(scope="session")
def labels(model, images):
    """What the model itself says of the images: it is right of all of them."""
    return np.asarray(model(images, training=False)).argmax(-1)


@pytest.fixture(scope="session")
def metadata():
    return {"name": "tiny", "version": "digits-v1", "input_mean": "[4.9]", "labels": json.dumps(["a", "ä"])}


@pytest.fixture(scope="session")
def make_tiny():
    return tiny
