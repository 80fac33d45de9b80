"""What is known before a training, and that latency is measured as late and as seldom as possible."""

import numpy as np
import onnxruntime
import pytest

from automl_cells.builder import plan, template
from automl_cells.builder.memory import peak_memory
from automl_cells.errors import ExportError, TemplateError
from automl_cells.evaluation import Limits, latency
from automl_cells.evaluation.known_metrics import KnownMetrics
from automl_cells.export.plan_onnx import onnx_of_plan
from automl_cells.genotypes import load
from automl_cells.spaces import space
from automl_cells.strategies import Random

FRAME = template("cifar", repeats=1, filters=(4, 8), input_shape=(8, 8, 1), classes=10)
BLOCK = load("block_qnn_s")


@pytest.fixture
def measured(monkeypatch):
    """The plans that were measured; each is found to take 2 ms."""
    plans = []
    monkeypatch.setattr(latency, "latency_ms", lambda layers: plans.append(layers) or 2.0)
    return plans


def test_the_memory_is_that_of_the_plan():
    known = KnownMetrics(FRAME).of(BLOCK)
    assert set(known) == {"parameters", "density", "flops", "reference_flops", "memory"}
    assert known["memory"] == peak_memory(plan(BLOCK, FRAME)) > 0


def test_memory_is_limited_to_the_byte():
    known = KnownMetrics(FRAME)
    memory = int(known.of(BLOCK)["memory"])
    assert known.allow(BLOCK, Limits(max_memory=memory))
    assert not known.allow(BLOCK, Limits(max_memory=memory - 1))


def test_what_is_not_limited_is_not_measured(measured):
    assert KnownMetrics(FRAME).allow(BLOCK, Limits(10**9, 10**12, 10**12))
    assert not measured


@pytest.mark.parametrize("limits", [Limits(100), Limits(max_flops=100), Limits(max_memory=100)])
def test_what_breaks_a_cheap_limit_is_not_measured(measured, limits):
    assert not KnownMetrics(FRAME).allow(BLOCK, Limits(**{**limits.to_document(), "max_latency_ms": 100.0}))
    assert not measured


def test_latency_is_measured_once_at_the_size_of_the_proxy_network(measured):
    known = KnownMetrics(FRAME)
    assert known.allow(BLOCK, Limits(max_latency_ms=2.0))
    assert measured == [plan(BLOCK, FRAME)]
    assert not known.allow(BLOCK, Limits(max_latency_ms=1.9))


def test_a_latency_really_measured_keeps_a_limit_or_breaks_it():
    known = KnownMetrics(FRAME)
    assert known.allow(BLOCK, Limits(max_latency_ms=10_000))
    assert not known.allow(BLOCK, Limits(max_latency_ms=1e-6))


def test_what_cannot_be_measured_is_an_error_and_no_verdict(monkeypatch):
    def refuse(layers):
        raise ExportError("Expected a plan of operations that can be written as ONNX. Received: 'fourier'")

    monkeypatch.setattr(latency, "latency_ms", refuse)
    with pytest.raises(ExportError, match="fourier"):
        KnownMetrics(FRAME).allow(BLOCK, Limits(max_latency_ms=1))


ALL_OPERATIONS = {"dilated": True, "squeeze_excitation": True, "self_attention": True}


@pytest.mark.parametrize(
    ("name", "options", "operations"),
    [
        ("blockqnn", {}, {"conv", "max_pool", "avg_pool", "add", "concat"}),
        ("blockqnn_fast", ALL_OPERATIONS, {"separable_conv", "squeeze", "sigmoid", "multiply", "self_attention"}),
        ("nasnet", {}, {"separable_conv", "crop", "concat"}),
        ("metaqnn", {}, {"flatten", "global_average_pool", "dense"}),
    ],
)
def test_candidates_of_every_space_are_known_and_can_be_measured(name, options, operations):
    where = space(name, (8, 8, 1), 10, **options)
    frame = template(None, kind=where.kind, input_shape=(8, 8, 1), classes=10)
    if where.kind != "chain":
        frame = template(frame, repeats=1, filters=(4, 8))
    known, random, seen = KnownMetrics(frame), Random(where, 1, 0), set()
    for number in range(40):
        genotype = random.ask(np.random.default_rng([3, number]), 0).genotype
        try:
            layers = plan(genotype, frame, max_params=100_000)
        except TemplateError:  # too large
            continue
        assert known.of(genotype)["memory"] == peak_memory(layers) >= 4 * 64
        graph = onnx_of_plan(layers).SerializeToString()
        (output,) = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).get_outputs()
        assert output.shape == [1, 10]
        seen |= {layer.op for layer in layers}
    assert operations <= seen
