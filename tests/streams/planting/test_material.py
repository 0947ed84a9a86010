"""Goal: records belong to the right local date; method: instants at both sides of an edge."""

import datetime as dt

import pytest

from streams.decoding import decode
from streams.events import (
    ActivitySummary,
    Envelope,
    HeartRate,
    HeartRateVariability,
    Record,
    SleepEpisode,
)
from streams.localtime import date_index
from streams.planting.changes import Signal
from streams.planting.material import Clock, Material, date_of
from tests.streams.planting.persons import DATE, ZONE, at, envelope

DAY = date_index(DATE)
CLOCK = Clock(ZONE, 720)


@pytest.mark.parametrize(
    ("record", "offset", "date"),
    [
        (HeartRate(time=at(0.1), heart_rate=60.0), None, DAY),
        (HeartRate(time=at(-0.1), heart_rate=60.0), None, DAY - 1),
        (HeartRate(time=at(-0.1), heart_rate=60.0), 3 * 3_600, DAY),
        (SleepEpisode(time=at(-1), duration=8 * 3_600.0), None, DAY),
        (SleepEpisode(time=at(4), duration=8 * 3_600.0), None, DAY),
        (SleepEpisode(time=at(4), duration=8 * 3_600.0 + 1.0), None, DAY + 1),
        (ActivitySummary(date=DATE, steps=1), None, DAY),
        (HeartRateVariability(time=at(3), duration=60.0, rmssd=20.0), None, DAY),
        (HeartRateVariability(date=DATE, rmssd=20.0), None, DAY),
    ],
)
def test_instants_belong_to_their_local_date_and_sleep_to_the_night_of_its_end(
    record: Record, offset: int | None, date: int
) -> None:
    assert date_of(record, CLOCK, offset) == date


def test_a_date_is_valid_with_half_of_the_signals_that_the_person_has() -> None:
    material = Material(CLOCK)
    days = [DATE + dt.timedelta(days=day) for day in range(3)]
    values = [
        envelope([ActivitySummary(date=date, steps=1) for date in days]),
        envelope([HeartRateVariability(date=days[0], rmssd=20.0)]),
        envelope([HeartRateVariability(date=days[2], sdnn=20.0)]),
        envelope([SleepEpisode(time=at(-1, days[0]), duration=3_600.0)]),
    ]
    for schema, value in zip(
        ("activity_summary/1", *["heart_rate_variability/1"] * 2, "sleep_episode/1"),
        values,
        strict=True,
    ):
        decoded = decode(value)
        assert isinstance(decoded, Envelope)
        material.add(schema, decoded)
    both = (Signal.STEPS, Signal.VARIABILITY)
    assert material.valid_dates(both) == {DAY, DAY + 1, DAY + 2}
    assert material.valid_dates((*both, Signal.SLEEP, Signal.PHONE)) == {DAY}
    assert material.valid_dates((Signal.PHONE,)) == set()
