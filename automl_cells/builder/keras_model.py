"""From a plan to a `keras.Model` of stock Keras layers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras

from automl_cells.builder.cost import cost
from automl_cells.builder.head import CLASSIFIER
from automl_cells.builder.operations import OF_SEVERAL, Choices, operation
from automl_cells.builder.penultimate import stage_filters
from automl_cells.builder.plan import Plan
from automl_cells.builder.planners import NO_DROPOUT, plan
from automl_cells.builder.template import StagedTemplate, Template
from automl_cells.builder.template import template as make_template
from automl_cells.errors import TemplateError
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.catalogue import load
from automl_cells.genotypes.ensemble import EnsembleGenotype, template_kind

MAX_PARAMETERS = 2_000_000_000


class ScheduledDropPath(NamedTuple):
    """How paths are dropped in training, see `automl_cells.builder.drop_path`.

    Attributes:
        keep: the probability that the deepest path is kept at the end.
        total_steps: of the training.
    """

    keep: float
    total_steps: int


def build(
    genotype: Genotype | str | Path,
    template: str | Template | None = None,
    *,
    repeats: int | None = None,
    filters: Sequence[int] | None = None,
    filter_multiplier: float | None = None,
    penultimate: int | None = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    classes: int | None = None,
    include_top: bool = True,
    pooling: str | None = None,
    features: bool = False,
    classifier_activation: str | None = "softmax",
    input_tensor: Any = None,
    name: str | None = None,
    batch_norm_momentum: float = 0.99,
    batch_norm: Callable[..., Any] | None = None,
    dropout: float = 0.0,
    auxiliary: bool = False,
    drop_path: ScheduledDropPath | None = None,
    chain_dropout: tuple[float, float] = NO_DROPOUT,
) -> keras.Model:
    """Build the Keras model of a genotype in a template.

    Args:
        genotype: a genotype, the name of a published one, or the path of a genotype file.
        template: a template or its name, by default ``cifar``, for chains ``chain``; the next six arguments change its
            sizes, see `template`.
        repeats: N, blocks or normal cells a stage.
        filters: filters of each stage.
        filter_multiplier: scales the filters of every stage.
        penultimate: P of NASNet's N @ P, the channels of the last cell, instead of `filters`; see `stage_filters`.
        input_shape: (height, width, channels).
        classes: number of classes.
        include_top: end with global average pooling and the classifier.
        pooling: without the top: ``None`` (feature map), ``"avg"`` or ``"max"``.
        features: without the top and pooling: a list of feature maps of several scales instead of the last one alone,
            for detection and segmentation; `feature_maps` of the plan says their strides and channels.
        classifier_activation: activation of the classifier; ``None`` gives logits, which an ensemble has not.
        input_tensor: a Keras tensor to build on, instead of a new input.
        name: name of the model; by default kind and hash of the genotype.
        batch_norm_momentum: weight of the past in the moving averages of batch normalisation.
        batch_norm: what makes a batch normalisation layer, instead of `keras.layers.BatchNormalization`, with the same
            arguments and variables; for training only.
        dropout: the share of features dropped before the classifier in training.
        auxiliary: with NASNet's auxiliary head; the output is then a list, its logits behind those of the network. For
            training only, as the next.
        drop_path: drop paths in training.
        chain_dropout: for chains: lowest and highest rate of the dropout layers inside, which act in training.

    Returns:
        A functional model, float32 images (batch, height, width, channels) → (batch, classes), that holds stock Keras
        layers only. Without the top → the feature map after the last ReLU, or its pooling (batch, channels), or with
        `features` a list of maps, the largest first, each after a ReLU like the last; its last is that feature map.

    Raises:
        GenotypeError: the genotype cannot be read.
        TemplateError: unknown template or sizes out of range, or more than two thousand million parameters.

    Example:
        ```python
        model = build("block_qnn_s", "cifar", repeats=2, filters=(32, 64, 128))
        model.count_params()  # 6,133,994, of them 6,125,866 trainable
        ```
    """
    if isinstance(genotype, str | Path):
        genotype = load(genotype)
    if input_tensor is not None and not keras.backend.is_keras_tensor(input_tensor):
        raise TemplateError(f"Expected input_tensor as a Keras tensor. Received: a {type(input_tensor).__name__}")
    if input_tensor is not None and input_shape is None:
        input_shape = tuple(input_tensor.shape[1:])
    if isinstance(genotype, EnsembleGenotype) and (classifier_activation != "softmax" or dropout):
        raise TemplateError(
            "Expected classifier_activation='softmax' and no dropout with an ensemble, which averages probabilities. "
            f"Received: {classifier_activation=}, {dropout=}"
        )
    if penultimate is not None:
        if filters is not None or filter_multiplier is not None:
            raise TemplateError(
                f"Expected penultimate, or filters and filter_multiplier. Received: {penultimate=}, {filters=}, "
                f"{filter_multiplier=}"
            )
        frame = make_template(template, kind=template_kind(genotype))
        filters = stage_filters(genotype, penultimate, len(frame.filters) if isinstance(frame, StagedTemplate) else 0)
    sizes = make_template(
        template,
        kind=template_kind(genotype),
        repeats=repeats,
        filters=None if filters is None else tuple(filters),
        filter_multiplier=filter_multiplier,
        input_shape=input_shape,
        classes=classes,
    )
    layers = plan(
        genotype,
        sizes,
        include_top=include_top,
        pooling=pooling,
        features=features,
        auxiliary=auxiliary,
        drop_path=drop_path is not None,
        chain_dropout=chain_dropout,
    )
    if (parameters := cost(layers).parameters) > MAX_PARAMETERS:
        raise TemplateError(f"Expected at most {MAX_PARAMETERS:,} parameters. Received: {parameters:,}")
    choices = Choices(
        batch_norm or keras.layers.BatchNormalization,
        batch_norm_momentum,
        sizes.epsilon,
        sizes.kernel_initializer,
    )
    inputs = keras.Input(shape=sizes.input_shape, name="image") if input_tensor is None else input_tensor
    tensors = layer_outputs(layers, inputs, choices, dropout, drop_path)
    several = layers[-1].op == "outputs"
    outputs = [tensors[position] for position in layers[-1].inputs] if several else tensors[-1]
    if include_top and classifier_activation is not None and layers[-1].op != "average":
        top = keras.layers.Activation(classifier_activation, dtype="float32", name="probabilities")
        outputs = [top(outputs[0]), *outputs[1:]] if several else top(outputs)
    if input_tensor is not None:
        sources = keras.utils.get_source_inputs(input_tensor)
        inputs = sources[0] if len(sources) == 1 else sources  # in a list, a lone array would be called a mismatch
    return keras.Model(inputs, outputs, name=name or f"{genotype.kind}_{genotype.hash[7:15]}")


def layer_outputs(
    layers: Plan, inputs: Any, choices: Choices, dropout: float = 0.0, drop_path: ScheduledDropPath | None = None
) -> list[Any]:
    """The Keras tensor of the output of every layer of a plan.

    Args:
        layers: the plan.
        inputs: the Keras tensor of the images.
        choices: how to make its layers.
        dropout: see `build`, as the next.
        drop_path: where the plan has paths to drop.
    """
    # With a seed of its own a layer's masks follow a variable under every backend; else torch's global generator.
    tensors, masks, paths = [inputs], None, 0
    if drop_path is not None:
        from automl_cells.builder.drop_path import DropPath, PathMasks

        depths = [layer.depth for layer in layers if layer.op == "drop_path"]
        if depths:
            seed = random.randint(1, 10**9)
            masks = PathMasks(drop_path.keep, depths, drop_path.total_steps, seed, name="path_masks")(inputs)
    for layer in layers[1:]:
        if layer.op == "outputs":
            break
        read = [tensors[position] for position in layer.inputs]
        if layer.op == "drop_path":
            tensors.append(DropPath(paths, name=layer.name)([read[0], masks]))
            paths += 1
            continue
        if layer.name == CLASSIFIER and dropout:
            read = [keras.layers.Dropout(dropout, seed=random.randint(1, 10**9), name="dropout")(read[0])]
        make = operation(layer, choices)
        tensors.append(make(read if layer.op in OF_SEVERAL else read[0]))
    return tensors
