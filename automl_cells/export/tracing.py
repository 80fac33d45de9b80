"""One trace of a Keras model, from which all formats are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from automl_cells.datasets import Preprocessing
from automl_cells.errors import ExportError
from automl_cells.export.backend import check_backend
from automl_cells.export.deployable import fold_batch_normalization, functional, output_name, with_output

if TYPE_CHECKING:
    import keras

INPUT = "image"


class Trace(NamedTuple):
    """A model as one TensorFlow function.

    Attributes:
        reference: the Keras model whose outputs the exported files must give; not folded.
        function: a `tf.function` with a fixed signature: ``image`` → {output: …}.
        module: the `tf.Module` that holds the traced function, as ``serve``, and its variables.
        output: name of the output: ``probabilities``, ``logits``, ``scores`` or ``features``.
        dtype: of the images: ``float32`` (normalised) or ``uint8`` (pixels).
        parameters: number of weights.
    """

    reference: keras.Model
    function: Any
    module: Any
    output: str
    dtype: str
    parameters: int

    @property
    def concrete(self) -> Any:
        """The traced function."""
        return self.module.serve


def trace(model: keras.Model, output: str | None = None, preprocessing: Preprocessing | None = None) -> Trace:
    """Trace `model` for inference, with its batch normalisation folded.

    Args:
        model: a built functional Keras model with one input and one output, float32.
        output: ``probabilities`` or ``logits``; by default what the model gives.
        preprocessing: put this normalisation into the function, which then takes pixels as uint8.

    Raises:
        ExportError: another backend than TensorFlow, a model that is not functional, does not compute in float32 or has
            the channels first, an output that it does not have, or a preprocessing for another number of channels.
    """
    check_backend()
    import tensorflow as tf

    model = functional(model)
    for layer in model._flatten_layers(include_self=False):
        if layer.compute_dtype != "float32":
            raise ExportError(
                f"Expected layers that compute in float32. Received: {layer.name}, which computes in "
                f"{layer.compute_dtype}"
            )
        if getattr(layer, "data_format", None) == "channels_first":
            raise ExportError(
                f"Expected layers with the channels last. Received: {layer.name}, with the channels first"
            )
    reference = with_output(model, output)
    folded = fold_batch_normalization(reference)
    name = output or output_name(reference)
    shape = tuple(reference.inputs[0].shape)
    if preprocessing is not None and len(preprocessing.mean) != shape[-1]:
        raise ExportError(
            f"Expected a mean for each of {shape[-1]} channels. Received: {len(preprocessing.mean)} means"
        )
    dtype = tf.float32 if preprocessing is None else tf.uint8

    def serve(image: Any) -> dict[str, Any]:
        if preprocessing is not None:
            mean, std = (tf.constant(values, tf.float32) for values in (preprocessing.mean, preprocessing.std))
            image = (tf.cast(image, tf.float32) - mean) / std
        (outputs,) = tf.nest.flatten(folded(image, training=False))  # a model may give a dictionary of one
        return {name: outputs}

    module = tf.Module()
    module.weights = [getattr(variable, "value", variable) for variable in folded.weights]
    function = tf.function(
        serve, autograph=False, input_signature=[tf.TensorSpec((None, *shape[1:]), dtype, name=INPUT)]
    )
    module.serve = function.get_concrete_function()  # the function itself would be traced again when saved
    return Trace(reference, function, module, name, dtype.name, folded.count_params())
