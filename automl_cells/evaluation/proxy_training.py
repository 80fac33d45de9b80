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

No Keras model is made of a candidate where the backend has an engine of its own: its plan is walked over directly, see
`steps`. What that saves is measured by ``tools/benchmark.py overhead`` and told in docs/performance.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from automl_cells.augmentation import check_steps
from automl_cells.builder.planners import plan
from automl_cells.builder.template import Template, from_document
from automl_cells.datasets import Dataset, Preprocessing, load, stratified_split
from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.evaluation.early_stopping import StopRule
from automl_cells.evaluation.garbage import collected
from automl_cells.evaluation.known_metrics import KnownMetrics
from automl_cells.evaluation.limits import Limits
from automl_cells.evaluation.proxy_protocol import ProxyProtocol, proxy_protocol
from automl_cells.genotypes.base import Genotype

if TYPE_CHECKING:
    from automl_cells.evaluation.steps.base import ProxyEngine

_STATISTICS_BATCHES = 16
_SAMPLE_BYTES = 2 * 1024**3  # of float32 images kept of a streamed data set, e.g. 3,566 of 224 × 224 pixels
_SAMPLE_LEAST = 100  # images, however large they are
_SPLIT_SEED = 0  # one split for all candidates and runs, so that their accuracies can be compared


class ProxyTraining(Evaluator):
    """Evaluates by proxy training.

    Metrics: ``accuracy`` and ``train_accuracy`` (per cent), ``parameters`` (trainable), ``flops`` (multiply-adds),
    ``reference_flops`` (of the same network with one 3×3 convolution as its block; absent where a kind of template has
    no such reference), ``density``, ``memory`` (bytes, see `peak_memory`) and, if it is asked for, ``latency_ms`` (see
    `evaluation.latency`), measured in the process that trains the candidate, before the training.

    Args:
        dataset: a data set, or the words that name one; only its training images are used.
        template: the frame of the proxy network, with the data's input shape and classes.
        protocol: how to train.
        latency: whether to measure the latency of every candidate.

    Raises:
        SearchError: an unknown protocol.
        TrainingError: an augmentation that does not suit the size of the images.
    """

    def __init__(
        self,
        dataset: Dataset | str,
        template: Template,
        protocol: str | ProxyProtocol = "blockqnn",
        latency: bool = False,
    ) -> None:
        self.dataset = load(dataset) if isinstance(dataset, str) else dataset
        self._dataset_words = dataset if isinstance(dataset, str) else None
        self.template = template
        self.protocol = proxy_protocol(protocol)
        self.latency = latency
        check_steps(self.protocol.augmentation, *self.dataset.input_shape[:2])
        self.chance = 100.0 / self.dataset.classes
        self._known = KnownMetrics(template)
        self._parts: tuple[np.ndarray, ...] | None = None  # images and labels, of the training part and of the other
        self._shared: _Shared | None = None

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
                "latency": self.latency,
            },
        }

    def prepare(self) -> None:
        """Import the framework and split the data."""
        import keras

        from automl_cells.evaluation.steps import engine_class

        engine_class(keras.backend.backend())
        self._split()

    def known(self, genotype: Genotype) -> dict[str, float]:
        """Parameters, multiply-adds, memory and density, from plan and graph."""
        return self._known.of(genotype)

    def allows(self, genotype: Genotype, limits: Limits) -> bool:
        """As `Evaluator.allows`; see `KnownMetrics.allow` for what it measures and raises."""
        return self._known.allow(genotype, limits)

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        """Build, train and measure one candidate; NaN or Inf in the loss ends it as failed."""
        with collected():
            return self._evaluate(genotype, seed)

    def _evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        import keras

        from automl_cells.evaluation.steps import engine_class
        from automl_cells.evaluation.steps.network import Network

        start = time.perf_counter()
        metrics = self.known(genotype)
        if self.latency:
            metrics["latency_ms"] = self._known.latency_ms(genotype)
        keras.utils.set_random_seed(seed)  # Keras' own engine draws dropout from it
        layers = plan(genotype, self.template, chain_dropout=self.protocol.chain_dropout)
        network = Network(layers, self.template.epsilon, self.template.kernel_initializer)
        make = engine_class(keras.backend.backend())
        images = self._images(make)
        fresh = network.first_weights(seed)
        engine = make(network, images.held, self.protocol, fresh)
        run = _Run(engine, fresh, self.protocol, images, self.chance, seed)
        failure = run.train(self.stop_rule)
        if run.stopped is not None:
            metrics |= {"accuracy": run.stopped, "train_accuracy": run.train_accuracy}
        elif failure is None:
            run.set_statistics()
            accuracy = run.validation_accuracy()
            failure = None if run.finite else "the outputs are not finite after the last epoch"
            if self.protocol.measure == "best":
                accuracy = max(accuracy, *run.curve)
            metrics |= {"accuracy": accuracy, "train_accuracy": run.train_accuracy}
        details = {"curve": run.curve, "restarts": run.restarts, "batch_size": run.batch, "guesses": run.guesses}
        if run.stopped is not None:
            details["stopped_after"] = len(run.curve)
        keras.backend.clear_session(free_memory=False)
        return Evaluation(metrics, time.perf_counter() - start, failure, details)

    def _images(self, make: type[ProxyEngine]) -> _Shared:
        """What all candidates of this process share; the training part is no longer kept apart from it."""
        if self._shared is None:
            x_train, y_train, x_validation, y_validation = self._split()
            held = make.hold(x_train, y_train, self.dataset.classes, self.protocol)
            self._shared, self._parts = _Shared(held, len(y_train), x_validation, y_validation), None
        return self._shared

    def _split(self) -> tuple[np.ndarray, ...]:
        if self._parts is None:
            images, labels = _in_memory(self.dataset)
            # of the sample, if it is one: the statistics of all images of a streamed set would cost a pass over it
            preprocessing = Preprocessing.of(images) if self.dataset.streamed else self.dataset.preprocessing
            rest, held_out = stratified_split(labels, self.protocol.validation_fraction, _SPLIT_SEED)
            normalised = preprocessing(images)
            self._parts = normalised[rest], labels[rest], normalised[held_out], labels[held_out]
        return self._parts


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


def from_arguments(
    dataset: str, template: Mapping[str, Any], protocol: Mapping[str, Any], latency: bool = False
) -> ProxyTraining:
    """The evaluator of `ProxyTraining.spec`'s arguments."""
    return ProxyTraining(dataset, from_document(dict(template)), ProxyProtocol.model_validate(protocol), latency)


class _Shared(NamedTuple):
    """Of all candidates: the training images as the engines hold them, how many they are, and the others."""

    held: Any
    size: int
    x_validation: np.ndarray  # (n, H, W, C) float32
    y_validation: np.ndarray  # (n,)


class _Run:
    """The training of one candidate."""

    def __init__(
        self,
        engine: ProxyEngine,
        fresh: np.ndarray,
        protocol: ProxyProtocol,
        images: _Shared,
        chance: float,
        seed: int,
    ) -> None:
        self.engine = engine
        self.fresh = fresh  # the first weights
        self.protocol = protocol
        self.images = images.size
        self.x_validation = images.x_validation
        self.y_validation = images.y_validation
        self.chance = chance
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.batch = protocol.batch_for(images.size)
        self.curve: list[float] = []  # validation accuracy in per cent after each epoch
        self.guesses: dict[str, float] = {}  # by number of epochs, what the rule guessed the last one to be
        self.stopped: float | None = None  # the guess at which the training was stopped
        self.restarts = 0
        self.train_accuracy = 0.0
        self.finite = True  # whether the last validation gave finite logits only

    def train(self, rule: StopRule | None = None) -> str | None:
        """All epochs, with restarts, or until `rule` has no hope; returns why the training failed, if it did."""
        epoch = 0
        while epoch < self.protocol.epochs:
            order = self._order()
            rates = self.protocol.learning_rates(epoch, len(order), self.restarts)
            result = self.engine.epoch(order, rates, (self.seed, self.restarts, epoch))
            if not math.isfinite(result.loss):
                return f"the loss became {result.loss} in epoch {epoch + 1}"
            self.train_accuracy = 100.0 * result.accuracy
            if self.protocol.augmentation:
                self.engine.observe(order[-1:])  # the validation images are not augmented
            self.curve.append(round(self.validation_accuracy(), 4))
            epoch += 1
            if epoch == 1 and self.curve[-1] <= self.chance and self.restarts < self.protocol.max_restarts:
                self.restarts += 1
                self.engine.reset(self.fresh)
                self.curve.clear()
                epoch = 0
            elif rule is not None and epoch < self.protocol.epochs and self._hopeless(rule):
                return None
        return None

    def _hopeless(self, rule: StopRule) -> bool:
        """Whether to stop here; notes the guess. Where the best epoch counts, it is no less than what has been seen."""
        guess = rule.guess(self.curve)
        if guess is None:
            return False
        if self.protocol.measure == "best":
            guess = max(guess, *self.curve)
        self.guesses[str(len(self.curve))] = round(guess, 4)
        if guess >= rule.threshold or not rule.hopeless(self.curve):
            return False
        self.stopped = guess
        return True

    def validation_accuracy(self) -> float:
        """Accuracy in per cent; logits that are not finite count as wrong."""
        logits = self.engine.logits(self.x_validation)
        finite = np.isfinite(logits).all(axis=1)
        self.finite = bool(finite.all())
        right = (logits.argmax(axis=1) == self.y_validation) & finite
        return 100.0 * float(right.mean())

    def set_statistics(self) -> None:
        """Normalise from now on by the statistics of the training images under these weights, of up to 16 batches."""
        self.engine.observe(self._order()[:_STATISTICS_BATCHES])

    def _order(self) -> np.ndarray:
        """A fresh random order of the training images, shape (steps, batch); a partial batch is left out."""
        steps = self.images // self.batch
        return self.rng.permutation(self.images)[: steps * self.batch].reshape(steps, self.batch)
