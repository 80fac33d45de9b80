"""Proxy training: a candidate's accuracy after a short training of a small network.

How it is trained is a `ProxyProtocol`: BlockQNN's (Zhong et al., CVPR 2018, section 4.2: Adam for 12 epochs, no
augmentation, restart at a lower rate if the first epoch is no better than chance), NASNet's (Zoph et al., CVPR 2018,
section 4: momentum and a cosine for 20 epochs, augmented), MetaQNN's (Baker et al., ICLR 2017, section 5: Adam for 20
epochs, dropout, the best epoch counts) or one of your own.

Batch normalisation: with few steps the moving averages lag behind and the accuracy measured is noise. Here the momentum
is 0, so that they hold the statistics of the last batch, and for the final accuracy they are set to the statistics of
the training images under the final weights (mean of means; mean of variances plus variance of means over up to 16
batches). No measured accuracy depends on a momentum. For statistics, the training images are not augmented, since the
validation images are not either: resized ones are smoother. So after each augmented epoch, too, the layers are shown
one batch as it is before the accuracy of that epoch is measured.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from automl_cells.augmentation import check_steps
from automl_cells.builder.cost import cost
from automl_cells.builder.planners import plan
from automl_cells.builder.template import Template, from_document
from automl_cells.datasets import Dataset, Preprocessing, load, stratified_split
from automl_cells.errors import TemplateError
from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.evaluation.limits import Limits
from automl_cells.evaluation.proxy_protocol import ProxyProtocol, proxy_protocol
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.block import BlockGenotype
from automl_cells.genotypes.cell import Block as CellBlock
from automl_cells.genotypes.cell import Cell, CellGenotype
from automl_cells.genotypes.chain import ChainGenotype

if TYPE_CHECKING:
    import keras

    from automl_cells.evaluation.steps.base import ProxyEngine

# For each kind of template the genotype that multiply-adds are measured by: a convolution, 3×3, and for cells one of
# each of their two inputs, so that no cell of the network is idle.
_ONE_CONVOLUTION = Cell((CellBlock(0, 1, "conv_3x3", "conv_3x3", "add"),))
_REFERENCES: dict[str, Genotype] = {
    "block": BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)]),
    "cell": CellGenotype(_ONE_CONVOLUTION, _ONE_CONVOLUTION),
    "chain": ChainGenotype.from_text("C(64,1,1),SM"),  # a 3×3 one would not fit every image
}
_STATISTICS_BATCHES = 16
_SAMPLE_BYTES = 2 * 1024**3  # of float32 images kept of a streamed data set, e.g. 3,566 of 224 × 224 pixels
_SAMPLE_LEAST = 100  # images, however large they are
_SPLIT_SEED = 0  # one split for all candidates and runs, so that their accuracies can be compared


class ProxyTraining(Evaluator):
    """Evaluates by proxy training.

    Metrics: ``accuracy`` and ``train_accuracy`` (per cent), ``parameters`` (trainable), ``flops`` (multiply-adds),
    ``reference_flops`` (of the same network with one 3×3 convolution as its block; absent where a kind of template has
    no such reference), ``density``.

    Args:
        dataset: a data set, or the words that name one; only its training images are used.
        template: the frame of the proxy network, with the data's input shape and classes.
        protocol: how to train.

    Raises:
        SearchError: an unknown protocol.
        TrainingError: an augmentation that does not suit the size of the images.
    """

    def __init__(self, dataset: Dataset | str, template: Template, protocol: str | ProxyProtocol = "blockqnn") -> None:
        self.dataset = load(dataset) if isinstance(dataset, str) else dataset
        self._dataset_words = dataset if isinstance(dataset, str) else None
        self.template = template
        self.protocol = proxy_protocol(protocol)
        check_steps(self.protocol.augmentation, *self.dataset.input_shape[:2])
        self.chance = 100.0 / self.dataset.classes
        reference = _REFERENCES.get(getattr(template, "kind", "block"))
        self._reference_flops = None if reference is None else cost(plan(reference, template)).flops
        self._arrays: tuple[np.ndarray, ...] | None = None

    def spec(self) -> dict[str, Any]:
        """See `Evaluator.spec`; needs a data set given by words."""
        if self._dataset_words is None:
            return super().spec()
        return {
            "factory": "automl_cells.evaluation.proxy_training:from_arguments",
            "arguments": {
                "dataset": self._dataset_words,
                "template": self.template.model_dump(mode="json"),
                "protocol": self.protocol.model_dump(mode="json"),
            },
        }

    def prepare(self) -> None:
        """Import the framework and split the data."""
        import keras

        from automl_cells.evaluation.steps import engine_class

        engine_class(keras.backend.backend())
        self._split()

    def known(self, genotype: Genotype) -> dict[str, float]:
        """Parameters, multiply-adds and density, from plan and graph."""
        return self._known(genotype)

    def allows(self, genotype: Genotype, limits: Limits) -> bool:
        """As `Evaluator.allows`; a network that is far too large is not planned to its end."""
        try:
            return limits.allow(self._known(genotype, limits.max_params))
        except TemplateError:  # too many parameters, or more layers than any network should have
            return False

    def _known(self, genotype: Genotype, max_params: int | None = None) -> dict[str, float]:
        price = cost(plan(genotype, self.template, max_params=max_params))
        known: dict[str, float] = {"parameters": price.parameters, "density": genotype.graph().density}
        for name, flops in (("flops", price.flops), ("reference_flops", self._reference_flops)):
            if flops is not None:
                known[name] = flops
        return known

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        """Build, train and measure one candidate; NaN or Inf in the loss ends it as failed."""
        import keras

        from automl_cells.builder import build
        from automl_cells.evaluation.steps import engine_class

        start = time.perf_counter()
        metrics = self.known(genotype)
        keras.utils.set_random_seed(seed)
        model = build(
            genotype,
            self.template,
            classifier_activation=None,
            batch_norm_momentum=0.0,
            chain_dropout=self.protocol.chain_dropout,
        )
        x_train, y_train, x_validation, y_validation = self._split()
        engine = engine_class(keras.backend.backend())(model, x_train, y_train, self.protocol)
        run = _Run(model, engine, self.protocol, len(x_train), x_validation, y_validation, self.chance, seed)
        failure = run.train()
        if failure is None:
            run.set_statistics()
            accuracy = run.validation_accuracy()
            failure = None if run.finite else "the outputs are not finite after the last epoch"
            if self.protocol.measure == "best":
                accuracy = max(accuracy, *run.curve)
            metrics |= {"accuracy": accuracy, "train_accuracy": run.train_accuracy}
        details = {"curve": run.curve, "restarts": run.restarts, "batch_size": run.batch}
        del model, engine, run
        keras.backend.clear_session(free_memory=False)
        gc.collect()  # a functional model is full of cycles; left to itself the worker grows by tens of MB a candidate
        return Evaluation(metrics, time.perf_counter() - start, failure, details)

    def _split(self) -> tuple[np.ndarray, ...]:
        if self._arrays is None:
            images, labels = _in_memory(self.dataset)
            # of the sample, if it is one: the statistics of all images of a streamed set would cost a pass over it
            preprocessing = Preprocessing.of(images) if self.dataset.streamed else self.dataset.preprocessing
            rest, held_out = stratified_split(labels, self.protocol.validation_fraction, _SPLIT_SEED)
            normalised = preprocessing(images)
            self._arrays = normalised[rest], labels[rest], normalised[held_out], labels[held_out]
        return self._arrays


def _in_memory(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The training images and labels that proxy training works with, which keeps them in memory as float32.

    All of a data set in memory. Of a streamed one a stratified sample that takes at most `_SAMPLE_BYTES` as float32,
    the same for all candidates.
    """
    if isinstance(data.x_train, np.ndarray):
        return data.x_train, data.y_train
    most = max(_SAMPLE_LEAST, _SAMPLE_BYTES // (4 * math.prod(data.input_shape)))
    chosen = np.arange(len(data.x_train))
    if most < len(chosen):
        chosen = stratified_split(data.y_train, most / len(chosen), _SPLIT_SEED)[1]
    return data.x_train[chosen], data.y_train[chosen]


def from_arguments(dataset: str, template: Mapping[str, Any], protocol: Mapping[str, Any]) -> ProxyTraining:
    """The evaluator of `ProxyTraining.spec`'s arguments."""
    return ProxyTraining(dataset, from_document(dict(template)), ProxyProtocol.model_validate(protocol))


class _Run:
    """The training of one candidate."""

    def __init__(
        self,
        model: keras.Model,
        engine: ProxyEngine,
        protocol: ProxyProtocol,
        images: int,
        x_validation: np.ndarray,
        y_validation: np.ndarray,
        chance: float,
        seed: int,
    ) -> None:
        self.model = model
        self.engine = engine
        self.protocol = protocol
        self.images = images
        self.x_validation = x_validation
        self.y_validation = y_validation
        self.chance = chance
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.batch = protocol.batch_for(images)
        self.curve: list[float] = []  # validation accuracy in per cent after each epoch
        self.restarts = 0
        self.train_accuracy = 0.0
        self.finite = True  # whether the last validation gave finite logits only

    def train(self) -> str | None:
        """All epochs, with restarts; returns why the training failed, if it did."""
        fresh = self.model.get_weights()
        epoch = 0
        while epoch < self.protocol.epochs:
            order = self._order()
            rates = self.protocol.learning_rates(epoch, len(order), self.restarts)
            result = self.engine.epoch(order, rates, (self.seed, self.restarts, epoch))
            if not math.isfinite(result.loss):
                return f"the loss became {result.loss} in epoch {epoch + 1}"
            self.train_accuracy = 100.0 * result.accuracy
            if self.protocol.augmentation:
                self.engine.observe(order[-1])  # the validation images are not augmented
            self.curve.append(round(self.validation_accuracy(), 4))
            epoch += 1
            if epoch == 1 and self.curve[-1] <= self.chance and self.restarts < self.protocol.max_restarts:
                self.restarts += 1
                self.model.set_weights(fresh)
                self.engine.reset()
                self.curve.clear()
                epoch = 0
        return None

    def validation_accuracy(self) -> float:
        """Accuracy in per cent; logits that are not finite count as wrong."""
        logits = self.engine.logits(self.x_validation)
        finite = np.isfinite(logits).all(axis=1)
        self.finite = bool(finite.all())
        right = (logits.argmax(axis=1) == self.y_validation) & finite
        return 100.0 * float(right.mean())

    def set_statistics(self) -> None:
        """Set the moving averages of batch normalisation to the statistics of the training images."""
        import keras

        layers = [layer for layer in self.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        if not layers:  # a chain has none
            return
        order = self._order()[:_STATISTICS_BATCHES]
        seen: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in layers]
        for batch in order:
            self.engine.observe(batch)
            for layer, statistics in zip(layers, seen, strict=True):
                statistics.append((layer.moving_mean.numpy().copy(), layer.moving_variance.numpy().copy()))
        for layer, statistics in zip(layers, seen, strict=True):
            means, variances = map(np.stack, zip(*statistics, strict=True))
            layer.moving_mean.assign(means.mean(0))
            layer.moving_variance.assign(variances.mean(0) + means.var(0))

    def _order(self) -> np.ndarray:
        """A fresh random order of the training images, shape (steps, batch); a partial batch is left out."""
        steps = self.images // self.batch
        return self.rng.permutation(self.images)[: steps * self.batch].reshape(steps, self.batch)
