"""The operations of blocks that are not in BlockQNN's table 1: their layers, cost and values by hand."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from automl_cells.builder import Plan, build, cost, plan, template
from automl_cells.builder.plan import TooManyParametersError
from automl_cells.errors import TemplateError
from automl_cells.genotypes import BlockGenotype

SEPARABLE_3, SEPARABLE_5, DILATED = (8, 3), (8, 5), (9, 3)
SQUEEZE, ATTENTION = (10, 0), (11, 0)
STEM, STEM_STATISTICS = 3 * 3 * 3 * 8 + 2 * 8, 2 * 8  # parameters of the stem of `small`
STEM_FLOPS = 3 * 3 * 3 * 8 * 64


def chain(*choices: tuple[int, int]) -> BlockGenotype:
    """Layers one after the other, (type, kernel) each."""
    codes = [(index, *choice, index - 1, 0) for index, choice in enumerate(choices, start=1)]
    return BlockGenotype.from_codes([*codes, (len(codes) + 1, 7, 0, 0, 0)])


def small(genotype: BlockGenotype, max_params: int | None = None, **options: Any) -> Plan:
    """One stage of one block of 8 filters on 8×8×3 images, 10 classes, with changes."""
    sizes = {"repeats": 1, "filters": (8,), "input_shape": (8, 8, 3), "classes": 10, **options}
    return plan(genotype, template("cifar", **sizes), max_params=max_params)


def rows(layers: Plan) -> list[tuple[str, tuple[int, ...], int]]:
    """(op, inputs, channels) of every layer of the block, which begins at position 3."""
    return [(layer.op, layer.inputs, layer.shape[2]) for layer in layers[3:-3]]


def bare(genotype: BlockGenotype, shape: tuple[int, int, int], filters: int) -> keras.Model:
    """The block on the image itself, without stem and top; a ReLU follows it."""
    frame = template("cifar", repeats=1, filters=(filters,), input_shape=shape).model_copy(update={"stem": ()})
    return build(genotype, frame, include_top=False)


def run(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(batch.astype("float32")))


def neutral(channels: int) -> list[np.ndarray]:
    """Weights of a batch normalisation that changes nothing: γ, β, mean, variance, with ε = 0.001."""
    one, zero = np.ones(channels), np.zeros(channels)
    return [one, zero, zero, one - 0.001]


@pytest.mark.parametrize(("choice", "kernel"), [(SEPARABLE_3, 3), (SEPARABLE_5, 5)])
def test_separable_convolution_by_hand(choice: tuple[int, int], kernel: int) -> None:
    layers = small(chain(choice))
    assert rows(layers) == [("relu", (2,), 8), ("separable_conv", (3,), 8), ("batch_norm", (4,), 8)]
    assert (layers[4].kernel, layers[4].stride, layers[4].bias) == (kernel, 1, False)
    kernels = kernel * kernel * 8 + 8 * 8
    assert cost(layers) == (
        STEM + kernels + 16 + 90,
        STEM + STEM_STATISTICS + kernels + 32 + 90,
        STEM_FLOPS + kernels * 64 + 80,
    )


def test_one_relu_for_all_convolutions_of_one_output() -> None:
    block = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 8, 3, 0, 0), (3, 9, 3, 0, 0), (4, 7, 0, 0, 0)])
    layers = small(block)
    assert [layer.inputs for layer in layers if "conv" in layer.op] == [(0,), (3,), (3,), (3,)]


def test_dilated_convolution_by_hand() -> None:
    layers = small(chain(DILATED))
    assert rows(layers) == [("relu", (2,), 8), ("conv", (3,), 8), ("batch_norm", (4,), 8)]
    assert (layers[4].kernel, layers[4].dilation) == (3, 2)
    kernels = 3 * 3 * 8 * 8
    assert cost(layers).parameters == STEM + kernels + 16 + 90
    assert cost(layers).flops == STEM_FLOPS + kernels * 64 + 80
    # A kernel of ones and a pixel of one: what comes out is the nine places that see it, every second pixel.
    model = bare(chain(DILATED), (7, 7, 1), 1)
    model.set_weights([np.ones((3, 3, 1, 1)), *neutral(1)])
    pixel = np.zeros((1, 7, 7, 1))
    pixel[0, 3, 3, 0] = 1
    expected = np.zeros((7, 7))
    expected[1:6:2, 1:6:2] = 1
    np.testing.assert_allclose(run(model, pixel)[0, :, :, 0], expected, atol=1e-6)


def test_squeeze_and_excitation_by_hand() -> None:
    layers = small(chain(SQUEEZE))
    assert rows(layers) == [
        ("squeeze", (2,), 8),
        ("conv", (3,), 4),  # a sixteenth would be none; at least four
        ("relu", (4,), 4),
        ("conv", (5,), 8),
        ("sigmoid", (6,), 8),
        ("multiply", (2, 7), 8),
    ]
    assert [layer.shape[:2] for layer in layers[3:9]] == [(1, 1)] * 5 + [(8, 8)]
    weights = 8 * 4 + 4 * 8
    assert cost(layers) == (
        STEM + weights + 4 + 8 + 90,
        STEM + STEM_STATISTICS + weights + 4 + 8 + 90,
        STEM_FLOPS + weights + 80,  # at one place alone
    )
    wide = small(chain(SQUEEZE), filters=(96,))
    assert [layer.shape[2] for layer in wide if layer.name.endswith("_reduce")] == [6]  # a sixteenth


def test_values_of_squeeze_and_excitation_by_hand() -> None:
    model = bare(chain(SQUEEZE), (1, 2, 2), 1)
    reduce = np.array([[1, -1, 0, 0], [1, 1, 0, 0]])
    expand = np.array([[1, 0], [0, 2], [0, 0], [0, 0]])
    model.set_weights(
        [reduce.reshape(1, 1, 2, 4), np.array([0, 0, -1, 0]), expand.reshape(1, 1, 4, 2), np.array([0, 1])]
    )
    pixels = np.array([[[[1, 4], [3, 0]]]])
    # The averages are 2 and 2, so the four features are 4, 0, -1 and 0, after ReLU 4, 0, 0, 0; expanded 4 and 0 + 1.
    factors = 1 / (1 + np.exp([-4.0, -1.0]))
    np.testing.assert_allclose(run(model, pixels), pixels * factors, rtol=1e-5)


def test_self_attention_by_hand() -> None:
    layers = small(chain(ATTENTION))
    assert rows(layers) == [("self_attention", (2,), 8), ("batch_norm", (3,), 8)]
    assert (layers[3].heads, layers[3].head_width) == (4, 2)
    projections = 4 * 8 * 8
    products = 2 * 64 * 64 * 8
    assert cost(layers) == (
        STEM + projections + 16 + 90,
        STEM + STEM_STATISTICS + projections + 32 + 90,
        STEM_FLOPS + projections * 64 + products + 80,
    )


def test_self_attention_keeps_the_width_of_what_it_reads() -> None:
    twice = [(1, 6, 0, 0, 0), (2, 11, 0, 1, 0), (3, 7, 0, 0, 0)]  # the input and itself
    layers = small(BlockGenotype.from_codes(twice), filters=(12,))
    attention = next(layer for layer in layers if layer.op == "self_attention")
    assert (attention.shape, attention.heads, attention.head_width) == ((8, 8, 24), 4, 3)
    narrow = small(chain(ATTENTION), filters=(2,))
    assert [(layer.heads, layer.head_width) for layer in narrow if layer.heads] == [(4, 1)]


def test_values_of_self_attention() -> None:
    rng = np.random.default_rng(0)
    model = bare(chain(ATTENTION), (2, 3, 5), 8)
    query, key, value = (rng.normal(size=(5, 4, 2)) for _ in range(3))
    back = rng.normal(size=(4, 2, 5))
    given = dict(zip([weight.path for weight in model.weights], model.get_weights(), strict=True))
    assert [path.split("/")[-2:] for path in given][:4] == [[part, "kernel"] for part in (
        "query", "key", "value", "attention_output",
    )]  # fmt: skip
    model.set_weights([query, key, value, back, *neutral(5)])
    batch = rng.normal(size=(3, 2, 3, 5))
    for image, found in zip(batch, run(model, batch), strict=True):
        positions = image.reshape(6, 5)
        total = np.zeros((6, 5))
        for head in range(4):
            scores = (positions @ query[:, head]) @ (positions @ key[:, head]).T / np.sqrt(2)
            shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            total += shares @ (positions @ value[:, head]) @ back[head]
        np.testing.assert_allclose(found, np.maximum(total, 0).reshape(2, 3, 5), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "acts"), [((8, 8), True), ((4, 16), True), ((1, 1), True), ((5, 13), False)])
def test_self_attention_is_an_identity_above_64_positions(shape: tuple[int, int], acts: bool) -> None:
    layers = small(chain(ATTENTION), input_shape=(*shape, 3))
    assert [layer.op for layer in layers[3:-3]] == (["self_attention", "batch_norm"] if acts else [])


def test_in_cifar_self_attention_acts_in_the_last_stage() -> None:
    layers = plan(chain(ATTENTION), template("cifar", repeats=2, filters=(4, 8, 16)))
    acting = [layer for layer in layers if layer.op == "self_attention"]
    assert [layer.name for layer in acting] == [f"stage3_block{number}_layer1_attention" for number in (1, 2)]
    assert {layer.shape[:2] for layer in acting} == {(8, 8)}


@pytest.mark.parametrize("shape", [(None, None, 3), (None, 8, 3)])
def test_self_attention_needs_to_know_the_size_of_the_images(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(
        TemplateError, match=r"a fixed size with a network that attends .* Received: input_shape=\(None, "
    ):
        small(chain(ATTENTION), input_shape=shape)
    small(chain(SEPARABLE_3, DILATED, SQUEEZE), input_shape=shape)  # these do not


def test_planning_stops_at_the_limit_of_parameters() -> None:
    weights = 3 * 3 * 3 * 8 + 4 * 8 * 8 + 8 * 10
    assert small(chain(ATTENTION), max_params=weights)
    with pytest.raises(TooManyParametersError):
        small(chain(ATTENTION), max_params=weights - 1)
    weights = 3 * 3 * 3 * 8 + 2 * 8 * 4 + 8 * 10
    assert small(chain(SQUEEZE), max_params=weights)
    with pytest.raises(TooManyParametersError):
        small(chain(SQUEEZE), max_params=weights - 1)
