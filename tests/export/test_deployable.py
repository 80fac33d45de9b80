import keras
import numpy as np
import pytest

from automl_cells.errors import ExportError
from automl_cells.export import fold_batch_normalization
from automl_cells.export.deployable import output_name, with_output
from automl_cells.export.tracing import trace

LAYERS = {
    "conv": lambda: keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
    "conv with bias": lambda: keras.layers.Conv2D(6, 3),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
    "separable": lambda: keras.layers.SeparableConv2D(6, 3, use_bias=False),
}


def randomised(model):
    random = np.random.default_rng(0)
    for variable in model.weights:
        positive = variable.path.endswith(("gamma", "variance"))
        variable.assign(random.uniform(0.5, 1.5, variable.shape) if positive else random.normal(size=variable.shape))
    return model


def images(model):
    return np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype(np.float32)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def outputs(model):
    return np.asarray(model(images(model), training=False))


def test_a_kernel_and_a_bias_by_hand():
    inputs = keras.Input((1, 1, 1))
    convolution = keras.layers.Conv2D(1, 1)
    normalization = keras.layers.BatchNormalization(epsilon=1.0)
    model = keras.Model(inputs, normalization(convolution(inputs)))
    convolution.set_weights([np.full((1, 1, 1, 1), 3.0), np.array([2.0])])
    normalization.set_weights([np.array([4.0]), np.array([5.0]), np.array([1.0]), np.array([3.0])])  # γ, β, μ, σ²
    kernel, bias = fold_batch_normalization(model).layers[-1].get_weights()
    # scale 4 / √(3 + 1) = 2; kernel 3 · 2 = 6; bias 5 + (2 - 1) · 2 = 7
    assert (kernel.item(), bias.item()) == (6.0, 7.0)


@pytest.mark.parametrize("words", [{}, {"scale": False}, {"center": False}])
@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_folded_computes_the_same(kind, words):
    inputs = keras.Input((6, 6, 3))
    normalized = keras.layers.BatchNormalization(**words)(LAYERS[kind]()(inputs))
    model = randomised(keras.Model(inputs, keras.layers.ReLU()(normalized)))
    folded = fold_batch_normalization(model)
    assert "BatchNormalization" not in kinds(folded)
    np.testing.assert_allclose(outputs(folded), outputs(model), atol=1e-5)
    assert folded.layers[1].use_bias


def test_the_model_that_was_given_is_left_alone():
    inputs = keras.Input((6, 6, 3))
    model = randomised(keras.Model(inputs, keras.layers.BatchNormalization()(LAYERS["conv"]()(inputs))))
    before = [weight.copy() for weight in model.get_weights()]
    fold_batch_normalization(model)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert kinds(model) == ["InputLayer", "Conv2D", "BatchNormalization"]


def _two_readers(inputs):
    convolved = keras.layers.Conv2D(3, 1)(inputs)
    return keras.layers.Add()([keras.layers.BatchNormalization()(convolved), convolved])


def _activation_between(inputs):
    return keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 1, activation="relu")(inputs))


def _after_a_sum(inputs):
    return keras.layers.BatchNormalization()(keras.layers.Add()([inputs, keras.layers.Conv2D(3, 1)(inputs)]))


def _shared_convolution(inputs):
    shared = keras.layers.Conv2D(3, 1)
    return keras.layers.Add()([keras.layers.BatchNormalization()(shared(inputs)), shared(keras.layers.ReLU()(inputs))])


@pytest.mark.parametrize("graph", [_two_readers, _activation_between, _after_a_sum, _shared_convolution])
def test_what_cannot_be_folded_stays(graph):
    inputs = keras.Input((4, 4, 3))
    model = randomised(keras.Model(inputs, graph(inputs)))
    folded = fold_batch_normalization(model)
    assert "BatchNormalization" in kinds(folded)
    np.testing.assert_allclose(outputs(folded), outputs(model), atol=1e-6)


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, inputs):
            return inputs

    for use in (fold_batch_normalization, trace):
        with pytest.raises(ExportError, match=r"Expected a functional or sequential .* Received: a Mine"):
            use(Mine())
    with pytest.raises(ExportError, match=r"that is built. Received: a Sequential"):
        trace(keras.Sequential([keras.layers.Dense(2)]))


def _classifier(last):
    inputs = keras.Input((4,))
    return randomised(keras.Model(inputs, last(keras.layers.Dense(5, name="before")(inputs))))


@pytest.mark.parametrize(
    "last",
    [
        lambda x: keras.layers.Dense(3, activation="softmax")(x),
        lambda x: keras.layers.Activation("softmax")(x),
        lambda x: keras.layers.Softmax()(x),
    ],
)
def test_logits_and_probabilities_are_made_of_each_other(last):
    model = _classifier(last)
    logits = with_output(model, "logits")
    assert (output_name(model), output_name(logits)) == ("probabilities", "logits")
    np.testing.assert_allclose(keras.ops.softmax(outputs(logits)), outputs(model), atol=1e-6)
    again = with_output(logits, "probabilities")
    assert output_name(again) == "probabilities"
    np.testing.assert_allclose(outputs(again), outputs(model), atol=1e-6)
    assert with_output(model, None) is model
    assert with_output(model, "probabilities") is model


def test_a_body_has_no_logits():
    inputs = keras.Input((4, 4, 3))
    body = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ExportError, match="Received: 'logits' of a model that gives features"):
        with_output(body, "logits")
    with pytest.raises(ExportError, match=r"among \['probabilities', 'logits'\] .* Received: 'classes'"):
        with_output(_classifier(keras.layers.Softmax()), "classes")


def test_several_outputs_are_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [keras.layers.Dense(2)(inputs), keras.layers.Dense(3)(inputs)])
    with pytest.raises(ExportError, match="Received: 1 inputs and 2 outputs"):
        output_name(model)
