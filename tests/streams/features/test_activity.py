"""Goal: minutes of activity and sedentary bouts. Method: a plain walk over the minutes of random
days, and days known by hand."""

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import (
    ActivitySummary,
    DeviceStatus,
    HeartRate,
    Record,
    RestingHeartRate,
    SleepEpisode,
    SleepSummary,
    Steps,
    WindowKind,
)
from streams.evidence import Evidence
from streams.features.activity import (
    activity_of_day,
    reported_activity,
    sedentary_of_day,
    steps_of_day,
    steps_of_hour,
)
from streams.features.base import Bounds, Window
from tests.streams.features.phone_days import DATE, START_S, day_of, evidence_of, send

DAY = range(1_440)
LOCAL_DATE = dt.date(2023, 11, 15)


def steps(minute: int, count: int) -> Steps:
    return Steps(time=START_S + minute * 60.0, duration=60.0, steps=count)


def sleep(first: int, stop: int) -> SleepEpisode:
    return SleepEpisode(time=START_S + first * 60.0, duration=(stop - first) * 60.0)


def longest_runs(minutes: list[bool]) -> list[int]:
    """Lengths of the runs, by joining the minutes to text."""
    text = "".join("s" if minute else "." for minute in minutes)
    return [len(run) for run in text.split(".") if run]


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.0, 0.1), first=st.integers(-100, 1_300))
def test_minutes_and_bouts_are_those_of_a_plain_walk(seed: int, share: float, first: int) -> None:
    chance = random.Random(seed)
    known = {
        minute: chance.choice([1, 99, 100, 160]) if chance.random() < share else 0
        for minute in DAY
        if chance.random() < 0.97
    }
    evidence = Evidence()
    send(evidence, [sleep(first, first + 480)])
    minutes = chance.sample(sorted(known), len(known))
    for place in range(0, len(minutes), 400):
        send(evidence, [steps(minute, known[minute]) for minute in minutes[place : place + 400]])
    assert activity_of_day(day_of(evidence)) == {
        "step_active_min": sum(count > 0 for count in known.values()),
        "moderate_activity_min": sum(count >= 100 for count in known.values()),
    }
    asleep = range(first, first + 480)
    bouts = longest_runs([known.get(minute) == 0 and minute not in asleep for minute in DAY])
    assert sedentary_of_day(day_of(evidence)) == {
        "sedentary_min": sum(bouts),
        "sedentary_bout_max_min": max(bouts, default=0),
        "sedentary_bout_count": sum(length >= 30 for length in bouts),
    }


def test_too_little_of_a_day_tells_nothing_and_sixty_percent_do() -> None:
    evidence = evidence_of([sleep(0, 60), *(steps(minute, 0) for minute in range(863))])
    assert activity_of_day(day_of(evidence)) == steps_of_day(day_of(evidence)) == {}
    assert sedentary_of_day(day_of(evidence)) == {}
    send(evidence, [steps(863, 120)])
    assert steps_of_day(day_of(evidence)) == {"step_count": 120.0}
    assert activity_of_day(day_of(evidence))["moderate_activity_min"] == 1.0
    assert sedentary_of_day(day_of(evidence))["sedentary_min"] == 863 - 60


def test_steps_of_an_hour_need_six_minutes_of_it() -> None:
    start = DATE * 1_440
    hour = Bounds(WindowKind.HOUR, start, start + 60, DATE, "UTC")
    evidence = evidence_of(steps(minute, 10) for minute in range(-20, 5))
    assert steps_of_hour(Window(hour, evidence)) == {}
    send(evidence, [steps(30, 3)])
    assert steps_of_hour(Window(hour, evidence)) == {"step_count": 53.0}


def test_without_a_sleep_waking_cannot_be_told_from_sleeping() -> None:
    evidence = Evidence()
    send(evidence, [steps(minute, 0) for minute in DAY])
    assert sedentary_of_day(day_of(evidence)) == {}
    assert activity_of_day(day_of(evidence))["step_active_min"] == 0.0


def test_minutes_off_the_wrist_are_not_sedentary_and_end_a_bout() -> None:
    evidence = Evidence()
    send(evidence, [sleep(0, 480)])
    send(evidence, [steps(minute, 0) for minute in DAY])
    worn = [
        DeviceStatus(time=START_S + hour * 3_600.0, interval=3_600.0, on_wrist=hour != 12)
        for hour in range(24)
    ]
    send(evidence, worn)
    assert sedentary_of_day(day_of(evidence)) == {
        "sedentary_min": 900.0,
        "sedentary_bout_max_min": 660.0,
        "sedentary_bout_count": 2.0,
    }


@pytest.mark.parametrize(
    ("count", "others", "told"),
    [
        (0, [RestingHeartRate(date=LOCAL_DATE, resting_heart_rate=60.0)], None),
        (299, [], None),
        (300, [], 300.0),
        (5, [RestingHeartRate(date=LOCAL_DATE, resting_heart_rate=60.0)], 5.0),
        (5, [SleepSummary(date=LOCAL_DATE, asleep_duration=24_000.0)], 5.0),
        (5, [SleepEpisode(time=START_S + 3_600.0, duration=7_200.0)], 5.0),
        (5, [HeartRate(time=START_S + 3_600.0, heart_rate=61.0)], 5.0),
    ],
)
def test_a_handful_of_a_vendor_s_steps_is_told_where_something_says_that_it_was_worn(
    count: int, others: list[Record], told: float | None
) -> None:
    records = [ActivitySummary(date=LOCAL_DATE, steps=count), *others]
    assert steps_of_day(day_of(evidence_of(records))).get("step_count") == told


def test_a_vendors_figures_keep_names_of_their_own() -> None:
    evidence = evidence_of([ActivitySummary(date=LOCAL_DATE, steps=9_000, active_duration=5_400.0)])
    assert reported_activity(day_of(evidence)) == {"active_reported_min": 90.0}
    assert sedentary_of_day(day_of(evidence)) == {}
