"""From a trained Keras model to the one that is deployed: its output chosen, its batch normalisation folded away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_cells.errors import ExportError

if TYPE_CHECKING:
    import keras

OUTPUTS = ("probabilities", "logits")


def output_name(model: keras.Model) -> str:
    """What the model gives, told from its last layer.

    Returns:
        ``probabilities`` of a softmax or an average of several, ``logits`` of a dense layer without activation,
        ``scores`` of one with another activation (such as sigmoids for several labels), ``features`` of anything else.
    """
    import keras

    last = _last(model)
    if isinstance(last, keras.Model):
        return output_name(last)
    if _is_softmax(last) or _averages_softmaxes(last):
        return "probabilities"
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Dense | keras.layers.Activation):
        return "logits" if activation is keras.activations.linear else "scores"
    return "features"


def with_output(model: keras.Model, output: str | None) -> keras.Model:
    """`model` with the output asked for; its layers and weights are shared, but for the last.

    Args:
        model: a functional model with one output.
        output: ``probabilities``, ``logits``, or ``None`` for what the model has.

    Raises:
        ExportError: another word, or a model that does not end with a softmax or logits.
    """
    import keras

    found = output_name(model)
    if output is None or output == found:
        return model
    last = _last(model)
    if output not in OUTPUTS or found not in OUTPUTS or isinstance(last, keras.Model | keras.layers.Average):
        raise ExportError(
            f"Expected an output among {list(OUTPUTS)} of a model whose own last layer gives one of them. "
            f"Received: {output!r:.40} of a model that gives {found}{_how(last)}"
        )
    if output == "probabilities":
        return keras.Model(model.inputs[0], keras.layers.Softmax(name="softmax")(model.outputs[0]), name=model.name)
    before = last.input
    if not isinstance(last, keras.layers.Dense):
        return keras.Model(model.inputs[0], before, name=model.name)
    linear = keras.layers.Dense.from_config({**last.get_config(), "activation": "linear"})
    cut = keras.Model(model.inputs[0], linear(before), name=model.name)
    linear.set_weights(_weights(last))
    return cut


def fold_batch_normalization(model: keras.Model) -> keras.Model:
    """A copy of `model` in which convolutions do what the batch normalisation behind them did.

    With γ, β, μ, σ² of the normalisation, the kernel of each output channel is multiplied by γ / √(σ² + ε) and the bias
    becomes β + (bias - μ) γ / √(σ² + ε). Only a normalisation that is the sole reader of a convolution without
    activation is folded; others stay. The outputs of the two models differ by rounding.

    A model with layers that cannot be copied (such as lambdas) is returned as it is.

    Raises:
        ExportError: not a functional model.
    """
    import keras

    model = functional(model)
    folds = _folds(model)
    if not folds:
        return model
    gone = {normalization.name for normalization in folds.values()}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in folds:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: keras.layers.Layer, *arguments: Any, **words: Any) -> Any:
        return arguments[0] if layer.name in gone else layer(*arguments, **words)

    try:
        folded = keras.models.clone_model(model, clone_function=clone, call_function=call)
    except (TypeError, ValueError, NotImplementedError):  # what layers raise that cannot be made from their own config
        return model
    for layer in folded.layers:
        if layer.weights:
            original = model.get_layer(layer.name)
            normalization = folds.get(layer.name)
            layer.set_weights(_weights(original) if normalization is None else _folded(original, normalization))
            if hasattr(layer, "finalize_state"):  # of preprocessing layers, which compute with copies of their weights
                layer.finalize_state()
    return folded


def functional(model: keras.Model) -> keras.Model:
    """`model` as a functional one from a tensor to a tensor, if its graph can be walked.

    Raises:
        ExportError: a subclassed model, one that was never built, or one with several inputs or outputs.
    """
    import keras

    kind = type(model).__name__
    if kind not in ("Functional", "Sequential") or not getattr(model, "built", False):
        raise ExportError(f"Expected a functional or sequential Keras model that is built. Received: a {kind}")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(
            f"Expected a model with one input and one output. "
            f"Received: {len(model.inputs)} inputs and {len(model.outputs)} outputs"
        )
    if kind == "Functional" and not keras.tree.is_nested(model.input) and not keras.tree.is_nested(model.output):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _folds(model: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """Which normalisation goes into which convolution (by its name)."""
    import keras

    convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
    found = {}
    for layer in model.layers:
        if type(layer) is not keras.layers.BatchNormalization or len(layer._inbound_nodes) != 1:
            continue
        before = layer.input._keras_history.operation
        alone = len(before._inbound_nodes) == len(before._outbound_nodes) == 1
        channels = layer.axis in (-1, 3)
        # exactly these types: a subclass may compute something else
        if channels and alone and type(before) in convolutions and before.activation is keras.activations.linear:
            found[before.name] = layer
    return found


def _folded(convolution: keras.layers.Layer, normalization: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """The weights of the convolution with the normalisation in them, in float64 until the end."""
    import keras

    given = {
        variable.name: value for variable, value in zip(normalization.weights, _weights(normalization), strict=True)
    }
    ones = np.ones(given["moving_mean"].shape)
    scale = given.get("gamma", ones) / np.sqrt(given["moving_variance"].astype(np.float64) + normalization.epsilon)
    weights = _weights(convolution)
    bias = weights.pop() if convolution.use_bias else 0.0
    shift = given.get("beta", 0.0) + (bias - given["moving_mean"]) * scale
    # a kernel ends in its output channels; a depthwise one in input channels and multiplier, whose product they are
    depthwise = type(convolution) is keras.layers.DepthwiseConv2D
    last = weights[-1] * (scale.reshape(weights[-1].shape[2:]) if depthwise else scale)
    return [*weights[:-1], last.astype(np.float32), shift.astype(np.float32)]


def _last(model: keras.Model) -> Any:
    """The operation that makes the output."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(
            f"Expected a model with one input and one output. "
            f"Received: {len(model.inputs)} inputs and {len(model.outputs)} outputs"
        )
    return model.outputs[0]._keras_history.operation


def _is_softmax(layer: Any) -> bool:
    import keras

    return getattr(layer, "activation", None) is keras.activations.softmax or isinstance(layer, keras.layers.Softmax)


def _averages_softmaxes(layer: Any) -> bool:
    """Whether a layer averages probabilities, as the last of an ensemble does."""
    import keras

    if not isinstance(layer, keras.layers.Average) or not isinstance(layer.input, list):
        return False
    return all(_is_softmax(tensor._keras_history.operation) for tensor in layer.input)


def _how(last: Any) -> str:
    return ", averaged over several networks" if _averages_softmaxes(last) else ""


def _weights(layer: keras.layers.Layer) -> list[np.ndarray]:
    read: Callable[[], list[np.ndarray]] = layer.get_weights
    return read()
