"""Pretrained bodies: networks without their classifier, which get a new one for other classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras

from automl_cells.builder import Template, build
from automl_cells.builder.ensemble_network import OUTPUT as ENSEMBLE_OUTPUT
from automl_cells.builder.head import CLASSIFIER, first_of_head
from automl_cells.builder.planners import NO_DROPOUT
from automl_cells.errors import TrainingError
from automl_cells.genotypes import Genotype
from automl_cells.training.recipes import Recipe
from automl_cells.training.weights import load_weights

MakeBatchNorm = Callable[..., Any]


def without_head(model: keras.Model) -> keras.Model:
    """`model` up to its head, with the same variables; without a head itself."""
    first = first_of_head(layer.name for layer in model.layers)
    return model if first is None else keras.Model(model.inputs[0], model.get_layer(first).input, name=model.name)


class Body(Protocol):
    """A pretrained body; each call of `network` gives a new copy of it with a new classifier."""

    def network(self, recipe: Recipe, batch_norm: MakeBatchNorm | None) -> keras.Model:
        """Normalised images → logits (batch, classes); the body has its pretrained weights, the head is new.

        Args:
            recipe: its dropout and momentum of batch normalisation.
            batch_norm: what makes batch normalisation layers; ``None`` for the stock one.
        """
        ...


@dataclass(frozen=True)
class GenotypeBody:
    """The body of a network that the builder makes, with weights from a file.

    Attributes:
        genotype: what is repeated.
        template: the frame, with the image size and the number of classes of the new data.
        weights: a file with the weights of the same genotype in the same frame, whatever its image size and classes.
    """

    genotype: Genotype
    template: Template
    weights: Path

    def network(self, recipe: Recipe, batch_norm: MakeBatchNorm | None) -> keras.Model:
        """See `Body.network`.

        Raises:
            TrainingError: the weights cannot be read, or are of another network.
        """
        network = build(
            self.genotype,
            self.template,
            classifier_activation=None,
            batch_norm_momentum=recipe.batch_norm_momentum,
            batch_norm=batch_norm,
            dropout=recipe.dropout,
            chain_dropout=recipe.chain_dropout if self.genotype.kind == "chain" else NO_DROPOUT,
        )
        load_weights(without_head(network), self.weights, subset=True)
        return network


@dataclass(frozen=True)
class ModelBody:
    """The body of any functional Keras model of one image input.

    A model with a layer called ``predictions`` is cut before it. What is left may end in a feature map, which gets
    global average pooling, or in a vector.

    Attributes:
        model: pretrained; it is copied and stays as it is.
        input_shape: (height, width, channels) of the new images.
        classes: number of the new classes.
    """

    model: keras.Model
    input_shape: tuple[int, int, int]
    classes: int

    def __post_init__(self) -> None:
        trunk = self._trunk()
        if any(layer.name == ENSEMBLE_OUTPUT and type(layer) is keras.layers.Average for layer in trunk.layers):
            raise TrainingError(
                "Expected one network with one classifier. Received: an ensemble, whose members are trained one by one"
            )
        shape = trunk.input_shape
        if len(shape) != 4 or shape[3] != self.input_shape[2] or len(trunk.output_shape) not in (2, 4):
            raise TrainingError(
                f"Expected a model from images of {self.input_shape[2]} channels to a feature map or a vector. "
                f"Received: {shape} to {trunk.output_shape}"
            )
        if len({variable.path for variable in trunk.weights}) != len(trunk.weights):
            raise TrainingError(f"Expected a model whose variables have different paths. Received: {self.model.name}")

    def network(self, recipe: Recipe, batch_norm: MakeBatchNorm | None) -> keras.Model:
        """See `Body.network`; the momenta of batch normalisation become the recipe's.

        Raises:
            TrainingError: the model cannot be applied to images of another size.
        """
        trunk = self._trunk()

        def copy(layer: Any) -> Any:
            if type(layer) is not keras.layers.BatchNormalization:
                return layer.__class__.from_config(layer.get_config())
            config = {**layer.get_config(), "momentum": recipe.batch_norm_momentum}
            # The fused operation knows the usual case only: the last axis of feature maps, with scale and offset.
            usual = layer.scale and layer.center and len(layer.output.shape) == 4 and layer.axis in (-1, 3)
            fits = usual or not getattr(batch_norm, "usual_only", False)
            return batch_norm(**config) if batch_norm is not None and fits else type(layer).from_config(config)

        image = keras.Input(self.input_shape, name="image")
        try:
            body = keras.models.clone_model(trunk, input_tensors=image, clone_function=copy)
            for variable, pretrained in zip(body.weights, trunk.weights, strict=True):
                variable.assign(pretrained)
        except ValueError as error:
            raise TrainingError(
                f"Expected a model for images of shape {self.input_shape}. Received: {self.model.name} ({error})"
            ) from None
        features = body.output
        if len(features.shape) == 4:
            features = keras.layers.GlobalAveragePooling2D(name="head_average_pool")(features)
        if recipe.dropout:
            features = keras.layers.Dropout(recipe.dropout, name="head_dropout")(features)
        return keras.Model(image, keras.layers.Dense(self.classes, name=CLASSIFIER)(features), name=self.model.name)

    def _trunk(self) -> keras.Model:
        """The model up to its classifier."""
        model = self.model
        try:
            one = len(model.inputs) == len(model.outputs) == 1
        except (AttributeError, ValueError):
            one = False
        if not one:
            raise TrainingError(
                f"Expected a functional Keras model with one input and one output. Received: {type(model).__name__} "
                f"{getattr(model, 'name', '')}"
            )
        return without_head(model)
