"""The Gaussian process against scikit-learn's, and the length scale and noise that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from automl_cells.errors import StrategyError
from automl_cells.predictors import GaussianProcess, gaussian_process

NAMES = "abcdefgh"


def points(number: int, seed: int) -> list[dict[str, int]]:
    rng = np.random.default_rng(seed)
    return [
        {name: int(count) for name, count in zip(NAMES, row, strict=True) if count}
        for row in rng.integers(4, size=(number, 8))
    ]


def matrix(rows: list[dict[str, int]]) -> np.ndarray:
    return np.array([[row.get(name, 0) for name in NAMES] for row in rows], float)


def value(row: dict[str, int]) -> float:
    return 3.0 + row.get("a", 0) - 0.5 * row.get("b", 0) * row.get("c", 0) + np.sin(row.get("d", 0))


OBSERVED = points(40, seed=0)
VALUES = [value(row) for row in OBSERVED]
OTHERS = points(25, seed=1)


@pytest.fixture
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian_process, "LENGTH_SCALES", (0.8,))
    monkeypatch.setattr(gaussian_process, "NOISES", (0.1,))


def unit() -> float:
    squares = ((matrix(OBSERVED)[:, None] - matrix(OBSERVED)[None]) ** 2).sum(-1)
    return float(np.sqrt(np.median(squares[squares > 0])))


def reference(rows: list[dict[str, int]], values: Any) -> GaussianProcessRegressor:
    kernel = Matern(length_scale=0.8 * unit(), nu=2.5)
    return GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(matrix(rows), values)


@pytest.mark.usefixtures("one_model")
def test_a_single_model_is_scikit_learns() -> None:
    standard = (np.array(VALUES) - np.mean(VALUES)) / np.std(VALUES)
    theirs = reference(OBSERVED, standard)
    mean, deviation = theirs.predict(matrix(OTHERS), return_std=True)
    # The variance of the signal that maximises the likelihood: yᵀ K⁻¹ y / n.
    signal = standard @ theirs.alpha_ / len(standard)
    ours = GaussianProcess(OBSERVED, VALUES).posterior(OTHERS)
    np.testing.assert_allclose(ours.mean, np.mean(VALUES) + np.std(VALUES) * mean, rtol=1e-9)
    np.testing.assert_allclose(ours.deviation, np.std(VALUES) * np.sqrt(signal) * deviation, rtol=1e-7)


@pytest.mark.usefixtures("one_model")
def test_what_is_pending_lowers_the_deviation_and_leaves_the_mean() -> None:
    process = GaussianProcess(OBSERVED, VALUES)
    pending = points(4, seed=2)
    before, after = process.posterior(OTHERS), process.posterior(OTHERS, pending)
    np.testing.assert_allclose(after.mean, before.mean)
    assert np.all(after.deviation <= before.deviation + 1e-12)
    # As if each pending one had been observed at its mean; the deviation does not depend on the values.
    plain, more = reference(OBSERVED, VALUES), reference([*OBSERVED, *pending], [*VALUES, 0, 0, 0, 0])
    ratio = more.predict(matrix(OTHERS), return_std=True)[1] / plain.predict(matrix(OTHERS), return_std=True)[1]
    np.testing.assert_allclose(after.deviation / before.deviation, ratio, rtol=1e-6)
    assert process.posterior(pending, pending).deviation.max() < before.deviation.min()


def test_the_likeliest_length_scale_and_noise_are_taken() -> None:
    rng = np.random.default_rng(0)
    process = GaussianProcess(OBSERVED, VALUES)
    noise = GaussianProcess(OBSERVED, rng.normal(size=len(OBSERVED)).tolist())
    standard = (np.array(VALUES) - np.mean(VALUES)) / np.std(VALUES)
    likelihoods = {}
    for length in gaussian_process.LENGTH_SCALES:
        for level in gaussian_process.NOISES:
            kernel = Matern(length_scale=length * unit(), nu=2.5)
            theirs = GaussianProcessRegressor(kernel, alpha=level, optimizer=None).fit(matrix(OBSERVED), standard)
            signal = standard @ theirs.alpha_ / len(standard)  # the variance that maximises the likelihood
            scaled = np.diag(theirs.L_) * np.sqrt(signal)
            likelihoods[length, level] = -np.log(scaled).sum()  # the rest is the same for all of them
    assert max(likelihoods, key=likelihoods.__getitem__) == (process._model.length, process._model.noise)
    # What has nothing to do with the points is noise: little is claimed to be known.
    assert process._model.noise < 0.1
    assert np.std(noise.posterior(OTHERS).mean) < 0.5 * np.std(process.posterior(OTHERS).mean)


def test_it_learns() -> None:
    found = GaussianProcess(OBSERVED, VALUES).posterior(OTHERS)
    truth = np.array([value(row) for row in OTHERS])
    assert np.corrcoef(found.mean, truth)[0, 1] > 0.8
    assert np.mean(np.abs(found.mean - truth) < 2 * found.deviation) > 0.85


def test_what_was_never_counted_is_far_away() -> None:
    process = GaussianProcess(OBSERVED, VALUES)
    near, far = process.posterior([OTHERS[0], {**OTHERS[0], "new": 9}]).deviation
    assert far > near


def test_all_points_alike_and_all_values_alike() -> None:
    found = GaussianProcess([{"a": 1}, {"a": 1}], [1.0, 3.0]).posterior([{"a": 1}, {"b": 2}])
    assert found.mean[0] == pytest.approx(2.0)
    assert np.isfinite(found.deviation).all()
    flat = GaussianProcess(OBSERVED, [5.0] * len(OBSERVED)).posterior(OTHERS)
    np.testing.assert_allclose(flat.mean, 5.0)


@pytest.mark.parametrize("arguments", [([], []), ([{"a": 1}], [1.0]), ([{"a": 1}, {"b": 1}], [1.0])])
def test_too_little_is_refused(arguments: Any) -> None:
    with pytest.raises(StrategyError, match=r"at least two observations with a value each\. Received: "):
        GaussianProcess(*arguments)
