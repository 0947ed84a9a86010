"""Goal: the daily rhythm is that of Witting's formulas, and what is not known counts for nothing.
Method: the formulas written out, waves and noise of which the result is known, lives of weeks."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streams.events import (
    DeviceStatus,
    HeartRate,
    InteractionState,
    PhoneInteraction,
    Steps,
    WindowKind,
)
from streams.features.rhythm import interdaily_stability, intradaily_variability, stretch
from tests.oracles import witting
from tests.streams.features.dates import Life, utc

FIRST = "2024-01-09"
FIRST_S = utc(FIRST)
HOUR_S = 3_600.0
SINE = 10.0 + np.sin(np.arange(24) * 2.0 * np.pi / 24.0)

Hours = NDArray[np.float64]
some_days = arrays(np.float64, (9, 24), elements=st.integers(0, 2_000).map(float))


def witting_is(x: Hours) -> float:
    n, p = x.size, x.shape[1]
    by_hour = sum((x[:, h].mean() - x.mean()) ** 2 for h in range(p))
    return float(n * by_hour / (p * sum((value - x.mean()) ** 2 for value in x.flat)))


def witting_iv(x: Hours) -> float:
    row = list(x.flat)
    n = len(row)
    steps = sum((row[i] - row[i - 1]) ** 2 for i in range(1, n))
    return float(n * steps / ((n - 1) * sum((value - x.mean()) ** 2 for value in row)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(some_days.filter(lambda x: x.max() > x.min()))
def test_with_every_hour_known_they_are_wittings_formulas(x: Hours) -> None:
    assert interdaily_stability(x) == pytest.approx(witting_is(x), rel=1e-9, abs=1e-12)
    assert intradaily_variability(x) == pytest.approx(witting_iv(x), rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(some_days, arrays(np.bool_, (9, 24)))
def test_whatever_is_missing_stability_stays_within_0_and_1(x: Hours, is_missing: Hours) -> None:
    x[is_missing.astype(bool)] = np.nan
    x[0, 0] = 1.0
    found = interdaily_stability(x)
    assert found is None or 0.0 <= found <= 1.0


def test_a_wave_is_wholly_stable_and_smooth_and_noise_is_neither() -> None:
    wave = np.tile(SINE, (14, 1))
    assert interdaily_stability(wave) == pytest.approx(1.0, rel=1e-9)
    # Of an endless sine wave IV is 2 (1 - cos(2 pi / 24)).
    smooth = 2.0 * (1.0 - math.cos(2.0 * math.pi / 24.0))
    assert intradaily_variability(wave) == pytest.approx(smooth, rel=0.02)
    noise = np.random.default_rng(5).normal(size=(400, 24))
    assert interdaily_stability(noise) == pytest.approx(0.0, abs=0.01)
    assert intradaily_variability(noise) == pytest.approx(2.0, abs=0.05)
    assert interdaily_stability(np.full((8, 24), 3.0)) is None
    assert intradaily_variability(np.full((8, 24), 3.0)) is None


def test_a_gap_is_no_side_of_a_difference() -> None:
    x = np.tile(SINE, (7, 1))
    x[2, 5:9] = np.nan
    row = x.ravel()
    steps = [(b - a) ** 2 for a, b in pairwise(row) if not np.isnan(a + b)]
    known = row[~np.isnan(row)]
    expected = np.mean(steps) / np.mean((known - known.mean()) ** 2)
    assert intradaily_variability(x) == pytest.approx(float(expected), rel=1e-12)


def test_stretches_go_round_midnight_and_the_first_of_equal_ones_counts() -> None:
    profile = np.array([0.0] * 4 + [5.0] * 18 + [0.0] * 2)
    assert stretch(profile, 5, -12) == (0.0, 5.0, -2, -12)
    least, most, least_at, most_at = stretch(profile, 10, 0)
    assert (least_at, most_at, most) == (18, 4, 5.0)
    assert least == pytest.approx(2.0, rel=1e-9)


def steps_of(day: int, per_hour: Hours) -> list[Steps]:
    start = FIRST_S + day * 86_400.0
    return [
        Steps(time=start + hour * HOUR_S, duration=HOUR_S, steps=int(steps))
        for hour, steps in enumerate(per_hour)
        if not np.isnan(steps)
    ]


def test_steps_of_weeks_give_the_figures_of_their_hours() -> None:
    chance = np.random.default_rng(2)
    profile = np.array([0] * 7 + [300, 900, 400, 200, 250, 800, 500] + [300] * 8 + [50, 0])
    hours = np.rint(chance.gamma(2.0, 0.5, (14, 24)) * profile)
    hours[3, 8:15] = np.nan
    hours[10, 0:6] = np.nan
    life = Life()
    for day in range(14):
        life.add(steps_of(day, hours[day]))
    rows = life.rows(WindowKind.DAY, FIRST, 14)
    assert "activity_l5_steps_per_h" not in rows["2024-01-13"]
    assert "activity_l5_steps_per_h" in rows["2024-01-14"]
    assert "activity_interdaily_stability_ratio" not in rows["2024-01-16"]
    values = rows["2024-01-22"]
    # The fourth day, of 17 known hours, is not a known one, and the eleventh, of 18, is.
    days = [{h: x for h, x in enumerate(day) if not np.isnan(x)} for day in hours.tolist()]
    expected = witting.rhythm(days, "activity", "steps_per_h")
    found = {n: v for n, v in values.items() if n.startswith("activity_")}
    assert len(expected) == 7
    assert found == pytest.approx(expected, rel=1e-9)


def test_an_hour_hardly_known_is_not_known_and_one_told_in_part_is_scaled() -> None:
    life = Life()
    for day in range(8):
        start = FIRST_S + day * 86_400.0
        for hour in range(24):
            at = start + hour * HOUR_S
            minutes = 29 if hour in {3, 4} and day < 6 else 30
            count = 10 if minutes == 30 else 90
            life.add(
                [Steps(time=at + 60.0 * m, duration=60.0, steps=count) for m in range(minutes)]
            )
            samples = 5 if hour == 3 else 6
            life.add([HeartRate(time=at + 60.0 * m, heart_rate=50 + hour) for m in range(samples)])
    rows = life.rows(WindowKind.DAY, FIRST, 8)
    values = rows["2024-01-15"]
    assert values["activity_l5_steps_per_h"] == values["activity_m10_steps_per_h"] == 600.0
    assert "activity_intradaily_variability_ratio" not in values
    # At 03:00 the heart rate is known on no day, so that there is no mean day.
    assert not [name for name in values if name.startswith("heart_rate_l5")]
    # The other hours are, and are alike on all eight days.
    stability = rows["2024-01-16"]["heart_rate_interdaily_stability_ratio"]
    assert stability == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("first", ["2024-03-26", "2023-10-24"], ids=["23 hours", "25 hours"])
def test_the_days_on_which_the_clock_changes_keep_the_local_hours(first: str) -> None:
    life = Life("Europe/Rome")
    start = utc(first) - 2 * 86_400.0
    offsets = {"2024-03-26": (3_600, 7_200), "2023-10-24": (7_200, 3_600)}[first]
    change = {"2024-03-26": utc("2024-03-31T01:00"), "2023-10-24": utc("2023-10-29T01:00")}[first]
    for hour in range(24 * 10):
        time = start + hour * HOUR_S
        clock = (time + offsets[time >= change]) % 86_400.0 / HOUR_S
        steps = 600 if 8 <= clock < 18 else 60 if clock < 3 or clock >= 22 else 120
        life.add([Steps(time=time, duration=HOUR_S, steps=steps)])
    values = life.rows(WindowKind.DAY, first, 7).popitem()[1]
    assert values["activity_m10_onset_min"] == 8 * 60.0
    assert values["activity_m10_steps_per_h"] == 600.0
    assert values["activity_l5_onset_min"] == -120.0
    assert values["activity_l5_steps_per_h"] == 60.0


def test_hours_in_which_the_phone_did_not_live_are_not_known() -> None:
    life = Life()
    for day in range(7):
        start = FIRST_S + day * 86_400.0
        # An hour needs 36 minutes; three hours have them on the last day alone.
        lived = [(35 if day < 6 else 36) if h in {2, 3, 4} else 60 for h in range(24)]
        statuses = [
            DeviceStatus(time=start + h * HOUR_S, interval=60.0 * minutes)
            for h, minutes in enumerate(lived)
        ]
        life.add(statuses, source="phone")
        for hour in (8, 9, 20):
            on = start + hour * HOUR_S + 600.0
            events = [(on, InteractionState.SCREEN_ON), (on + 90.0, InteractionState.STANDBY)]
            life.add(
                [PhoneInteraction(time=t, interaction_state=s) for t, s in events], source="phone"
            )
    rows = life.rows(WindowKind.DAY, FIRST, 7)
    values = rows["2024-01-15"]
    # The three hours are known on the last day alone, on which nobody used it.
    assert values["phone_l5_min_per_h"] == 0.0
    assert values["phone_m10_min_per_h"] == pytest.approx(2 * 1.5 / 10.0, rel=1e-9)
    assert "phone_l5_min_per_h" not in rows["2024-01-14"]
