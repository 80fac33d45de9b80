import numpy as np
import pytest
import tensorflow as tf

from automl_cells.errors import ExportError
from automl_cells.export import Parity, measure_parity


class Twice:
    """Stands for a Keras model: gives two numbers an image, its first pixel and twice that."""

    input_shape = (None, None, 2, 1)

    def __call__(self, images, training):
        assert training is False
        first = images[:, 0, 0, 0]
        return np.stack([first, 2 * first], axis=1)


def pictures(values):
    return np.asarray(values, np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 3, 2, 1), np.float32)


def test_the_largest_difference_and_the_agreement_are_measured_over_all_batches():
    images = pictures(np.arange(1, 41))

    def run(batch):
        outputs = Twice()(batch, training=False)
        outputs[batch[:, 0, 0, 0] == 40] = [81.5, 80]  # the last image, of the last batch: 40 became 81.5
        return outputs + 0.25

    assert measure_parity(Twice(), run, images) == Parity(41.75, 39 / 40, 40)


def test_an_exact_copy_has_no_difference():
    parity = measure_parity(Twice(), lambda batch: Twice()(batch, training=False), pictures([1]))
    assert parity == Parity(0.0, 1.0, 1)
    assert parity.holds


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_outputs_that_are_not_finite_never_agree(wrong):
    def run(batch):
        outputs = Twice()(batch, training=False)
        outputs[0, 0] = wrong
        return outputs

    assert not measure_parity(Twice(), run, pictures([1, 2, 3])).holds
    assert not measure_parity(Twice(), run, pictures([np.inf])).holds


def test_the_limit_is_one_in_ten_thousand():
    assert Parity(1e-4, 0.0, 1).holds
    assert not Parity(1.01e-4, 1.0, 1).holds


def test_the_precision_of_the_gpu_is_full_while_measuring_and_then_as_before():
    def run(batch):
        assert not tf.config.experimental.tensor_float_32_execution_enabled()
        return Twice()(batch, training=False)

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    measure_parity(Twice(), run, pictures([1]))
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before


def test_a_fixed_batch_axis_is_found():
    def run(batch):
        return Twice()(batch, training=False)[:1]

    with pytest.raises(ExportError, match=r"the shape \(2, 2\)\. Received: \(1, 2\)"):
        measure_parity(Twice(), run, pictures([1, 2, 3]))


@pytest.mark.parametrize("shape", [(0, 3, 2, 1), (3, 2, 1), (1, 3, 3, 1), (1, 3, 2, 3)])
def test_images_must_be_there_and_fit(shape):
    with pytest.raises(ExportError, match=r"Expected at least one image of shape .* Received: shape"):
        measure_parity(Twice(), lambda batch: batch, np.zeros(shape))
