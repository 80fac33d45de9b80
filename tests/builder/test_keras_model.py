"""Keras models: they are what the plan says, made of stock layers, and saved as such."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_cells.builder import Cost, build, cost, plan, template
from automl_cells.builder import keras_model as module
from automl_cells.errors import GenotypeError, TemplateError
from automl_cells.genotypes import BlockGenotype, load, write
from automl_cells.genotypes.block import Code
from tests.genotypes.blocks import blocks

# Every operation, an add that widens, an add of one layer with itself, several leaves.
VARIED = BlockGenotype.from_codes(
    [
        (1, 1, 3, 0, 0), (2, 2, 3, 0, 0), (3, 3, 3, 1, 0), (4, 4, 0, 0, 0), (5, 6, 0, 1, 4), (6, 5, 0, 5, 2),
        (7, 5, 0, 3, 3), (8, 2, 1, 1, 0), (9, 7, 0, 0, 0),
    ]
)  # fmt: skip
# The operations that are not in table 1.
OURS = BlockGenotype.from_codes(
    [(1, 8, 3, 0, 0), (2, 9, 3, 1, 0), (3, 10, 0, 2, 0), (4, 11, 0, 3, 0), (5, 8, 5, 0, 0), (6, 7, 0, 0, 0)]
)
SIZES: dict[str, Any] = {"repeats": 1, "filters": (3, 4), "input_shape": (7, 6, 2), "classes": 5}


@pytest.fixture(autouse=True)
def fresh_names() -> None:
    keras.backend.clear_session()


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def run(model: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(batch))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def randomised(model: keras.Model) -> keras.Model:
    """All weights random, the moving statistics too, so that no two layers could be mistaken for each other."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.5, 1.5, size=weight.shape) for weight in model.get_weights()])
    return model


def measured(model: keras.Model) -> Cost:
    """The cost of a built model, from its layers' own weights and output shapes."""
    flops = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.SeparableConv2D):
            _, height, width, _ = layer.output.shape
            kernels = [weight.shape for weight in layer.weights if weight.name.endswith("kernel")]
            flops += sum(int(np.prod(shape)) for shape in kernels) * height * width
        elif isinstance(layer, keras.layers.MultiHeadAttention):
            _, positions, _ = layer.output.shape
            flops += layer.count_params() * positions + 2 * positions**2 * layer.num_heads * layer.key_dim
        elif isinstance(layer, keras.layers.Dense):
            flops += int(np.prod(layer.kernel.shape))
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return Cost(trainable, model.count_params(), flops)


def assert_stock(model: keras.Model) -> None:
    for layer in model.layers:
        assert getattr(keras.layers, type(layer).__name__, None) is type(layer), layer


@settings(max_examples=12)
@given(
    blocks(max_layers=7),
    st.integers(1, 2),
    st.lists(st.integers(1, 4), min_size=1, max_size=2),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
)
def test_the_model_is_what_the_plan_says(
    block: BlockGenotype, repeats: int, filters: list[int], shape: tuple[int, int, int]
) -> None:
    sizes = template("cifar", repeats=repeats, filters=filters, input_shape=shape, classes=3)
    layers = plan(block, sizes)
    model = build(block, sizes)
    assert measured(model) == cost(layers)
    assert model.output_shape == (None, 3)
    assert_stock(model)
    built = {layer.name: layer.output.shape[1:] for layer in model.layers}
    for layer in layers[1:]:
        assert built[layer.name] == (layer.shape if len(built[layer.name]) == 3 else layer.shape[2:])


def test_block_qnn_s_has_the_size_that_the_paper_says() -> None:
    model = build("block_qnn_s", "cifar", repeats=2, filters=(32, 64, 128))
    assert measured(model) == Cost(6_125_866, 6_133_994, 858_627_584)
    assert (model.input_shape, model.output_shape) == ((None, 32, 32, 3), (None, 10))
    assert model.name == "block_3e196b61"  # kind and hash


def test_an_empty_block_works() -> None:
    outputs = run(build(BlockGenotype(()), **SIZES), images(2, 7, 6, 2))
    assert outputs.shape == (2, 5)
    np.testing.assert_allclose(np.sum(outputs, axis=1), 1, rtol=1e-5)


# Keras 3.15 saves by np.array(variable), which NumPy 2.4 and later warn of: Keras's variables know no `copy=`.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("block", [VARIED, OURS], ids=["table 1", "ours"])
def test_saved_and_loaded_it_computes_the_same(block: BlockGenotype, tmp_path: Path) -> None:
    model = randomised(build(block, **SIZES))
    batch = images(3, 7, 6, 2)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(run(again, batch), run(model, batch))
    assert_stock(again)


def test_logits_softmax_and_features_are_consistent() -> None:
    top = randomised(build(VARIED, **SIZES))
    logits = build(VARIED, **SIZES, classifier_activation=None)
    logits.set_weights(top.get_weights())
    headless = {pooling: build(VARIED, **SIZES, include_top=False, pooling=pooling) for pooling in (None, "avg", "max")}
    batch = images(2, 7, 6, 2)
    np.testing.assert_allclose(run(top, batch), softmax(run(logits, batch)), rtol=1e-5, atol=1e-7)
    outputs = {}
    for pooling, model in headless.items():
        model.set_weights(top.get_weights()[:-2])  # all but the classifier's
        outputs[pooling] = run(model, batch)
        assert_stock(model)
    assert outputs[None].ndim == 4
    assert outputs[None].shape[:3] == (2, 4, 3)
    np.testing.assert_allclose(outputs["avg"], outputs[None].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(outputs["max"], outputs[None].max(axis=(1, 2)), rtol=1e-6)
    kernel, bias = top.get_weights()[-2:]
    np.testing.assert_allclose(run(logits, batch), outputs["avg"] @ kernel + bias, rtol=1e-4)


def test_one_set_of_weights_serves_every_input_size() -> None:
    fixed = randomised(build(VARIED, **SIZES))
    opened = build(VARIED, **{**SIZES, "input_shape": (None, None, 2)})
    assert opened.input_shape == (None, None, None, 2)
    assert opened.output_shape == (None, 5)
    assert [weight.shape for weight in opened.weights] == [weight.shape for weight in fixed.weights]
    opened.set_weights(fixed.get_weights())
    batch = images(2, 7, 6, 2)
    np.testing.assert_allclose(run(opened, batch), run(fixed, batch), rtol=1e-5, atol=1e-6)
    assert run(opened, images(1, 12, 5, 2)).shape == (1, 5)


def test_on_a_tensor_of_one_s_own() -> None:
    inputs = keras.Input((7, 6, 2))
    model = build(VARIED, repeats=1, filters=(3, 4), classes=5, input_tensor=keras.layers.Rescaling(0.5)(inputs))
    plain = randomised(build(VARIED, **SIZES))
    model.set_weights(plain.get_weights())
    batch = images(2, 7, 6, 2)
    np.testing.assert_allclose(run(model, batch), run(plain, batch * 0.5), rtol=1e-4, atol=1e-6)
    direct = build(VARIED, repeats=1, filters=(3, 4), classes=5, input_tensor=inputs)
    direct.set_weights(plain.get_weights())
    np.testing.assert_allclose(run(direct, batch), run(plain, batch), rtol=1e-5, atol=1e-6)


def test_what_cannot_be_an_input_tensor() -> None:
    with pytest.raises(TemplateError, match=r"input_tensor as a Keras tensor\. Received: a ndarray"):
        build(VARIED, input_tensor=images(1, 7, 6, 2))
    with pytest.raises(TemplateError, match=r"valid input_shape"):
        build(VARIED, input_tensor=keras.Input((7,)))


def test_add_widens_with_a_preactivation_convolution_by_hand() -> None:
    # No stem, so the block reads the image x (2 channels): add(x, concat(x, x)). The 1×1 kernel is W (2×4), batch
    # normalisation has γ = 1, β = 0, mean 0, variance 1 - 0.001, so it changes nothing; the head's ReLU ends it:
    # y = relu(concat(x, x) + relu(x) W).
    block = BlockGenotype.from_codes([(1, 6, 0, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
    frame = template("cifar", repeats=1, filters=(3,), input_shape=(1, 2, 2)).model_copy(update={"stem": ()})
    model = build(block, frame, include_top=False)
    kernel = np.array([[1, 0, 2, -3], [0, 1, -1, 1]], "float32")
    one, zero = np.ones(4, "float32"), np.zeros(4, "float32")
    model.set_weights([kernel.reshape(1, 1, 2, 4), one, zero, zero, one - 0.001])
    pixels = np.array([[[[1, 2], [-1, 3]]]], "float32")
    # (1, 2): relu = (1, 2), W gives (1, 2, 0, -1), plus (1, 2, 1, 2) = (2, 4, 1, 1).
    # (-1, 3): relu = (0, 3), W gives (0, 3, -3, 3), plus (-1, 3, -1, 3) = (-1, 6, -4, 6), relu (0, 6, 0, 6).
    np.testing.assert_allclose(run(model, pixels), [[[[2, 4, 1, 1], [0, 6, 0, 6]]]], rtol=1e-6)


def test_a_genotype_by_name_by_path_or_itself(tmp_path: Path) -> None:
    path = tmp_path / "varied.json"
    write(VARIED, path)
    assert build(path, **SIZES).name == build(str(path), **SIZES).name == build(VARIED, **SIZES).name
    assert build(load("block_qnn_b"), **SIZES, name="mine").name == "mine"
    with pytest.raises(GenotypeError, match="published genotypes"):
        build("block_qnn_z")


def test_batch_norm_momentum() -> None:
    model = build(VARIED, **SIZES, batch_norm_momentum=0.9)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 1e-3)}
    assert all(not layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def chain(*choices: tuple[int, int]) -> BlockGenotype:
    """Layers one after the other, (type, kernel) each; those with two predecessors take the one before twice."""
    return BlockGenotype(
        tuple(
            Code(index, kind, kernel, index - 1, index - 1 if kind in (5, 6) else 0)
            for index, (kind, kernel) in enumerate(choices, start=1)
        )
    )


@pytest.mark.parametrize(
    ("block", "options", "message"),
    [
        # 5·5·16,384² = 6.7 thousand million parameters in one layer
        (chain((1, 5)), {"filters": (16_384,)}, r"at most 2,000,000,000 parameters\. Received: 6,7\d\d,\d\d\d,\d\d\d"),
        # 128 doublings: 3.2·10⁴⁰ channels into the classifier
        (chain(*[(6, 0)] * 128), {}, r"at most 2,000,000,000 parameters\. Received: \d\d,"),
        (chain(*[(1, 1)] * 128), {"repeats": 64, "filters": (4,) * 8}, r"at most 20000 layers\. Received: more"),
        (VARIED, {"repeats": 0}, r"valid repeats"),
        (VARIED, {"pooling": "sum"}, r"pooling None, 'avg' or 'max'"),
        (VARIED, {"template": "vgg"}, r"a template for a block among"),
    ],
)
def test_what_is_too_large_or_unknown_is_refused_before_anything_is_built(
    block: BlockGenotype, options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.keras, "Input", lambda *args, **kwargs: pytest.fail("something was built"))
    with pytest.raises(TemplateError, match=message):
        build(block, **{"repeats": 1, **options})
