"""The graph written from a plan gives what the Keras model of the same plan gives, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from automl_cells.builder import Layer, Plan, build, plan, template
from automl_cells.builder.operations import OF_SEVERAL, Choices, operation
from automl_cells.builder.plan import PlanBuilder
from automl_cells.errors import ExportError
from automl_cells.export.plan_onnx import onnx_of_plan, random_weights
from automl_cells.genotypes import EnsembleGenotype, load

IMAGE = (7, 6, 3)


def weights_of(model: keras.Model) -> Callable[..., np.ndarray]:
    """The variables of a Keras model, as `onnx_of_plan` asks for them."""

    def weights(layer: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if layer.op == "self_attention":
            side = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}[name[:-7]]
            (found,) = (v for v in model.get_layer(f"{layer.name}_heads").weights if f"/{side}/" in v.path)
        else:
            (found,) = (v for v in model.get_layer(layer.name).weights if v.name == name)
        assert tuple(found.shape) == shape
        return found.numpy()

    return weights


def shaken(model: keras.Model) -> keras.Model:
    """With statistics, offsets and biases that are not those of the start, so that none of them is left out unseen."""
    rng = np.random.default_rng(3)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "kernel" not in variable.name:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


def run(proto: Any, image: np.ndarray) -> list[np.ndarray]:
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})


def same(layers: Plan, model: keras.Model, epsilon: float = 1e-3) -> None:
    image = np.random.default_rng(0).standard_normal((1, *layers[0].shape)).astype(np.float32)
    expected = keras.tree.flatten(model(image))
    found = run(onnx_of_plan(layers, weights_of(model), epsilon=epsilon), image)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, map(np.asarray, expected), strict=True):
        ours = ours.transpose(0, 2, 3, 1) if ours.ndim == 4 else ours
        assert ours.shape == theirs.shape
        assert np.abs(theirs).max() > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize(
    "name", ["block_qnn_s", "nasnet_a", "metaqnn_mnist_1", "C(32,3,1),P(3,2),C(64,3,1),GAP(10),SM"]
)
def test_published_genotypes_give_what_keras_gives(name: str) -> None:
    genotype = load(name)
    sizes = {"filter_multiplier": 0.125} if genotype.kind == "chain" else {"repeats": 1, "filters": (4, 8)}
    frame = template(None, kind=genotype.kind, input_shape=(28, 28, 3), classes=5, **sizes)
    model = shaken(build(genotype, frame, classifier_activation=None))
    same(plan(genotype, frame), model, frame.epsilon)


def test_cells_with_zeros_as_borders_give_what_keras_gives() -> None:
    genotype = load("nasnet_a")
    frame = template("imagenet_mobile", kind="cell", filters=(4, 8, 16), repeats=1, input_shape=(37, 33, 3), classes=5)
    same(plan(genotype, frame), shaken(build(genotype, frame, classifier_activation=None)), frame.epsilon)


def test_feature_maps_come_out_in_their_order() -> None:
    genotype, frame = load("block_qnn_s"), template("cifar", repeats=1, filters=(4, 8), input_shape=(8, 8, 3))
    model = shaken(build(genotype, frame, include_top=False, features=True))
    layers = plan(genotype, frame, include_top=False, features=True)
    same(layers, model, frame.epsilon)
    assert [output.name for output in onnx_of_plan(layers).graph.output] == ["output0", "output1"]


def test_an_ensemble_gives_what_keras_gives() -> None:
    genotype = EnsembleGenotype((load("block_qnn_s"), load("block_qnn_b")))
    frame = template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 3), classes=4)
    same(plan(genotype, frame), shaken(build(genotype, frame)), frame.epsilon)


def small_plans() -> dict[str, Plan]:
    """One plan for each operation and each of its choices, the new ones too."""
    plans: dict[str, Plan] = {}

    def one(name: str, *steps: Callable[[PlanBuilder, int], int]) -> None:
        net = PlanBuilder(IMAGE)
        position = 0
        for step in steps:
            position = step(net, position)
        plans[name] = net.plan()

    for kernel, stride, padding, dilation in (
        (3, 1, "same", 1), (2, 2, "same", 1), (3, 2, "valid", 1), ((1, 5), (1, 2), "same", 1), (3, 1, "same", 2),
    ):  # fmt: skip
        one(
            f"conv {kernel} {stride} {padding} {dilation}",
            lambda net, at, k=kernel, s=stride, p=padding, d=dilation: net.conv(
                "conv", at, 4, k, s, padding=p, dilation=d, bias=s == 1
            ),
        )
    for kind in ("max", "avg"):
        for kernel, stride, padding in ((3, 1, "same"), (3, 2, "same"), (2, 2, "valid"), (1, 2, "same")):
            one(
                f"{kind} {kernel} {stride} {padding}",
                lambda net, at, t=kind, k=kernel, s=stride, p=padding: net.pool("pool", t, at, k, s, p),
            )
    one("separable", lambda net, at: net.separable_conv("separable", at, 5, 5, 2))
    one("pad and crop", lambda net, at: net.crop("crop", net.pad("pad", at, (1, 2, 0, 3)), (0, 1, 2, 1)))
    one("relu, bn", lambda net, at: net.batch_norm("bn", net.relu(at)))
    one("add three", lambda net, at: net.add("add", (at, net.relu(at), at)))
    one("concat", lambda net, at: net.concat("concat", (at, net.relu(at), at)))
    one("average", lambda net, at: net.dense("dense", net.global_pool("average", at), 4))
    one("maximum", lambda net, at: net.dense("dense", net.global_pool("max", at), 4))
    one("flatten", lambda net, at: net.dense("dense", net.flatten("flatten", at), 4))
    one("dropout", lambda net, at: net.conv("conv", net.dropout("dropout", net.relu(at), 0.5), 4, 1))
    one(
        "squeeze and excite",
        lambda net, at: net.multiply(
            "scale", at, net.sigmoid("gate", net.conv("excite", net.squeeze("squeeze", at), 3, 1, bias=True))
        ),
    )
    one("self-attention", lambda net, at: net.self_attention("attention", at, 2, 5))
    return plans


def keras_of(layers: Plan) -> keras.Model:
    """The Keras model of any plan, layer by layer."""
    choices = Choices(keras.layers.BatchNormalization, 0.9, 1e-3, "he_normal")
    tensors = [keras.Input(shape=layers[0].shape)]
    for layer in layers[1:]:
        read = [tensors[position] for position in layer.inputs]
        tensors.append(operation(layer, choices)(read if layer.op in OF_SEVERAL else read[0]))
    return keras.Model(tensors[0], tensors[-1])


@pytest.mark.parametrize("name", small_plans())
def test_every_operation_gives_what_keras_gives(name: str) -> None:
    layers = small_plans()[name]
    same(layers, shaken(keras_of(layers)))


def test_layers_that_act_in_training_only_are_left_out() -> None:
    net = PlanBuilder(IMAGE)
    net.dropout("dropout", net.drop_path("path", net.conv("conv", 0, 2, 1), 0.5), 0.5)
    kinds = [node.op_type for node in onnx_of_plan(net.plan()).graph.node]
    assert kinds == ["Transpose", "Conv", "Identity"]


def test_the_same_plan_gives_the_same_bytes_and_values_that_stay_finite() -> None:
    layers = plan(load("nasnet_a"), template("cifar", kind="cell", repeats=2, filters=(8, 16, 32)))
    proto = onnx_of_plan(layers)
    assert proto.SerializeToString() == onnx_of_plan(layers, random_weights(0)).SerializeToString()
    assert proto.SerializeToString() != onnx_of_plan(layers, random_weights(1)).SerializeToString()
    (logits,) = run(proto, np.random.default_rng(0).standard_normal((1, 32, 32, 3)).astype(np.float32))
    assert np.isfinite(logits).all()
    assert 1e-3 < np.abs(logits).max() < 1e6


def test_an_operation_that_is_not_known_is_not_guessed() -> None:
    layers = (Layer("input", "input", (), IMAGE), Layer("fourier", "fourier", (0,), IMAGE))
    with pytest.raises(ExportError, match=r"operations that can be written as ONNX\. Received: 'fourier'$"):
        onnx_of_plan(layers)


def test_an_open_size_is_refused() -> None:
    layers = plan(load("block_qnn_s"), template("cifar", repeats=1, filters=(4,), input_shape=(None, None, 3)))
    with pytest.raises(ExportError, match=r"input size known\. Received: \(None, None, 3\)$"):
        onnx_of_plan(layers)


def test_weights_that_no_graph_can_hold_are_refused() -> None:
    net = PlanBuilder((8, 8, 3))
    net.dense("last", net.dense("first", net.flatten("flatten", 0), 30_000), 30_000)
    with pytest.raises(ExportError, match=r"at most 2,146,435,072 bytes for an ONNX graph\. Received: 3,623,280,000$"):
        onnx_of_plan(net.plan())
