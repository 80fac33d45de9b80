"""Networks of chains: shapes, costs and dropout worked out by hand, the paper's counts, and the Keras models."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_cells.builder import Plan, build, cost, feature_maps, plan, template
from automl_cells.builder.chain_network import dropout_rates
from automl_cells.builder.plan import TooManyParametersError
from automl_cells.builder.template import ChainTemplate
from automl_cells.errors import TemplateError
from automl_cells.genotypes import ChainGenotype, load
from tests.genotypes.chains import chains

RANDOM = np.random.default_rng(0)


def chain(text: str) -> ChainGenotype:
    return ChainGenotype.from_text(text)


def frame(**changes: Any) -> Any:
    return template(kind="chain", **changes)


def small(side: int = 5, channels: int = 2, **changes: Any) -> Any:
    return frame(input_shape=(side, side, channels), classes=3, **changes)


def shapes(layers: Plan) -> dict[str, Any]:
    found = {layer.name: layer.shape for layer in layers}
    assert len(found) == len(layers)  # Keras wants different names
    return found


def without_softmax_layer(layers: Plan) -> int:
    """Parameters, but for those of the last layer, as the paper's tables count them."""
    last = layers[-1]
    assert last.name == "predictions"
    return cost(layers).parameters - (layers[last.inputs[0]].shape[2] + 1) * last.shape[2]


def run(model: keras.Model, images: np.ndarray, training: bool = False) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=training))


def images(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def test_the_template_is_bare() -> None:
    assert isinstance(frame(), ChainTemplate)
    assert (frame().input_shape, frame().classes, frame().filter_multiplier) == ((32, 32, 3), 10, 1)
    assert template(None, kind="chain") == template("chain", kind="chain") == frame()


@pytest.mark.parametrize(
    ("layer", "side", "after"),
    [
        ("P(3,2)", 32, 15),  # ⌊29 / 2⌋ + 1
        ("P(5,3)", 32, 10),  # 27 / 3 + 1
        ("P(2,2)", 32, 16),
        ("P(3,2)", 28, 13),
        ("P(2,2)", 7, 3),
        ("P(5,3)", 5, 1),
        ("C(4,1,1)", 7, 7),
        ("C(4,5,1)", 7, 7),
        ("C(4,3,2)", 7, 4),  # ⌈7 / 2⌉
        ("C(4,3,3)", 7, 3),
        ("C(4,2,2)", 6, 3),
    ],
)
def test_sizes_of_maps(layer: str, side: int, after: int) -> None:
    layers = plan(chain(f"C(4,1,1),{layer},SM"), small(side))
    assert layers[3].shape == (after, after, 4)


def test_a_network_by_hand() -> None:
    layers = plan(chain("C(8,3,1),P(3,2),C(4,5,1),FC(6),FC(5),SM"), frame())
    assert [(layer.name, layer.op, layer.shape) for layer in layers] == [
        ("input", "input", (32, 32, 3)),
        ("layer1_conv", "conv", (32, 32, 8)),
        ("layer1_conv_relu", "relu", (32, 32, 8)),
        ("layer2_pool", "max_pool", (15, 15, 8)),
        ("layer3_conv", "conv", (15, 15, 4)),
        ("layer3_conv_relu", "relu", (15, 15, 4)),
        ("top_layer4_flatten", "flatten", (1, 1, 900)),
        ("top_layer4_dense", "dense", (1, 1, 6)),
        ("top_layer4_dense_relu", "relu", (1, 1, 6)),
        ("top_layer5_dense", "dense", (1, 1, 5)),
        ("top_layer5_dense_relu", "relu", (1, 1, 5)),
        ("predictions", "dense", (1, 1, 10)),
    ]
    assert [layer.inputs for layer in layers[1:]] == [(number,) for number in range(len(layers) - 1)]
    kernels = [9 * 3 * 8, 25 * 8 * 4, 900 * 6, 6 * 5, 5 * 10]
    parameters = sum(kernels) + 8 + 4 + 6 + 5 + 10
    flops = kernels[0] * 32 * 32 + kernels[1] * 15 * 15 + sum(kernels[2:])
    assert cost(layers) == (parameters, parameters, flops)  # no batch normalisation, so no statistics


def test_a_linear_classifier() -> None:
    layers = plan(chain("SM"), small())
    assert [layer.name for layer in layers] == ["input", "flatten", "predictions"]
    assert cost(layers) == (50 * 3 + 3, 50 * 3 + 3, 50 * 3)


def test_the_global_average_is_a_convolution_to_the_classes() -> None:
    layers = plan(chain("C(8,3,1),P(2,2),GAP,SM"), small(9, 1))
    assert [(layer.name, layer.op, layer.shape) for layer in layers[3:]] == [
        ("layer2_pool", "max_pool", (4, 4, 8)),
        ("predictions_maps", "conv", (4, 4, 3)),
        ("predictions_maps_relu", "relu", (4, 4, 3)),
        ("layer3_average", "global_average_pool", (1, 1, 3)),
        ("predictions", "dense", (1, 1, 3)),  # the softmax layer of the termination stays
    ]
    parameters = (9 * 8 + 8) + (8 * 3 + 3) + (3 * 3 + 3)
    assert cost(layers) == (parameters, parameters, 81 * 9 * 8 + 16 * 8 * 3 + 3 * 3)


def test_parameters_of_the_papers_best_network_by_hand() -> None:
    layers = plan(load("metaqnn_cifar10_1"), frame())
    weights = [25 * 3 * 512, 9 * 512 * 256, 25 * 256 * 256, 9 * 256 * 256, 9 * 256 * 512, 25 * 512 * 512]
    biases = 512 + 256 + 256 + 256 + 512 + 512
    assert without_softmax_layer(layers) == sum(weights) + biases == 11_181_824
    assert cost(layers).parameters == 11_181_824 + 5 * 5 * 512 * 10 + 10  # 32, then 10, then 5 pixels


@pytest.mark.parametrize(
    ("name", "table", "millions"),
    [
        ("metaqnn_cifar10_1", 11.18, 11.182),
        ("metaqnn_cifar10_2", 2.17, 2.173),
        ("metaqnn_cifar10_3", 2.42, 2.425),
        ("metaqnn_cifar10_4", 1.10, 1.106),
        ("metaqnn_cifar10_5", 1.66, 1.666),
        ("metaqnn_mnist_3", 8.28, 8.286),
        ("metaqnn_mnist_4", 6.27, 6.270),
        ("metaqnn_mnist_5", 8.10, 8.105),
        ("metaqnn_mnist_6", 9.67, 9.678),
        ("metaqnn_mnist_7", 3.52, 3.526),
        ("metaqnn_mnist_8", 12.42, 12.425),
        ("metaqnn_mnist_9", 7.25, 7.257),
        ("metaqnn_mnist_10", 7.55, 7.557),
    ],
)
def test_parameters_are_those_of_the_papers_tables(name: str, table: float, millions: float) -> None:
    shape = (32, 32, 3) if "cifar10" in name else (28, 28, 1)
    found = without_softmax_layer(plan(load(name), frame(input_shape=shape))) / 1e6
    assert found == pytest.approx(table, abs=0.01)
    assert found == pytest.approx(millions, abs=0.0005)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 9 layers and the termination, of the kind of the last, one of FC: L = 10, F = 2, n = (10 - 2) // 2 + 2 = 6.
        ("metaqnn_mnist_1", {2: 1 / 12, 4: 2 / 12, 6: 3 / 12, 8: 4 / 12, 9: 5 / 12}),  # …,FC512,D(5,6),SM
        # 10 layers: L = 11, F = 3, n = 8 // 2 + 3 = 7.
        ("metaqnn_mnist_2", {2: 1 / 14, 4: 2 / 14, 6: 3 / 14, 8: 4 / 14, 9: 5 / 14, 10: 6 / 14}),
        # 9 layers with GAP: L = 10, G = 2, n = 8 // 2 = 4.
        ("metaqnn_mnist_7", {2: 1 / 8, 4: 2 / 8, 6: 3 / 8, 8: 4 / 8}),
        ("metaqnn_cifar10_1", {2: 1 / 8, 4: 2 / 8, 6: 3 / 8, 8: 4 / 8}),  # L = 9, n = 9 // 2
        ("metaqnn_cifar10_2", {2: 1 / 10, 4: 2 / 10, 6: 3 / 10, 8: 4 / 10}),  # L = 10, n = 5: the last is not reached
        ("metaqnn_cifar10_4", {2: 1 / 8, 4: 2 / 8, 6: 3 / 8}),
        ("SM", {}),
        ("GAP,SM", {}),
        ("C(8,3,1),SM", {}),
        ("C(8,3,1),GAP,SM", {}),  # none after the average, though it is the second layer
        ("C(8,3,1),P(2,2),C(8,3,1),GAP,SM", {2: 1 / 2}),  # L = 5, G = 2, n = 3 // 2
        ("C(8,3,1),C(8,3,1),SM", {2: 1 / 2}),  # L = 3, n = 1
        ("C(8,3,1),C(8,3,1),C(8,3,1),SM", {2: 1 / 4}),  # L = 4, n = 2
        ("FC(8),SM", {1: 1 / 4}),  # L = F = 2, n = 2
        ("FC(8),FC(8),SM", {1: 1 / 6, 2: 2 / 6}),
        ("C(8,3,1),FC(8),FC(8),SM", {2: 1 / 6, 3: 2 / 6}),  # L = 4, F = 3, n = 0 + 3; both for the second and for FC
    ],
)  # fmt: skip
def test_dropout_rates_by_hand(text: str, expected: dict[int, float]) -> None:
    assert dropout_rates(load(text) if text.startswith("metaqnn") else chain(text)) == pytest.approx(expected)


def test_other_bounds_of_the_dropout_rates() -> None:
    genotype = load("metaqnn_cifar10_1")
    assert dropout_rates(genotype, 0.3, 0.5) == pytest.approx({2: 0.3, 4: 0.3, 6: 0.375, 8: 0.5})  # MNIST, appendix C
    assert dropout_rates(genotype, 0.0, 0.8) == pytest.approx({2: 0.2, 4: 0.4, 6: 0.6, 8: 0.8})
    assert dropout_rates(genotype, 0.25, 0.25) == pytest.approx(dict.fromkeys((2, 4, 6, 8), 0.25))
    assert dropout_rates(genotype, 0.6, 0.5) == pytest.approx(dict.fromkeys((2, 4, 6, 8), 0.6))


@given(chains(max_layers=12), st.floats(0, 0.5), st.floats(0, 0.5))
def test_dropout_rates_rise_within_their_bounds(genotype: ChainGenotype, lowest: float, more: float) -> None:
    rates = dropout_rates(genotype, lowest, lowest + more)
    assert list(rates) == sorted(rates)
    assert list(rates.values()) == sorted(rates.values())
    assert all(lowest <= rate <= lowest + more for rate in rates.values())
    letters = {number: layer.letter for number, layer in enumerate(genotype.layers, start=1)}
    assert {number for number, letter in letters.items() if letter == "FC"} <= set(rates)
    assert all(number % 2 == 0 or letters[number] == "FC" for number in rates)
    assert not any(letters[number] == "GAP" for number in rates)


def test_dropout_layers_stand_after_their_layers() -> None:
    genotype = chain("C(8,3,1),P(2,2),C(8,3,1),FC(8),SM")
    layers = plan(genotype, small(8), chain_dropout=(0.0, 0.5))
    found = [(layer.name, layers[layer.inputs[0]].name, layer.rate) for layer in layers if layer.op == "dropout"]
    # L = 5, F = 2, n = 3 // 2 + 2 = 3
    assert found == [
        ("layer2_dropout", "layer2_pool", pytest.approx(1 / 6)),
        ("layer4_dropout", "top_layer4_dense_relu", pytest.approx(2 / 6)),
    ]
    assert layers[layers[-1].inputs[0]].name == "layer4_dropout"
    assert cost(layers) == cost(plan(genotype, small(8)))
    assert not any(layer.op == "dropout" for layer in plan(genotype, small(8)))


@pytest.mark.parametrize(
    ("genotype", "base", "options", "message"),
    [
        (
            "metaqnn_mnist_7",
            "chain",
            {"include_top": False},
            r"a chain and include_top=True .*Received: a chain, .*False",
        ),
        ("block_qnn_s", "cifar", {}, r"a chain and include_top=True with chain_dropout\. Received: a block"),
    ],
)
def test_dropout_inside_is_for_chains_with_their_top(
    genotype: str, base: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TemplateError, match=message):
        plan(load(genotype), template(base, kind=load(genotype).kind), chain_dropout=(0.0, 0.5), **options)


@pytest.mark.parametrize("end", ["SM", "GAP,SM", "FC(9),FC(7),SM"])
def test_without_the_top_a_network_ends_with_its_last_map(end: str) -> None:
    genotype = chain(f"C(8,3,1),P(2,2),C(4,3,1),{end}")
    layers = plan(genotype, frame(), include_top=False)
    assert (layers[-1].name, layers[-1].shape) == ("layer3_conv_relu", (16, 16, 4))
    for pooling, op in (("avg", "global_average_pool"), ("max", "global_max_pool")):
        layers = plan(genotype, frame(), include_top=False, pooling=pooling)
        assert (layers[-1].op, layers[-1].shape) == (op, (1, 1, 4))


def test_feature_maps_are_those_before_the_poolings_and_the_last() -> None:
    genotype = chain("C(8,3,1),C(6,3,1),P(2,2),C(4,3,1),P(5,3),C(5,1,1),FC(7),SM")
    maps = feature_maps(plan(genotype, frame(), include_top=False, features=True))
    assert [(each.stride, each.shape) for each in maps] == [
        (1, (32, 32, 6)),
        (2, (16, 16, 4)),
        (6, (4, 4, 5)),  # ⌊11 / 3⌋ + 1
    ]
    ends = feature_maps(plan(chain("P(2,2),C(4,3,1),P(2,2),SM"), frame(), include_top=False, features=True))
    assert [(each.stride, each.shape) for each in ends] == [(2, (16, 16, 4)), (4, (8, 8, 4))]  # the image is none


def test_images_of_any_size() -> None:
    anything = frame(input_shape=(None, None, 3))
    genotype = chain("C(8,3,1),P(2,2),C(4,3,2),FC(7),SM")
    assert plan(genotype, anything, include_top=False)[-1].shape == (None, None, 4)
    layers = plan(chain("C(8,3,1),P(2,2),GAP,SM"), anything)  # an average has one size
    assert layers[-1].shape == (1, 1, 10)
    assert cost(layers).flops is None
    for end in ("FC(7),SM", "SM"):
        with pytest.raises(TemplateError, match=r"a fixed size with a network that flattens .*=\(None, None, 3\)"):
            plan(chain(f"C(8,3,1),{end}"), anything)


def test_a_multiplier_scales_every_width_but_the_classes() -> None:
    genotype = chain("C(64,3,1),P(2,2),C(10,1,1),FC(128),FC(1),SM(10)")
    sizes = shapes(plan(genotype, frame(filter_multiplier=0.25)))
    assert sizes["layer1_conv"][2] == 16
    assert sizes["layer3_conv"][2] == 2  # 2.5, to the even
    assert (sizes["top_layer4_dense"], sizes["top_layer5_dense"]) == ((1, 1, 32), (1, 1, 1))  # at least 1
    assert sizes["predictions"] == (1, 1, 10)
    assert shapes(plan(chain("C(64,3,1),GAP,SM"), frame(filter_multiplier=0.25)))["predictions_maps"] == (32, 32, 10)
    assert shapes(plan(genotype, frame(filter_multiplier=2)))["layer1_conv"] == (32, 32, 128)


def test_a_multiplier_takes_the_place_of_the_one_before() -> None:
    half = frame(filter_multiplier=0.5)
    assert half.filter_multiplier == 0.5
    assert template(half, filter_multiplier=0.25).filter_multiplier == 0.25
    assert template(half, classes=3).filter_multiplier == 0.5


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        (
            "C(8,3,1),P(2,2),C(8,5,1),SM",
            (8, 8, 3),
            r"at least 5x5 for layer 3, C\(8,5,1\), of the chain, on images of \(8, 8, 3\)\. Received: a map of 4x4",
        ),
        (
            "C(8,3,1),P(2,2),C(8,1,1),P(5,3),SM",
            (8, 20, 3),
            r"at least 5x5 for layer 4, P\(5,3\), .* Received: a map of 4x10, pooled away to nothing",
        ),
        ("P(3,2),SM", (20, 2, 3), r"at least 3x3 for layer 1, P\(3,2\), .* Received: a map of 20x2, pooled away"),
        ("C(8,3,1),SM", (2, 2, 1), r"at least 3x3 for layer 1, C\(8,3,1\), .* smaller than the receptive field"),
        ("C(8,1,1),P(2,2),SM", (None, 1, 1), r"at least 2x2 for layer 2, P\(2,2\), .* a map of Nonex1, pooled away"),
    ],
)
def test_windows_that_do_not_fit_name_their_layer(text: str, shape: Any, message: str) -> None:
    for top in (True, False):
        with pytest.raises(TemplateError, match=message):
            plan(chain(text), frame(input_shape=shape), include_top=top)


@pytest.mark.parametrize("name", ["metaqnn_cifar10_2", "metaqnn_svhn_4", "metaqnn_mnist_1"])
def test_a_pixel_is_left_of_the_papers_images_at_least(name: str) -> None:
    layers = plan(load(name), frame(input_shape=(28, 28, 1) if "mnist" in name else (32, 32, 3)))
    last = [layer.shape for layer in layers if layer.op in ("relu", "max_pool") and layer.shape[:2] != (1, 1)][-1]
    assert last[:2] == {"metaqnn_cifar10_2": (3, 3), "metaqnn_svhn_4": (8, 8), "metaqnn_mnist_1": (4, 4)}[name]


SIZES = r"Expected filter_multiplier alone with the template of a chain, .* Received: "


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"repeats": 2}, r"repeats=2$"),
        ({"filters": (8, 16)}, r"filters=\(8, 16\)$"),
        ({"repeats": 1, "filters": (8,)}, r"repeats=1$"),
        ({"filters": (8,), "filter_multiplier": 0.5}, r"filters=\(8,\)$"),
    ],
)
def test_a_chain_has_its_own_layers_and_filters(options: dict[str, Any], received: str) -> None:
    with pytest.raises(TemplateError, match=SIZES + received):
        frame(**options)
    with pytest.raises(TemplateError, match=SIZES + received):
        build("C(8,3,1),SM", **options)


@pytest.mark.parametrize(
    ("genotype", "base", "options", "message"),
    [
        ("metaqnn_mnist_9", template("cifar"), {}, r"template for a chain\. Received: cifar, a BlockTemplate"),
        ("block_qnn_s", frame(), {}, r"template for a block\. Received: chain, a ChainTemplate"),
        ("metaqnn_mnist_9", frame(), {"auxiliary": True}, r"among \['cell'\] .*Received: a chain"),
        ("metaqnn_mnist_9", frame(), {"drop_path": True}, r"among \['cell'\] .*Received: a chain"),
        ("metaqnn_mnist_9", frame(), {"pooling": "min"}, r"pooling None, 'avg' or 'max'\. Received: 'min'"),
        ("metaqnn_mnist_9", frame(), {"features": True}, r"include_top=False .* with features=True"),
    ],
)
def test_what_cannot_be_planned(genotype: str, base: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        plan(load(genotype), base, **options)


@pytest.mark.parametrize("multiplier", [0, -1, 1001, float("nan")])
def test_multipliers_out_of_range(multiplier: float) -> None:
    with pytest.raises(TemplateError, match=r"a filter multiplier above 0, at most 1000\. Received: "):
        frame(filter_multiplier=multiplier)


def test_a_search_stops_planning_at_its_limit() -> None:
    genotype = chain("C(8,3,1),FC(9),SM")
    weights = 9 * 2 * 8 + 25 * 8 * 9 + 9 * 3
    assert plan(genotype, small(), max_params=weights)
    with pytest.raises(TooManyParametersError, match="within the limit of parameters"):
        plan(genotype, small(), max_params=weights - 1)


class TestKeras:
    """What Keras makes of the plans."""

    @settings(max_examples=15)
    @given(chains(max_layers=6, side=9, max_width=4, max_kernel=5), st.integers(1, 2), st.booleans())
    def test_any_chain_becomes_the_network_that_its_plan_says(
        self, genotype: ChainGenotype, channels: int, dropping: bool
    ) -> None:
        sizes = small(9, channels)
        rates = (0.1, 0.5) if dropping else (0.0, 0.0)
        layers = plan(genotype, sizes, chain_dropout=rates)
        model = build(genotype, sizes, chain_dropout=rates)
        assert model.count_params() == cost(layers).total_parameters == cost(layers).parameters
        for layer in layers[1:]:
            shape = model.get_layer(layer.name).output.shape[1:]
            assert shape == layer.shape or (1, 1, *shape) == layer.shape
        assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
        probabilities = run(model, images(2, 9, 9, channels))
        assert probabilities.shape == (2, 3)
        np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)

    def test_what_a_network_computes(self) -> None:
        model = build("C(4,1,1),P(3,2),FC(6),SM", small())
        weights = [RANDOM.normal(size=weight.shape).astype(np.float32) for weight in model.get_weights()]
        model.set_weights(weights)
        kernel, bias, dense, shift, last, end = weights
        batch = images(3, 5, 5, 2)
        maps = relu(batch @ kernel[0, 0] + bias)
        pooled = np.stack([maps[:, y : y + 3, x : x + 3].max((1, 2)) for y in (0, 2) for x in (0, 2)], axis=1)
        expected = softmax(relu(pooled.reshape(3, -1) @ dense + shift) @ last + end)
        np.testing.assert_allclose(run(model, batch), expected, rtol=1e-4, atol=1e-6)

    def test_what_the_global_average_computes(self) -> None:
        model = build("C(4,1,1),GAP,SM", small())
        weights = [RANDOM.normal(size=weight.shape).astype(np.float32) for weight in model.get_weights()]
        model.set_weights(weights)
        kernel, bias, to_classes, shift, last, end = weights
        batch = images(3, 5, 5, 2)
        scores = relu(relu(batch @ kernel[0, 0] + bias) @ to_classes[0, 0] + shift).mean((1, 2))
        np.testing.assert_allclose(run(model, batch), softmax(scores @ last + end), rtol=1e-4, atol=1e-6)

    def test_logits_and_probabilities(self) -> None:
        text, batch = "C(4,3,1),P(2,2),FC(6),SM", images(4, 5, 5, 2)
        logits = build(text, small(), classifier_activation=None)
        probabilities = build(text, small())
        probabilities.set_weights(logits.get_weights())
        assert logits.layers[-1].name == "predictions"
        assert probabilities.layers[-1].name == "probabilities"
        np.testing.assert_allclose(run(probabilities, batch), softmax(run(logits, batch)), rtol=1e-4, atol=1e-6)

    def test_dropout_acts_in_training_alone(self) -> None:
        keras.utils.set_random_seed(0)
        text, batch = "C(4,3,1),C(4,3,1),FC(16),SM", images(4, 5, 5, 2)
        plain = build(text, small())
        dropping = build(text, small(), chain_dropout=(0.0, 0.5))
        dropping.set_weights(plain.get_weights())  # dropout has no weights
        np.testing.assert_allclose(run(dropping, batch), run(plain, batch), atol=1e-6)
        np.testing.assert_array_equal(run(plain, batch, training=True), run(plain, batch))
        first, second = (run(dropping, batch, training=True) for _ in range(2))
        assert np.abs(first - second).max() > 1e-4
        assert np.abs(first - run(plain, batch)).max() > 1e-4

    def test_dropout_layers_have_the_rates_of_the_plan(self) -> None:
        # L = 4, F = 2, n = 1 + 2 = 3
        model = build("C(4,3,1),C(4,3,1),FC(16),SM", small(), chain_dropout=(0.2, 0.5))
        rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
        assert rates == pytest.approx({"layer2_dropout": 0.2, "layer3_dropout": 2 / 6})

    def test_a_network_without_its_top(self) -> None:
        text = "C(4,3,1),P(2,2),C(6,1,1),FC(9),SM"
        anything = build(text, small(), input_shape=(None, None, 2), include_top=False)
        assert anything.output_shape == (None, None, None, 6)
        for side in (6, 9):
            assert run(anything, images(1, side, side + 4, 2)).shape == (1, side // 2, side // 2 + 2, 6)
        pooled = build(text, small(), include_top=False, pooling="max")
        pooled.set_weights(anything.get_weights())
        batch = images(2, 5, 5, 2)
        np.testing.assert_allclose(run(pooled, batch), run(anything, batch).max((1, 2)), atol=1e-6)
        maps = build(text, small(), include_top=False, features=True)
        assert [tuple(shape) for shape in maps.output_shape] == [(None, 5, 5, 4), (None, 2, 2, 6)]

    def test_kernels_start_as_xavier_has_it(self) -> None:
        keras.utils.set_random_seed(0)
        model = build("C(128,3,1),FC(64),SM", small(5, 64))
        bound = np.sqrt(6 / (9 * 64 + 9 * 128))
        kernel, bias = model.get_layer("layer1_conv").get_weights()
        assert np.abs(kernel).max() == pytest.approx(bound, rel=0.01)
        assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
        assert not bias.any()
        dense, _ = model.get_layer("top_layer2_dense").get_weights()
        assert np.abs(dense).max() == pytest.approx(np.sqrt(6 / (25 * 128 + 64)), rel=0.01)

    def test_a_network_is_named_after_its_genotype(self) -> None:
        genotype = chain("C(4,3,1),SM")
        assert build(genotype, small()).name == f"chain_{genotype.hash[7:15]}"
