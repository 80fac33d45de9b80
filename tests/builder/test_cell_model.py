"""Keras models of cells: what they compute at every size, and what stands in them for training only."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_cells.builder import build, cost, plan, template
from automl_cells.builder.drop_path import DropPath, PathMasks
from automl_cells.builder.keras_model import ScheduledDropPath
from automl_cells.builder.operations import Choices, operation
from automl_cells.builder.plan import PlanBuilder
from automl_cells.builder.reduction import factorised_reduction, zero_bordered_pool
from automl_cells.errors import TemplateError
from automl_cells.genotypes import Block, Cell, CellGenotype, load
from automl_cells.genotypes.cell import COMBINATIONS, OPERATIONS
from tests.builder.cells import both, one_of, pooled_with_zeros

RANDOM = np.random.default_rng(0)
STOCK = Choices(keras.layers.BatchNormalization, 0.9, 1e-3, "he_normal")


def small(**changes: Any) -> Any:
    return template("cifar", kind="cell", **{"repeats": 1, "filters": (2, 4, 8), "input_shape": (8, 8, 3), **changes})


def outputs(model: keras.Model, images: np.ndarray, training: bool = False) -> Any:
    found = model(images, training=training)
    if isinstance(found, list):
        return [keras.ops.convert_to_numpy(each) for each in found]
    return keras.ops.convert_to_numpy(found)


def built(net: PlanBuilder) -> keras.Model:
    """The network of the layers planned so far, from the image to the last."""
    tensors = [keras.Input(net.layers[0].shape)]
    for layer in net.layers[1:]:
        read = [tensors[position] for position in layer.inputs]
        tensors.append(operation(layer, STOCK)(read if layer.op in ("add", "concat") else read[0]))
    return keras.Model(tensors[0], tensors[-1])


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("side", [(4, 4), (5, 5), (6, 9), (7, 12), (2, 3)])
def test_pooling_with_zeros_around_at_known_and_open_sizes(kind: str, kernel: int, side: tuple[int, int]) -> None:
    image = RANDOM.normal(size=(*side, 2)).astype(np.float32) - 0.5
    expected = pooled_with_zeros(image, kernel, kind)
    for shape in ((*side, 2), (None, None, 2)):
        net = PlanBuilder(shape)
        zero_bordered_pool(net, "pool", kind, 0, kernel)
        model = built(net)
        assert model.output_shape == (None, *net.shape(len(net.layers) - 1))
        np.testing.assert_allclose(outputs(model, image[None])[0], expected, atol=1e-6)


@pytest.mark.parametrize("side", [(4, 4), (5, 5), (6, 9), (3, 2)])
def test_factorised_reduction_by_hand(side: tuple[int, int]) -> None:
    """Three filters: the first of the map as it is, two of the map a pixel further on, zeros past its end."""
    image = RANDOM.normal(size=(*side, 2)).astype(np.float32)
    kernels = [RANDOM.normal(size=(1, 1, 2, width)).astype(np.float32) for width in (1, 2)]
    shifted = np.pad(image, ((0, 1), (0, 1), (0, 0)))[1:, 1:]
    expected = np.concatenate([image[::2, ::2] @ kernels[0][0, 0], shifted[::2, ::2] @ kernels[1][0, 0]], -1)
    for shape in ((*side, 2), (None, None, 2)):
        net = PlanBuilder(shape)
        factorised_reduction(net, "half", 0, 3)
        model = built(net)
        model.get_layer("half_conv1").set_weights([kernels[0]])
        model.get_layer("half_conv2").set_weights([kernels[1]])
        before_norm = keras.Model(model.input, model.get_layer("half_concat").output)
        np.testing.assert_allclose(outputs(before_norm, image[None])[0], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("frame", ["cifar", "imagenet", "imagenet_mobile"])
def test_one_set_of_weights_serves_every_size(frame: str) -> None:
    genotype = load("nasnet_a")
    sizes: dict[str, Any] = {"repeats": 1, "filters": (4, 8, 16), "classes": 3}
    anything = build(genotype, frame, input_shape=(None, None, 3), **sizes)
    for layer in anything.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(RANDOM.normal(0, 0.3, layer.moving_mean.shape))
    for side in ((24, 24), (25, 25), (26, 31)):
        fixed = build(genotype, frame, input_shape=(*side, 3), **sizes)
        for variable, value in zip(fixed.weights, anything.weights, strict=True):
            assert variable.path == value.path
            variable.assign(value.value)
        images = RANDOM.normal(size=(2, *side, 3)).astype(np.float32)
        np.testing.assert_allclose(outputs(fixed, images), outputs(anything, images), atol=1e-6)


@pytest.mark.parametrize("operation_name", OPERATIONS)
def test_keras_and_plan_agree_on_every_operation(operation_name: str) -> None:
    genotype, frame = one_of(operation_name), small(input_shape=(7, 10, 3))
    layers = plan(genotype, frame)
    model = build(genotype, frame)
    assert model.count_params() == cost(layers).total_parameters
    for layer in layers[1:]:
        if layer.op != "dense" and not layer.op.startswith("global"):
            assert model.get_layer(layer.name).output.shape[1:] == layer.shape
    assert outputs(model, np.zeros((1, 7, 10, 3), np.float32)).shape == (1, 10)


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    blocks = []
    for number in range(draw(st.integers(1, 4))):
        state, name = st.integers(0, number + 1), st.sampled_from(OPERATIONS)
        blocks.append(Block(draw(state), draw(state), draw(name), draw(name), draw(st.sampled_from(COMBINATIONS))))
    states = range(2 + len(blocks))
    concat = draw(st.none() | st.lists(st.sampled_from(states), min_size=1, unique=True).map(tuple))
    return Cell(tuple(blocks), concat)


@settings(max_examples=12)
@given(st.builds(CellGenotype, cells(), cells()), st.booleans(), st.sampled_from([(8, 8), (9, 6)]))
def test_any_cell_becomes_the_network_that_its_plan_says(
    genotype: CellGenotype, skip: bool, side: tuple[int, int]
) -> None:
    frame = template("cifar", kind="cell", repeats=1, filters=(2, 4), input_shape=(*side, 1), classes=3)
    frame = frame.model_copy(update={"skip_reduction": skip, "pool_borders": "zeros" if skip else "same"})
    layers = plan(genotype, frame)
    names = {layer.name: layer for layer in layers}
    assert len(names) == len(layers)
    model = build(genotype, frame)
    assert model.count_params() == cost(layers).total_parameters
    for layer in layers[1:]:
        if layer.op != "dense" and not layer.op.startswith("global"):
            assert model.get_layer(layer.name).output.shape[1:] == layer.shape
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}


def test_penultimate_builds_n_at_p() -> None:
    model = build("nasnet_a", "cifar", repeats=1, penultimate=96, include_top=False, input_shape=(8, 8, 3))
    assert model.output_shape == (None, 2, 2, 96)
    four = small(filters=(2, 4, 8, 16), input_shape=(16, 16, 3))
    assert build("nasnet_a", four, penultimate=48, include_top=False).output_shape == (None, 2, 2, 48)
    with pytest.raises(TemplateError, match=r"Received: penultimate=96, filters=\(4, 8, 16\), filter_multiplier=None"):
        build("nasnet_a", "cifar", penultimate=96, filters=(4, 8, 16))
    with pytest.raises(TemplateError, match=r"Received: penultimate=96, filters=None, filter_multiplier=2"):
        build("nasnet_a", "cifar", penultimate=96, filter_multiplier=2)


def test_kernels_start_from_variance_scaling_of_the_fan_out() -> None:
    keras.utils.set_random_seed(0)
    model = build("nasnet_a", "cifar", repeats=1, filters=(32, 64, 128))
    kernel = model.get_layer("stage3_cell1_input_conv").get_weights()[0]
    assert kernel.shape == (1, 1, 512, 128)
    assert kernel.std() == pytest.approx(np.sqrt(2 / 128), rel=0.02)  # by the fan-in it would be half of that


def test_the_epsilon_of_batch_normalisation_is_the_templates() -> None:
    for frame, epsilon in (("cifar", 1e-5), ("imagenet_mobile", 1e-3)):
        assert build("nasnet_a", frame, repeats=1, filters=(4, 8, 16)).get_layer("stem_bn").epsilon == epsilon


class TestDropPath:
    def test_the_probability_follows_depth_and_step(self) -> None:
        """keep_layer = 1 - depth · (1 - p); keep = 1 - min(1, t / T) · (1 - keep_layer)."""
        masks = PathMasks(0.6, [0.25, 1.0], total_steps=4, seed=1)
        images = np.zeros((20_000, 1, 1, 1), np.float32)
        for step in range(7):
            found = keras.ops.convert_to_numpy(masks(images, training=True))
            keep = 1 - min(1, step / 4) * 0.4 * np.array([0.25, 1.0])
            assert found.shape == (20_000, 2)
            for path in range(2):
                np.testing.assert_allclose(found[found[:, path] > 0, path], 1 / keep[path], rtol=1e-5)
                # the mean of Bernoulli(keep) / keep is 1, its deviation below 1 over the root of the number
                assert found[:, path].mean() == pytest.approx(1, abs=4 / np.sqrt(20_000))
                assert (found[:, path] > 0).mean() == pytest.approx(keep[path], abs=4 * 0.5 / np.sqrt(20_000))

    def test_at_inference_nothing_is_dropped_and_no_step_is_counted(self) -> None:
        masks = PathMasks(0.1, [1.0], total_steps=1, seed=1)
        for _ in range(3):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(masks(np.zeros((5, 2, 2, 1)), training=False)), 1)
        assert masks.get_weights() == [0.0]

    def test_a_network_without_a_last_cell(self) -> None:
        genotype = both((1, 1, "sep_conv_3x3", "identity", "add"))
        model = build(genotype, small(), drop_path=ScheduledDropPath(0.5, 10))
        assert [layer.name for layer in model.layers if isinstance(layer, DropPath)] == [
            "stage1_cell1_block1_left_drop_path",
            "stage2_cell1_block1_left_drop_path",
            "stage3_cell1_block1_left_drop_path",
        ]

    def test_a_path_is_dropped_for_whole_images(self) -> None:
        features = RANDOM.normal(size=(3, 2, 2, 2)).astype(np.float32)
        masks = np.array([[7.0, 0.0], [7.0, 2.0], [7.0, 0.5]], np.float32)
        dropped = keras.ops.convert_to_numpy(DropPath(1)([features, masks]))
        np.testing.assert_allclose(dropped, features * np.array([0.0, 2.0, 0.5])[:, None, None, None])

    def test_a_network_in_training(self) -> None:
        keras.utils.set_random_seed(3)
        images = RANDOM.normal(size=(16, 8, 8, 3)).astype(np.float32)
        training = build("nasnet_a", small(), drop_path=ScheduledDropPath(0.3, 2), auxiliary=True)
        stock = build("nasnet_a", small())
        for variable in stock.weights:  # all of them are there, at the same paths
            (value,) = [other for other in training.weights if other.path == variable.path]
            variable.assign(value.value)
        inference, auxiliary = outputs(training, images)
        assert auxiliary.shape == (16, 10)
        np.testing.assert_allclose(outputs(stock, images), inference, atol=1e-6)
        first, second, third = (outputs(training, images, training=True)[0] for _ in range(3))
        assert np.abs(second - third).max() > 1e-3  # the first step drops nothing, the later ones do
        assert first.shape == (16, 10)
        kinds = {type(layer).__name__ for layer in stock.layers}
        assert not kinds & {"DropPath", "PathMasks"}
        assert not any("auxiliary" in layer.name for layer in stock.layers)

    def test_a_network_of_identities_has_no_path_to_drop(self) -> None:
        genotype = both((0, 1, "identity", "identity", "add"))
        model = build(genotype, small(), drop_path=ScheduledDropPath(0.5, 10))
        assert not any(isinstance(layer, PathMasks) for layer in model.layers)
