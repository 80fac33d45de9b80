"""The Pareto front: by hand, and by its definition on random points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import SearchError
from automl_cells.report import metrics_of, pareto_front


def rows(*points: tuple[float | None, float | None]) -> list[dict[str, float | None]]:
    return [{"parameters": parameters, "accuracy": accuracy} for parameters, accuracy in points]


def front(*points: tuple[float | None, float | None], metrics: str = "parameters,accuracy") -> list[int]:
    return pareto_front(rows(*points), metrics.split(","))


def test_small_and_accurate_by_hand() -> None:
    points = ((100, 70.0), (200, 80.0), (150, 60.0), (400, 80.0), (90, 50.0), (300, 95.0))
    assert front(*points) == [4, 0, 1, 5]
    assert front(*points, metrics="accuracy,parameters") == [5, 1, 0, 4]  # the most accurate first


def test_as_good_in_one_and_better_in_the_other_dominates() -> None:
    assert front((100, 70.0), (100, 80.0)) == [1]
    assert front((100, 70.0), (90, 70.0)) == [1]


def test_what_is_equal_in_everything_is_there_once_each() -> None:
    assert front((100, 70.0), (50, 60.0), (100, 70.0), (100, 69.0)) == [1, 0, 2]
    assert front((1, 9.0), (2, 9.0), (3, 8.0), metrics="accuracy") == [0, 1]


def test_one_metric_and_three() -> None:
    assert front((5, 50.0), (3, 60.0), (4, 99.0), metrics="parameters") == [1]
    points = [{"a": 1, "b": 2, "reward": 3}, {"a": 2, "b": 1, "reward": 3}, {"a": 2, "b": 2, "reward": 4}]
    worse = {"a": 2, "b": 2, "reward": 3}
    assert pareto_front([worse, *points], ["a", "b", "reward"]) == [1, 2, 3]


def test_more_is_better_of_the_reward_and_of_every_accuracy() -> None:
    for metric in ("reward", "accuracy", "test_accuracy", "train_accuracy"):
        assert pareto_front([{metric: 1.0}, {metric: 2.0}], [metric]) == [1]
    for metric in ("parameters", "flops", "memory", "latency_ms", "density", "seconds"):
        assert pareto_front([{metric: 1.0}, {metric: 2.0}], [metric]) == [0]


def test_trials_without_a_metric_take_no_part() -> None:
    assert front((None, 99.0), (100, 70.0), (1, None)) == [1]
    assert pareto_front([{"accuracy": 99.0}, {"accuracy": 50.0, "parameters": 1}], ["parameters", "accuracy"]) == [1]
    assert front() == []


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=25))
def test_it_is_what_its_definition_says(points: list[tuple[int, int, int]]) -> None:
    found = pareto_front([dict(zip(("flops", "accuracy", "memory"), p, strict=True)) for p in points], [
        "flops", "accuracy", "memory",
    ])  # fmt: skip
    costs = [(flops, -accuracy, memory) for flops, accuracy, memory in points]

    def beaten(one: tuple[int, ...]) -> bool:
        return any(
            all(a <= b for a, b in zip(other, one, strict=True)) and any(a < b for a, b in zip(other, one, strict=True))
            for other in costs
        )

    assert sorted(found) == [number for number, one in enumerate(costs) if not beaten(one)]
    assert [costs[number] for number in found] == sorted(costs[number] for number in found)


def test_metrics_have_shorter_words() -> None:
    there = [{"parameters": 1, "latency_ms": 2.0, "accuracy": 3.0, "failure": None}]
    assert metrics_of(["params", "accuracy"], there) == ["parameters", "accuracy"]
    assert metrics_of(["latency", "parameters"], there) == ["latency_ms", "parameters"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["speed"], r"among \['parameters', 'accuracy'\]\. Received: speed$"),
        (["params", "memory"], r"among \['parameters', 'accuracy'\]\. Received: memory$"),
        ([], r"among \['parameters', 'accuracy'\]\. Received: none$"),
        (["params", "parameters"], r"Expected each metric once\. Received: parameters twice$"),
        (["status"], r"Received: status$"),
    ],
)
def test_other_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        metrics_of(words, [{"status": "done", **rows((1, 2.0))[0], "failure": None}])
