"""Goal: slow changes are found, and when they began; method: the two-sided sum written out, River's
ADWIN fed from the start, and drawn series with a known change.
"""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN

from detectors.base import DAY
from detectors.drift import SIGNIFICANCE, THRESHOLD, TOLERANCE, Drift

NAME = "sleep_duration_min"
Z = st.floats(-3.0, 3.0)


def _drift(values: list[float]) -> Drift:
    drift = Drift()
    for value in values:
        drift.learn_one({NAME: value})
    return drift


def _series(seed: int, *shifts: float, sd: float = 1.0) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(shift, sd) for shift in shifts]


def _scale(values: list[float]) -> float:
    mean = sum(values[:14]) / 14.0
    return float(((14.0 + sum((value - mean) ** 2 for value in values[:14])) / 28.0) ** 0.5)


@settings(max_examples=50, deadline=None)
@given(st.lists(Z, min_size=15, max_size=60))
def test_the_score_is_the_larger_of_two_cumulative_sums(values: list[float]) -> None:
    drift, up, down, total = Drift(), 0.0, 0.0, 0.0
    scale = _scale(values)
    for i, value in enumerate(values):
        score = drift.score_one({NAME: value})
        drift.learn_one({NAME: value})
        mean = total / max(i, 1)
        z = value / scale
        if i >= 14:
            z = max(mean - 4.0, min(mean + 4.0, z))
        z = round(z * 64.0) / 64.0
        total += z
        residual = z - total / (i + 1)
        up, down = max(0.0, up + residual - TOLERANCE), max(0.0, down - residual - TOLERANCE)
        expected = min(max(up, down) / THRESHOLD, 1.0) if i >= 14 else 0.0
        assert score == pytest.approx(expected, abs=1e-9)
        if expected >= 0.999:
            break


def test_adwin_signals_when_rivers_does_until_it_is_begun_anew() -> None:
    values = _series(1, *[0.0] * 40, *[2.0] * 40, sd=0.3)
    scale = _scale(values)
    river = ADWIN(  # type: ignore[no-untyped-call]  # River's
        SIGNIFICANCE, clock=1, min_window_length=7, grace_period=14
    )
    drift, ours, rivers = Drift(), [], []
    for i, value in enumerate(values):
        drift.learn_one({NAME: value})
        river.update(round(value / scale * 64.0) / 64.0)  # type: ignore[no-untyped-call]  # River's
        rivers += [i] if river.drift_detected else []
        ours += [i] if drift.score_one({NAME: 0.0}) == 1.0 else []
    assert rivers
    assert rivers[0] in ours


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 200))
def test_a_state_put_back_at_any_moment_goes_on_identically(seed: int, count: int) -> None:
    shifts = [0.0] * 60 + [2.0] * 60 + [0.0] * 120
    values = _series(seed, *shifts)
    first = _drift(values[:count])
    second = Drift.from_state(json.loads(json.dumps(first.to_state())))
    for value in values[count:]:
        assert first.score_one({NAME: value}) == second.score_one({NAME: value})
        first.learn_one({NAME: value})
        second.learn_one({NAME: value})
        assert first.since(NAME) == second.since(NAME)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_change_is_found_within_weeks_and_dated_to_within_one(side: float) -> None:
    begun = []
    for seed in range(20):
        drift = Drift()
        values = _series(seed, *[0.0] * 60, *[side * 1.2] * 28)
        for day, value in enumerate(values, start=700):
            drift.learn_one({NAME: value, DAY: float(day)})
        since = drift.since(NAME)
        assert since is not None
        begun.append(since - 760)
    assert abs(sorted(begun)[10]) <= 7


def test_an_unchanged_feature_is_seldom_signalled() -> None:
    drift, signalled = Drift(), 0
    for value in _series(5, *[0.0] * 3_000):
        signalled += drift.score_one({NAME: value}) == 1.0
        drift.learn_one({NAME: value})
    assert signalled <= 12
    assert drift.since("never seen") is None


def test_the_way_of_a_change_is_told_by_the_values_since_it_began() -> None:
    drift = _drift(_series(3, *[0.0] * 30, *[2.0] * 6, sd=0.2))
    assert drift.moved(NAME, 30) > 1.0
    assert _drift(_series(3, *[0.0] * 30, *[-2.0] * 6, sd=0.2)).moved(NAME, 30) < -1.0
    assert drift.moved(NAME, 0) > 0.0
    assert drift.moved(NAME, 36) == 0.0
    assert drift.moved("step_count", 30) == 0.0
