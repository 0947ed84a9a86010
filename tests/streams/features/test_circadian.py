"""Goal: the cosinor of a day is the one of Cornelissen (2014). Method: planted rhythms, also on
days on which the clock changes; noise against SciPy's curve fitting; the least coverage."""

import datetime as dt
import math
import random
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy.optimize import curve_fit  # type: ignore[import-untyped]  # SciPy has no types

from streams.events import HeartRate, WindowKind
from streams.evidence import Evidence
from streams.features import compute
from streams.features.base import Floats, Values
from tests.streams.features.worlds import DATE, MIDNIGHT_S, add, day, window_of

NAMES = ("heart_rate_mesor_bpm", "heart_rate_amplitude_bpm", "heart_rate_acrophase_min")


def cosine(
    clock: Floats | float, mesor: float, amplitude: float, acrophase: float
) -> Floats | float:
    found: Floats | float = mesor + amplitude * np.cos(2 * math.pi * (clock - acrophase) / 1_440)
    return found


def rhythm(values: Values) -> tuple[float | None, ...]:
    return tuple(values.get(name) for name in NAMES)


def evidence_of_minutes(minutes: dict[int, float]) -> Evidence:
    """Evidence with one sample in each of the given minutes since the epoch."""
    evidence = Evidence()
    add(evidence, *(HeartRate(time=m * 60.0, heart_rate=bpm) for m, bpm in minutes.items()))
    return evidence


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_day_with_gaps_is_fitted_as_by_scipy(seed: int) -> None:
    chance = random.Random(seed)
    planted = chance.uniform(60, 80), chance.uniform(3, 15), chance.uniform(0, 1_440)
    told = {
        minute: round(float(cosine(minute, *planted)) + chance.gauss(0, 6), 1)
        for minute in range(1_440)
        if chance.random() < 0.8
    }
    first = int(MIDNIGHT_S // 60)
    found = day(evidence_of_minutes({first + m: bpm for m, bpm in told.items()}))
    minutes, rates = np.array([*told], dtype=float), np.array([*told.values()])
    fitted, _ = curve_fit(cosine, minutes, rates, p0=planted)
    assert found["heart_rate_mesor_bpm"] == pytest.approx(fitted[0], abs=1e-4)
    assert found["heart_rate_amplitude_bpm"] == pytest.approx(abs(fitted[1]), abs=1e-4)
    between = (found["heart_rate_acrophase_min"] - fitted[2] + 720) % 1_440 - 720
    assert between == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize(
    ("date", "hours"), [(dt.date(2024, 3, 31), 23), (dt.date(2023, 10, 29), 25)]
)
def test_a_rhythm_of_the_wall_clock_is_found_when_the_clock_changes(
    date: dt.date, hours: int
) -> None:
    zone = ZoneInfo("Europe/Rome")
    midnight = dt.datetime.combine(date, dt.time(), tzinfo=zone)
    first = int(midnight.timestamp() // 60)
    minutes = {}
    for minute in range(first, first + hours * 60):
        wall = dt.datetime.fromtimestamp(minute * 60, zone)
        minutes[minute] = float(cosine(wall.hour * 60 + wall.minute, 70.0, 10.0, 930.0))
    window = window_of(evidence_of_minutes(minutes), WindowKind.DAY, date, "Europe/Rome")
    assert window.length == hours * 60
    # Samples are kept to 0.1 beats/min.
    assert rhythm(compute(window)[0]) == pytest.approx((70.0, 10.0, 930.0), abs=0.05)


def test_a_traveller_s_rhythm_follows_the_clock_that_the_watch_shows() -> None:
    evidence = Evidence()
    first = int(MIDNIGHT_S // 60)
    # From noon on the watch is an hour ahead.
    for minute in range(23 * 60):
        ahead = 60 if minute >= 720 else 0
        bpm = float(cosine(minute + ahead, 70.0, 10.0, 900.0))
        sample = HeartRate(time=(first + minute) * 60.0, heart_rate=bpm)
        add(evidence, sample, utc_offset=ahead * 60)
    assert rhythm(day(evidence)) == pytest.approx((70.0, 10.0, 900.0), abs=0.05)


def _hours(hours: int, minutes: int, rate: Callable[[int], float]) -> Evidence:
    first = int(MIDNIGHT_S // 60)
    told = (hour * 60 + minute for hour in range(hours) for minute in range(minutes))
    return evidence_of_minutes({first + minute: rate(minute) for minute in told})


@pytest.mark.parametrize(("hours", "minutes", "is_told"), [(16, 20, 1), (15, 60, 0), (24, 19, 0)])
def test_a_rhythm_needs_sixteen_hours_with_twenty_minutes_each(
    hours: int, minutes: int, is_told: int
) -> None:
    found = day(_hours(hours, minutes, lambda minute: 60.0 + minute / 100.0), DATE)
    assert [name in found for name in NAMES] == [bool(is_told)] * 3


def test_a_heart_rate_that_never_changes_has_no_time_of_its_highest() -> None:
    mesor, amplitude, acrophase = rhythm(day(_hours(24, 60, lambda _: 61.0)))
    assert (mesor, amplitude) == pytest.approx((61.0, 0.0), abs=1e-9)
    assert acrophase is None


@pytest.mark.parametrize(("higher", "is_told"), [(0.2, True), (0.1, False)])
def test_the_time_of_the_highest_is_told_from_a_tenth_of_a_beat_on(
    higher: float, *, is_told: bool
) -> None:
    """Higher for half of the day: the amplitude of such a step is 2 / pi of its height."""
    found = day(_hours(24, 60, lambda minute: 60.0 + higher * (minute < 720)))
    assert found["heart_rate_amplitude_bpm"] == pytest.approx(2.0 / math.pi * higher, rel=1e-4)
    assert ("heart_rate_acrophase_min" in found) == is_told
