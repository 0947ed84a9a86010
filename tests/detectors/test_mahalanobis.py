"""Goal: the distance over what usually goes together; method: NumPy's weighted covariance of the
full array, SciPy's distribution, River's EwaCovariance, and invariants.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.covariance import EwaCovariance
from scipy import stats  # type: ignore[import-untyped]  # has no types

from detectors.base import DAY, HOUR
from detectors.mahalanobis import HORIZON, Mahalanobis, chi_square_cdf

SEEDS = st.integers(0, 10_000)


def _rows(seed: int, count: int, features: int = 3) -> np.ndarray:
    draw = np.random.default_rng(seed)
    mixed: np.ndarray = draw.normal(size=(count, features)) @ draw.normal(size=(features, features))
    return mixed


def _x(row: np.ndarray) -> dict[str, float]:
    return {f"f{i}": float(value) for i, value in enumerate(row)}


def _taught(rows: np.ndarray) -> Mahalanobis:
    model = Mahalanobis()
    for row in rows:
        model.learn_one(_x(row))
    return model


@given(st.floats(0.0, 2_000.0), st.integers(1, 24))
def test_the_distribution_is_the_chi_square(distance: float, degrees: int) -> None:
    expected = stats.chi2.cdf(distance, degrees)
    assert chi_square_cdf(distance, degrees) == pytest.approx(expected, abs=1e-9)


@given(SEEDS, st.integers(14, 120))
def test_the_score_is_that_of_the_weighted_covariance_of_all_rows(seed: int, count: int) -> None:
    rows = _rows(seed, count)
    shares = [1.0 / min(i + 1.0, HORIZON) for i in range(count)]
    weights = [s * math.prod(1.0 - t for t in shares[i + 1 :]) for i, s in enumerate(shares)]
    n = min(count, HORIZON)
    covariance = np.cov(rows.T, aweights=weights, ddof=0)
    shrunk = (n * covariance + 14.0 * np.eye(3)) / (n + 14.0)
    row = _rows(seed + 1, 1)[0]
    deviation = (row - np.average(rows, axis=0, weights=weights)) / math.sqrt(1.0 + 1.0 / n)
    expected = stats.chi2.cdf(deviation @ np.linalg.inv(shrunk) @ deviation, 3)
    assert _taught(rows).score_one(_x(row)) == pytest.approx(expected, abs=1e-9)


def test_the_covariance_becomes_rivers() -> None:
    rows = _rows(3, 2_000)
    river = EwaCovariance(fading_factor=1.0 / HORIZON)
    for row in rows:
        river.update(_x(row))
    upper = _taught(rows).to_state()["covariance"]
    places = zip(*np.triu_indices(3), strict=True)
    assert upper == pytest.approx([river[f"f{i}", f"f{j}"] for i, j in places])


@given(SEEDS, st.floats(0.0, 6.28))
def test_turning_two_features_into_each_other_changes_nothing(seed: int, angle: float) -> None:
    rows = _rows(seed, 40, 2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    scores = [_taught(some[:-1]).score_one(_x(some[-1])) for some in (rows, rows @ turn)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)


@given(SEEDS)
def test_a_missing_feature_is_marginalised_out(seed: int) -> None:
    rows = _rows(seed, 50)
    whole, part = _taught(rows), _taught(rows[:, :2])
    x = _x(_rows(seed + 1, 1)[0][:2])
    assert whole.score_one(x) == pytest.approx(part.score_one(x))


@given(SEEDS)
def test_the_covariance_stays_positive_whatever_is_missing(seed: int) -> None:
    draw = np.random.default_rng(seed)
    model = Mahalanobis()
    for row in np.repeat(_rows(seed, 80, 1), 4, axis=1):  # features that are copies of each other
        model.learn_one({name: value for name, value in _x(row).items() if draw.random() < 0.6})
    upper = np.zeros((4, 4))
    upper[np.triu_indices(4)] = model.to_state()["covariance"]
    assert np.linalg.eigvalsh(upper, UPLO="U").min() > -1e-9


def test_only_the_side_of_concern_counts() -> None:
    rows = _rows(1, 60)
    state = _taught(rows).to_state()
    x = {"f0": 30.0, "f1": -30.0}
    score = {
        sides: Mahalanobis.from_state(state, dict(zip(x, sides, strict=True))).score_one(x)
        for sides in ((1, -1), (-1, 1), (1, 1), (0, 0))
    }
    alone = Mahalanobis.from_state(state).score_one({"f0": 30.0})
    assert score[1, -1] == score[0, 0] > 0.99
    assert score[-1, 1] == 0.0
    assert score[1, 1] == alone


def test_context_is_no_feature_and_features_are_bounded() -> None:
    model = Mahalanobis()
    for i in range(200):
        model.learn_one({HOUR: 1.0, DAY: float(i), f"f{i}": 1.0})
    names = model.to_state()["names"]
    assert len(names) == 24
    assert not {HOUR, DAY} & set(names)
