import math

import pytest

from automl_cells.errors import SearchError
from automl_cells.evaluation import Limits


@pytest.mark.parametrize(
    ("limits", "parameters", "flops", "allowed"),
    [
        (Limits(), 10**12, 10**15, True),
        (Limits(max_params=100), 100, 10**9, True),
        (Limits(max_params=100), 101, 1, False),
        (Limits(max_flops=1000), 10**9, 1000, True),
        (Limits(max_flops=1000), 1, 1001, False),
        (Limits(100, 1000), 100, 1000, True),
        (Limits(100, 1000), 101, 1000, False),
    ],
)
def test_a_limit_itself_is_still_allowed(limits, parameters, flops, allowed):
    assert limits.allow({"parameters": parameters, "flops": flops}) is allowed


@pytest.mark.parametrize(
    ("limits", "memory", "latency", "allowed"),
    [
        (Limits(max_memory=4096), 4096, 99.0, True),
        (Limits(max_memory=4096), 4097, 0.1, False),
        (Limits(max_latency_ms=2.5), 10**12, 2.5, True),
        (Limits(max_latency_ms=2.5), 1, 2.51, False),
        (Limits(10, 10, 4096, 2.5), 4096, 2.5, True),
        (Limits(10, 10, 4096, 2.5), 4096, 2.6, False),
    ],
)
def test_memory_and_latency_are_limited_too(limits, memory, latency, allowed):
    assert limits.allow({"memory": memory, "latency_ms": latency}) is allowed


def test_a_metric_that_is_not_known_breaks_no_limit():
    limits = Limits(max_params=1, max_flops=1, max_memory=1, max_latency_ms=1)
    assert limits.allow({"density": 3.0})
    assert not limits.allow({"flops": 2})


@pytest.mark.parametrize("name", ["max_params", "max_flops", "max_memory", "max_latency_ms"])
@pytest.mark.parametrize("value", [0, -5, math.nan, math.inf])
def test_limits_are_positive_and_finite(name, value):
    with pytest.raises(SearchError, match=rf"Expected {name} above 0\. Received: {value}$"):
        Limits(**{name: value})


def test_limits_name_those_that_are_set():
    assert str(Limits(max_params=200_000)) == "at most 200,000 parameters"
    assert str(Limits(None, 5000, 1_048_576, 2.5)) == (
        "at most 5,000 multiply-adds, 1,048,576 bytes of activations, 2.5 ms an image"
    )
    assert str(Limits()) == "none are set"


def test_a_journal_of_before_holds_the_same_document():
    assert Limits(1, 2).to_document() == {"max_params": 1, "max_flops": 2}
    assert Limits(max_flops=2).to_document() == {"max_params": None, "max_flops": 2}
    full = Limits(1, 2, 3, 4.5)
    assert Limits(**full.to_document()) == full
