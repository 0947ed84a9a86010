"""Goal: three numbers tell mean and deviation of all values; method: NumPy over the full array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.moments import Moments

VALUES = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=60)


@given(VALUES)
def test_mean_and_sd_are_those_of_all_values(values: list[float]) -> None:
    moments = Moments()
    for value in values:
        moments.update(value)
    assert moments.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert moments.sd() == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    believed = (14.0 + np.sum((np.array(values) - np.mean(values)) ** 2)) / (14.0 + len(values))
    assert moments.scale() == pytest.approx(np.sqrt(believed))


@given(VALUES, st.integers(2, 20))
def test_from_the_horizon_on_values_fade_exponentially(values: list[float], horizon: int) -> None:
    moments = Moments()
    for value in values:
        moments.update(value, horizon)
    weights: list[float] = []
    for i in range(len(values)):
        share = 1.0 / min(i + 1, horizon)
        weights = [weight * (1.0 - share) for weight in weights] + [share]
    mean = np.average(values, weights=weights)
    variance = np.average((np.array(values) - mean) ** 2, weights=weights)
    assert moments.mean == pytest.approx(mean, abs=1e-6)
    assert moments.squares / moments.n == pytest.approx(variance, rel=1e-6, abs=1e-6)
