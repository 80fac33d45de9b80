"""What is in a network of cells for training only, under the engine of the active backend; see `test_engines`."""

import keras
import numpy as np

from automl_cells.builder import build, template
from automl_cells.builder.keras_model import ScheduledDropPath
from automl_cells.genotypes import Block, Cell, CellGenotype
from automl_cells.training import recipe
from automl_cells.training.engines import engine_class
from automl_cells.training.updates import Update
from tests.training.test_engines import BACKEND, BATCHES, LONG, PLAIN, PREPROCESSING, array, losses

CELL = Cell((Block(0, 1, "sep_conv_3x3", "avg_pool_3x3", "add"),))
GENOTYPE = CellGenotype(CELL, CELL)
FRAME = template("cifar", kind="cell", repeats=1, filters=(4, 8), input_shape=(6, 6, 1), classes=3)


def engine(chosen=PLAIN, drop_path=None):
    def network(placed):
        return build(
            GENOTYPE,
            FRAME,
            classifier_activation=None,
            batch_norm=placed.batch_norm,
            auxiliary=chosen.auxiliary_weight > 0,
            drop_path=drop_path,
        )

    def update(model):
        return Update(chosen, LONG, 10, [tuple(variable.shape) for variable in model.trainable_variables])

    keras.utils.set_random_seed(1)
    return engine_class(BACKEND)(network, update, PREPROCESSING, 1)


def test_the_auxiliary_loss_is_added_with_its_weight():
    ours = engine(recipe(PLAIN, auxiliary_weight=0.4))
    model = build(GENOTYPE, FRAME, classifier_activation=None, auxiliary=True)
    for variable in model.weights:
        variable.assign(ours.weights(averaged=False)[variable.path])
    cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)
    model.compile(optimizer, [cross_entropy, cross_entropy], loss_weights=[1.0, 0.4])
    theirs = []
    for images, targets in BATCHES[:3]:  # after more, the smallest differences of rounding have grown
        model.reset_metrics()
        theirs.append(float(np.ravel(model.train_on_batch(PREPROCESSING(images), [targets, targets]))[0]))
    np.testing.assert_allclose(losses(ours, last=3), theirs, atol=1e-3)
    found = ours.weights(averaged=False)
    for variable in model.weights:
        np.testing.assert_allclose(found[variable.path], array(variable), rtol=1e-3, atol=1e-3, err_msg=variable.path)
        variable.assign(found[variable.path])
    logits = ours.logits(BATCHES[0][0], averaged=False)
    expected = model(PREPROCESSING(BATCHES[0][0]), training=False)[0]
    np.testing.assert_allclose(logits, array(expected), rtol=1e-4, atol=1e-4)


def test_dropped_paths_go_on_where_they_were_interrupted():
    drop_path = ScheduledDropPath(0.5, 6)
    whole, kept = engine(drop_path=drop_path), engine(drop_path=ScheduledDropPath(1.0, 6))
    first = losses(whole, last=3)
    assert first[0] == losses(kept, last=1)[0]  # nothing is dropped in the first step
    state = {name: value.copy() for name, value in whole.state().items()}
    rest = losses(whole, 3, 8)
    resumed = engine(drop_path=drop_path)
    losses(resumed, last=1)
    resumed.restore(state)
    np.testing.assert_allclose(losses(resumed, 3, 8), rest, atol=1e-6)  # the step and the random state are restored
    assert np.abs(np.subtract(rest, losses(kept, 1, 8)[2:])).max() > 1e-3  # and paths were dropped
