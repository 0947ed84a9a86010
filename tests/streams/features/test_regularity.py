"""Goal: regularity of sleep is that of its definitions. Method: lives of some weeks; the definition
computed naively over minutes, SciPy, and cases of which the result is known."""

import datetime as dt
import random
import statistics
from collections.abc import Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # it has no py.typed

from streams.events import (
    DeviceStatus,
    HeartRate,
    HeartRateVariability,
    SleepEpisode,
    SleepLevel,
    SleepStage,
    SleepSummary,
    WindowKind,
)
from streams.features.base import Values
from streams.features.regularity import circular_mean_s, circular_sd_s
from tests.streams.features.dates import Life, utc

DAY_S = 86_400.0
FIRST = "2024-01-09"
"""A Tuesday; the night of a date begins at noon of the day before."""
NOON_S = utc(f"{FIRST}T12:00") - DAY_S
EPOCH_S = 300.0
EPOCHS = 288


def date_of(time: float) -> dt.date:
    return dt.datetime.fromtimestamp(time, dt.UTC).date()


def last_night(life: Life, count: int) -> Values:
    return list(life.rows(WindowKind.NIGHT, FIRST, count).values())[-1]


def wear(life: Life, nights: int) -> None:
    """A device on the wrist all the time, from noon on."""
    statuses = [
        DeviceStatus(time=NOON_S + hour * 3_600.0, on_wrist=True, interval=3_600.0)
        for hour in range(nights * 24)
    ]
    life.add(statuses)


def sleep_by_epoch(life: Life, asleep: Sequence[bool], night: int) -> None:
    """Stages of one night, from noon to the epoch before noon."""
    stages, number = [], 0
    for is_asleep, alike in groupby(asleep[:-1]):
        length = len(list(alike))
        time = NOON_S + night * DAY_S + number * EPOCH_S
        level = SleepLevel.LIGHT if is_asleep else SleepLevel.AWAKE
        stages.append(SleepStage(time=time, duration=length * EPOCH_S, level=level))
        number += length
    life.add(stages)


def sri_of(nights: Sequence[Sequence[bool]]) -> float | None:
    life = Life()
    wear(life, len(nights))
    for number, asleep in enumerate(nights):
        sleep_by_epoch(life, asleep, number)
    return last_night(life, len(nights)).get("sleep_regularity_index")


def naive_sri(minutes: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    """Phillips' formula over minutes of shape (days, 1440), NaN where not known."""
    alike = [
        float(minutes[day, minute] == minutes[day + 1, minute])
        for day in range(len(minutes) - 1)
        for minute in range(minutes.shape[1])
        if not np.isnan(minutes[day : day + 2, minute]).any()
    ]
    return -100.0 + 200.0 * sum(alike) / len(alike)


def block(start: int, stop: int) -> list[bool]:
    return [start <= number < stop for number in range(EPOCHS)]


def test_nights_that_are_alike_have_an_index_of_100_and_reversed_ones_of_minus_100() -> None:
    night = block(130, 220)
    opposite = [not asleep for asleep in night]
    assert sri_of([night] * 9) == 100.0
    # The last epoch before noon is never told, so that it is awake in both.
    reversed_index = sri_of([night, opposite] * 5)
    assert reversed_index == pytest.approx(-100.0 + 200.0 / EPOCHS, abs=1e-9)


def test_sleep_at_random_has_an_index_near_0() -> None:
    chance = random.Random(7)
    nights = [[chance.random() < 0.5 for _ in range(EPOCHS)] for _ in range(14)]
    index = sri_of(nights)
    assert index is not None
    assert abs(index) < 5.0


def test_the_index_is_that_of_the_definition_over_minutes_and_what_is_not_worn_is_missing() -> None:
    chance = random.Random(3)
    life = Life()
    minutes = np.full((12, 1_440), np.nan)
    for night in range(12):
        onset = chance.randint(110, 160)
        asleep = [
            onset <= n < onset + chance.choice([80, 95]) and chance.random() > 0.05
            for n in range(EPOCHS)
        ]
        bed = [n for n, is_asleep in enumerate(asleep) if is_asleep]
        inside = range(bed[0], bed[-1] + 1)
        worn = {n for n in range(EPOCHS) if n in inside or (n // 12) % 7 != night % 7}
        base = NOON_S + night * DAY_S
        life.add(
            [
                SleepStage(
                    time=base + n * EPOCH_S,
                    duration=EPOCH_S,
                    level=SleepLevel.DEEP if asleep[n] else SleepLevel.AWAKE,
                )
                for n in inside
            ]
        )
        times = [base + n * EPOCH_S + 60.0 * minute for n in worn for minute in (1, 3)]
        life.add([HeartRate(time=time, heart_rate=60) for time in times])
        for n in worn:
            minutes[night, n * 5 : n * 5 + 5] = asleep[n]
    index = last_night(life, 12)["sleep_regularity_index"]
    assert index == pytest.approx(naive_sri(minutes), abs=1e-9)
    assert 0.0 < index < 100.0


def test_without_8_nights_or_without_signs_of_wear_there_is_no_index() -> None:
    night = block(130, 220)
    assert sri_of([night] * 7) is None
    unworn = Life()
    for number in range(14):
        start = NOON_S + number * DAY_S + 130 * EPOCH_S
        unworn.add([SleepEpisode(time=start, duration=90 * EPOCH_S)])
    values = last_night(unworn, 14)
    assert "sleep_regularity_index" not in values
    assert values["sleep_onset_sd_min"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(("in_a_row", "is_told"), [(6, True), (5, False)])
def test_the_index_needs_5_days_worth_of_pairs(in_a_row: int, *, is_told: bool) -> None:
    """Of eight nights some follow one another, each of the others after a night without sleep."""
    nights = [*range(in_a_row), *range(in_a_row + 1, 2 * 8 - in_a_row + 1, 2)]
    life = Life()
    wear(life, nights[-1] + 1)
    for night in nights:
        sleep_by_epoch(life, block(130, 220), night)
    values = last_night(life, nights[-1] + 1)
    assert len(nights) == 8
    assert ("sleep_regularity_index" in values) == is_told


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), turn=st.integers(0, 60))
def test_the_index_lies_in_its_range_and_turning_the_clock_does_not_change_it(
    seed: int, turn: int
) -> None:
    chance = random.Random(seed)
    blocks = [(chance.randint(61, 110), chance.randint(120, 220)) for _ in range(8)]
    index = sri_of([block(*pair) for pair in blocks])
    assert index is not None
    assert -100.0 <= index <= 100.0
    turned = sri_of([block(start + turn, stop + turn) for start, stop in blocks])
    assert turned == pytest.approx(index, abs=1e-9)


def test_deviations_are_those_of_scipy_and_statistics() -> None:
    chance = random.Random(1)
    life = Life()
    onsets, offsets, asleep = [], [], []
    for number in range(16):
        start = NOON_S + number * DAY_S + chance.randint(9 * 3_600, 14 * 3_600)
        duration = chance.randint(4 * 3_600, 9 * 3_600)
        life.add([SleepEpisode(time=start, duration=duration, asleep_duration=duration - 600)])
        onsets.append(start % DAY_S / 60.0)
        offsets.append((start + duration) % DAY_S / 60.0)
        asleep.append(duration / 60.0 - 10.0)
    rows = list(life.rows(WindowKind.NIGHT, FIRST, 16).values())
    assert ["sleep_midpoint_sd_min" in values for values in rows[6:8]] == [False, True]
    values = rows[-1]
    middles = [
        (on - (1_440.0 if on > 720.0 else 0.0) + off) / 2.0
        for on, off in zip(onsets, offsets, strict=True)
    ]
    assert values["sleep_duration_sd_min"] == pytest.approx(
        statistics.stdev(asleep[-14:]), rel=1e-9
    )
    for name, times in (("sleep_onset_sd_min", onsets), ("sleep_midpoint_sd_min", middles)):
        expected = stats.circstd(times[-14:], high=1_440.0)
        assert values[name] == pytest.approx(expected, abs=1e-9), name


def test_social_jetlag_is_the_distance_between_midpoints_of_free_and_work_days() -> None:
    life = Life()
    for number in range(14):
        # Nights of Tuesday to Monday; a later sleep before Saturday and Sunday.
        is_free = number % 7 in {4, 5}
        start = NOON_S + number * DAY_S + (13.0 if is_free else 11.5) * 3_600
        life.add([SleepEpisode(time=start, duration=8 * 3_600.0)])
    assert last_night(life, 14)["social_jetlag_min"] == pytest.approx(90.0, abs=1e-6)


@pytest.mark.parametrize(
    ("nights", "is_told"),
    [
        ({4, 5, 6, 7, 8, 9, 10, 13}, True),
        ({2, 3, 4, 6, 7, 8, 9, 10}, False),
        ({0, 1, 2, 3, 4, 5, 11, 12}, True),
    ],
)
def test_social_jetlag_needs_two_nights_before_free_days(
    nights: set[int], *, is_told: bool
) -> None:
    """The fifth and sixth night of each week are those before Saturday and Sunday."""
    life = Life()
    for number in sorted(nights):
        life.add([SleepEpisode(time=NOON_S + number * DAY_S + 11.5 * 3_600, duration=28_800.0)])
    values = last_night(life, 14)
    assert "sleep_onset_sd_min" in values
    assert ("social_jetlag_min" in values) == is_told


def test_times_on_either_side_of_midnight_are_near_each_other() -> None:
    times = np.array([-600.0, 600.0, 86_400.0 - 300.0, 300.0])
    assert circular_mean_s(times) == pytest.approx(0.0, abs=1e-6)
    assert circular_sd_s(times) == pytest.approx(stats.circstd(times, high=DAY_S), rel=1e-9)
    assert circular_sd_s(times) < 600.0


def test_deviations_need_8_nights_and_a_summary_gives_those_of_the_duration() -> None:
    life = Life()
    asleep = [400, 380, 420, 450, 390, 405, 415, 500]
    dates = [f"2024-01-{9 + number:02d}" for number in range(8)]
    for date, minutes in zip(dates, asleep, strict=True):
        day = utc(date)
        summary = SleepSummary(date=date_of(day), asleep_duration=60.0 * minutes)
        life.add([summary])
    rows = life.rows(WindowKind.NIGHT, FIRST, 8)
    assert "sleep_duration_sd_min" not in rows[dates[6]]
    assert rows[dates[7]]["sleep_duration_sd_min"] == pytest.approx(
        statistics.stdev(asleep), rel=1e-9
    )
    assert "sleep_onset_sd_min" not in rows[dates[7]]


@pytest.mark.parametrize("kind", [WindowKind.NIGHT, WindowKind.DAY])
def test_the_variation_of_rmssd_needs_5_of_7_dates(kind: WindowKind) -> None:
    life = Life()
    figures = [30.0, 42.5, None, 51.2, 38.0, None, 44.4]
    for number, rmssd in enumerate(figures):
        noon_s = NOON_S + number * DAY_S
        if rmssd is None:
            continue
        if kind is WindowKind.DAY:
            life.add([HeartRateVariability(date=date_of(noon_s + DAY_S), rmssd=rmssd)])
        else:
            time = noon_s + 14 * 3_600.0
            life.add([HeartRateVariability(time=time, duration=300.0, rmssd=rmssd)])
    rows = life.rows(kind, FIRST, 8)
    given = [rmssd for rmssd in figures if rmssd is not None]
    expected = 100.0 * statistics.stdev(given) / statistics.mean(given)
    assert rows["2024-01-15"]["rmssd_cv_percent"] == pytest.approx(expected, rel=1e-9)
    assert "rmssd_cv_percent" not in rows["2024-01-14"]
    assert "rmssd_cv_percent" not in rows["2024-01-16"]


def sleep_at_local_time(life: Life, evening: dt.date, evening_zone: str, zone: str) -> None:
    """Sleep from 22:00 to 06:00, and wear from noon to noon, where one is."""
    start = dt.datetime.combine(evening, dt.time(22), ZoneInfo(zone))
    stop = dt.datetime.combine(evening + dt.timedelta(days=1), dt.time(6), ZoneInfo(zone))
    noon_s = dt.datetime.combine(evening, dt.time(12), ZoneInfo(evening_zone)).timestamp()
    offset = start.utcoffset()
    assert offset is not None
    told = round(offset.total_seconds()) if zone != evening_zone else None
    duration = stop.timestamp() - start.timestamp()
    life.add([SleepEpisode(time=start.timestamp(), duration=duration)], utc_offset=told)
    hours = range(25 if zone == evening_zone else 31)
    wearing = [
        DeviceStatus(time=noon_s + hour * 3_600.0, on_wrist=True, interval=3_600.0)
        for hour in hours
    ]
    life.add(wearing[:2])
    life.add(wearing[2:], utc_offset=told)


@pytest.mark.parametrize("first", ["2024-03-24", "2023-10-22"], ids=["23 hours", "25 hours"])
def test_where_the_clock_changes_sleep_at_the_same_local_time_stays_regular(first: str) -> None:
    life = Life("Europe/Rome")
    for number in range(14):
        evening = dt.date.fromisoformat(first) + dt.timedelta(days=number - 1)
        sleep_at_local_time(life, evening, "Europe/Rome", "Europe/Rome")
    values = list(life.rows(WindowKind.NIGHT, first, 14).values())[-1]
    assert values["sleep_regularity_index"] == 100.0
    assert values["sleep_onset_sd_min"] == pytest.approx(0.0, abs=1e-4)


def test_after_a_flight_sleep_at_the_same_local_time_stays_regular() -> None:
    life = Life("Europe/Rome")
    for number in range(9):
        evening = dt.date.fromisoformat(FIRST) + dt.timedelta(days=number - 1)
        places = ("Europe/Rome", "Europe/Rome" if number < 8 else "America/New_York")
        sleep_at_local_time(life, evening, *places)
    rows = life.rows(WindowKind.NIGHT, FIRST, 9)
    values = list(rows.values())[-1]
    assert values["sleep_onset_min"] == -120.0
    assert values["sleep_regularity_index"] == 100.0
    assert values["sleep_onset_sd_min"] == pytest.approx(0.0, abs=1e-4)
