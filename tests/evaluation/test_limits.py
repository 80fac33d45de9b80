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


def test_a_metric_that_is_not_known_breaks_no_limit():
    assert Limits(max_params=1, max_flops=1).allow({"density": 3.0})
    assert not Limits(max_params=1, max_flops=1).allow({"flops": 2})


@pytest.mark.parametrize("name", ["max_params", "max_flops"])
@pytest.mark.parametrize("value", [0, -5])
def test_limits_are_positive(name, value):
    with pytest.raises(SearchError, match=rf"Expected {name} above 0\. Received: {value}$"):
        Limits(**{name: value})
