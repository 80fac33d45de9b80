"""Feature maps of several scales: shapes and strides in the plan, and the Keras model with the classifier's weights."""

from __future__ import annotations

import numpy as np
import pytest

from automl_cells.builder import build, cost, feature_maps, plan, template
from automl_cells.errors import TemplateError
from automl_cells.genotypes import BlockGenotype, load

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])


def maps(name, genotype=BLOCK, **sizes):
    return feature_maps(plan(genotype, template(name, repeats=1, **sizes), include_top=False, features=True))


def test_cifar_has_a_map_before_each_downsampling_and_the_last():
    found = maps("cifar", filters=(4, 6, 8), input_shape=(33, 31, 3))
    assert [each.stride for each in found] == [1, 2, 4]
    assert [each.shape for each in found] == [(33, 31, 4), (17, 16, 6), (9, 8, 8)]  # rounded up, as pooling does
    assert all(each.name.endswith("_relu") for each in found)


def test_imagenet_has_two_maps_of_the_stem():
    found = maps("imagenet", filters=(4, 6, 8, 10), input_shape=(64, 48, 3))
    assert [each.stride for each in found] == [1, 2, 4, 8, 16, 32]
    assert [each.shape[2] for each in found] == [4, 4, 4, 6, 8, 10]
    assert [each.shape[:2] for each in found] == [(64, 48), (32, 24), (16, 12), (8, 6), (4, 3), (2, 2)]


def test_an_image_that_is_pooled_at_once_is_no_map():
    stem = [{"op": "max_pool", "kernel": 2}, {"op": "conv", "kernel": 3}]
    frame = template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 3)).model_dump() | {"stem": stem}
    found = feature_maps(plan(BLOCK, type(template("cifar")).model_validate(frame), include_top=False, features=True))
    assert [(each.stride, each.shape) for each in found] == [(2, (4, 4, 4))]


def test_open_sizes_stay_open():
    assert {each.shape[:2] for each in maps("cifar", input_shape=(None, None, 3))} == {(None, None)}


def test_features_cost_what_the_body_costs():
    frame = template("imagenet_mobile")
    body = plan(load("block_qnn_s"), frame, include_top=False)
    assert cost(plan(load("block_qnn_s"), frame, include_top=False, features=True)) == cost(body)


@pytest.mark.parametrize("options", [{}, {"include_top": True}, {"include_top": False, "pooling": "avg"}])
def test_features_exclude_top_and_pooling(options):
    with pytest.raises(TemplateError, match="Expected include_top=False and pooling=None with features=True"):
        plan(BLOCK, template("cifar"), features=True, **options)


@pytest.mark.parametrize("shape", [(9, 13, 3), (None, None, 3)])
def test_the_model_gives_the_maps_of_the_classifiers_body(shape):
    sizes = {"repeats": 1, "filters": (4, 6, 8), "input_shape": shape}
    body = build(BLOCK, "cifar", include_top=False, **sizes)
    model = build(BLOCK, "cifar", include_top=False, features=True, **sizes)
    assert [weight.path for weight in model.weights] == [weight.path for weight in body.weights]
    model.set_weights(body.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 9, 13, 3)).astype("float32")
    found = [np.asarray(output) for output in model.predict_on_batch(images)]
    assert [output.shape for output in found] == [(2, 9, 13, 4), (2, 5, 7, 6), (2, 3, 4, 8)]
    assert min(output.min() for output in found) >= 0
    np.testing.assert_allclose(found[-1], body.predict_on_batch(images), atol=1e-6)
