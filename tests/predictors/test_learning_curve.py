"""Guesses of the end of a learning curve, against what they should be by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from automl_cells.errors import StrategyError
from automl_cells.predictors import learning_curve
from automl_cells.predictors.learning_curve import CurveModel, features, fit


def curves(number: int, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Saturating curves of 12 epochs with ends from 40 to 90 and rates of their own; shape (number, 12)."""
    rng = np.random.default_rng(seed)
    ends, rates = rng.uniform(40, 90, number), rng.uniform(0.2, 0.5, number)
    epochs = np.arange(1, 13)
    return ends[:, None] * (1 - np.exp(-rates[:, None] * epochs)) + noise * rng.normal(size=(number, 12))


def test_points_and_differences() -> None:
    assert features([10.0, 40.0, 55.0, 60.0], 3) == [10.0, 40.0, 55.0, 30.0, 15.0]
    assert features([10.0, 40.0], 1) == [10.0]


def test_a_model_is_a_weighted_sum() -> None:
    model = CurveModel(2, (0.5, 0.25, 2.0), 7.0, 1.0)
    assert model([10.0, 14.0, 99.0]) == 7.0 + 5.0 + 3.5 + 8.0


@pytest.mark.parametrize("epochs", [1, 3, 6])
def test_it_is_ridge_regression_and_its_deviation_leave_one_out(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_curve, "_PENALTIES", (1.0,))
    known = curves(20, noise=1.0)
    ends = known[:, -1]
    model = fit(known.tolist(), ends.tolist(), epochs)
    rows = np.array([features(curve, epochs) for curve in known.tolist()])
    centre, scale = rows.mean(0), rows.std(0)
    theirs = Ridge(alpha=1.0).fit((rows - centre) / scale, ends)
    np.testing.assert_allclose([model(curve) for curve in known.tolist()], theirs.predict((rows - centre) / scale))
    errors = []
    for left in range(20):
        others = np.arange(20) != left
        again = Ridge(alpha=1.0).fit(((rows - centre) / scale)[others], ends[others])
        errors.append(ends[left] - again.predict(((rows - centre) / scale)[[left]])[0])
    # Scaling is that of all curves in both; scikit-learn centres the others anew, as the closed form does.
    assert model.deviation == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-6)


def test_more_epochs_guess_better_and_new_curves_as_well_as_promised() -> None:
    known, new = curves(80, noise=1.0), curves(200, noise=1.0, seed=1)
    deviations = []
    for epochs in (1, 3, 6):
        model = fit(known.tolist(), known[:, -1].tolist(), epochs)
        deviations.append(model.deviation)
        errors = [model(curve) - curve[-1] for curve in new.tolist()]
        assert 0.75 < np.sqrt(np.mean(np.square(errors))) / model.deviation < 1.35
    assert deviations == sorted(deviations, reverse=True)


def test_curves_that_are_all_alike() -> None:
    model = fit([[50.0, 60.0, 65.0]] * 12, [70.0] * 12, 2)
    assert model([50.0, 60.0]) == pytest.approx(70.0)
    assert model.deviation == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("number", "ends", "epochs"), [(11, 11, 3), (12, 11, 3), (12, 12, 13), (12, 12, 0), (0, 0, 1)])
def test_too_little_is_refused(number: int, ends: int, epochs: int) -> None:
    with pytest.raises(StrategyError, match=r"at least 12 learning curves of .* Received: "):
        fit(curves(number).tolist(), [50.0] * ends, epochs)
