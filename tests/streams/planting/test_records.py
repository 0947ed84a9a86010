"""Goal: signals change by the asked for size inside the dates and nowhere else.

Method: measure the changed payloads with NumPy, and compare all others byte by byte.
"""

import datetime as dt
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from streams.events import (
    ActivitySummary,
    HeartRate,
    HeartRateVariability,
    InteractionState,
    InterBeatInterval,
    PhoneInteraction,
    PhoneUsageSummary,
    Record,
    RestingHeartRate,
    SleepEpisode,
    SleepLevel,
    SleepStage,
    SleepSummary,
    Steps,
)
from streams.planting.changes import CHANGES, Effect
from streams.planting.records import planted
from tests.streams.planting.persons import DATE, at, envelope, planned, records_of

COMPOUND = CHANGES["compound"].effect
EVERYTHING = Effect(
    heart_rate_bpm=5.0,
    rmssd_percent=-20.0,
    sleep_min=-45.0,
    sleep_shift_min=90.0,
    steps_percent=-40.0,
    phone_percent=-60.0,
)


def _planted(effect: Effect, value: bytes) -> list[Record]:
    return records_of(planted(value, planned(effect, value)))


def test_beats_get_the_asked_for_rmssd_and_mean_rate() -> None:
    generator = np.random.default_rng(1)
    slow = 0.9 + 0.08 * np.sin(np.arange(3_000) / 400.0)
    intervals = np.round(slow + generator.normal(0.0, 0.03, 3_000), 3)
    times = at(2) + np.cumsum(intervals)
    beats = [
        InterBeatInterval(time=float(time), inter_beat_interval=float(interval))
        for time, interval in zip(times, intervals, strict=True)
    ]
    changed = np.array(
        [each.inter_beat_interval for each in _planted(COMPOUND, envelope(beats))]  # type: ignore[attr-defined]
    )
    rmssd = [float(np.sqrt(np.mean(np.diff(each) ** 2))) for each in (intervals, changed)]
    assert rmssd[1] / rmssd[0] == pytest.approx(0.85, abs=0.005)
    rates = [60.0 / float(each.mean()) for each in (intervals, changed)]
    assert rates[1] - rates[0] == pytest.approx(3.0, abs=0.05)


def test_daily_figures_change_by_their_size() -> None:
    cases: list[tuple[Record, Record]] = [
        (
            RestingHeartRate(date=DATE, resting_heart_rate=61.5),
            RestingHeartRate(date=DATE, resting_heart_rate=64.5),
        ),
        (
            HeartRateVariability(date=DATE, rmssd=40.0, sdnn=50.0),
            HeartRateVariability(date=DATE, rmssd=34.0, sdnn=50.0),
        ),
        (
            SleepSummary(
                date=DATE, asleep_duration=24_000, in_bed_duration=27_000, deep_duration=6_000
            ),
            SleepSummary(
                date=DATE, asleep_duration=20_400, in_bed_duration=23_400, deep_duration=5_100
            ),
        ),
        (
            ActivitySummary(
                date=DATE, steps=9_001, active_duration=6_000, sedentary_duration=40_000
            ),
            ActivitySummary(
                date=DATE, steps=6_301, active_duration=4_200, sedentary_duration=41_800
            ),
        ),
    ]
    for before, after in cases:
        (changed,) = _planted(COMPOUND, envelope([before]))
        assert asdict(changed) == pytest.approx(asdict(after))


def test_sleep_ends_earlier_and_its_stages_with_it() -> None:
    stages = [
        SleepStage(time=at(-1 + hour), duration=3_600.0, level=level)
        for hour, level in enumerate((SleepLevel.LIGHT, SleepLevel.DEEP) * 4)
    ]
    episode = SleepEpisode(
        time=at(-1), duration=8 * 3_600.0, asleep_duration=8 * 3_600.0, is_main_sleep=True
    )
    values = envelope([episode]), envelope(stages)
    plan = planned(Effect(sleep_min=-90.0), *values)
    (shorter,) = records_of(planted(values[0], plan))
    assert shorter == msgspec.structs.replace(
        episode, duration=6.5 * 3_600.0, asleep_duration=6.5 * 3_600.0
    )
    left = records_of(planted(values[1], plan))
    assert left[:6] == stages[:6]
    assert left[6:] == [msgspec.structs.replace(stages[6], duration=1_800.0)]


def test_later_sleep_moves_with_its_stages_and_is_never_ahead_of_its_upload() -> None:
    nap = SleepEpisode(time=at(9), duration=3_600.0)
    episode = SleepEpisode(time=at(-1), duration=8 * 3_600.0)
    stage = SleepStage(time=at(6), duration=3_600.0, level=SleepLevel.REM)
    values = envelope([nap, episode]), envelope([stage], received=at(7.1))
    plan = planned(CHANGES["later_sleep"].effect, *values)
    assert records_of(planted(values[0], plan)) == [
        nap,
        msgspec.structs.replace(episode, time=at(1)),
    ]
    (moved,) = records_of(planted(values[1], plan))
    assert moved == msgspec.structs.replace(stage, time=at(8))


def test_steps_sum_to_the_asked_for_share() -> None:
    steps = [Steps(time=at(8 + n / 60), duration=60.0, steps=n % 7) for n in range(600)]
    changed = _planted(Effect(steps_percent=-30.0), envelope(steps))
    total = sum(each.steps for each in steps)
    assert sum(each.steps for each in changed) == round(0.7 * total)  # type: ignore[attr-defined]


def test_an_envelope_without_a_record_left_is_left_out() -> None:
    use = [
        PhoneInteraction(time=at(9), interaction_state=InteractionState.SCREEN_ON),
        PhoneInteraction(time=at(9.1), interaction_state=InteractionState.STANDBY),
    ]
    value = envelope(use)
    assert planted(value, planned(Effect(phone_percent=-100.0), value)) is None


def test_values_stay_within_the_contract() -> None:
    rates = [HeartRate(time=at(9), heart_rate=299.0), HeartRate(time=at(10), heart_rate=60.0)]
    assert [each.heart_rate for each in _planted(COMPOUND, envelope(rates))] == [300.0, 63.0]  # type: ignore[attr-defined]
    summary = PhoneUsageSummary(time=at(0), duration=600.0, unlocks=3, unlock_duration=590.0)
    (more,) = _planted(Effect(phone_percent=40.0), envelope([summary]))
    assert more == msgspec.structs.replace(summary, unlocks=4, unlock_duration=600.0)


def test_fields_and_records_that_the_contract_does_not_know_stay() -> None:
    value = envelope([HeartRate(time=at(9), heart_rate=60.0)])
    raw = msgspec.json.decode(value)
    raw["firmware"] = "7"
    raw["records"] = [
        None,
        {**raw["records"][0], "quality": 3},
        {"time": at(9), "heartRate": 900.0},
    ]
    changed = planted(msgspec.json.encode(raw), planned(COMPOUND, value))
    assert changed is not None
    got = msgspec.json.decode(changed)
    assert got == raw | {
        "records": [None, raw["records"][1] | {"heartRate": 63.0}, raw["records"][2]]
    }


INSTANTS = st.floats(min_value=-40.0, max_value=60.0)
MAKERS: list[Callable[[float], Record]] = [
    lambda hour: HeartRate(time=at(hour), heart_rate=70.0),
    lambda hour: Steps(time=at(hour), duration=60.0, steps=50),
    lambda hour: InterBeatInterval(time=at(hour), inter_beat_interval=0.8),
    lambda hour: SleepEpisode(time=at(hour), duration=7_200.0),
    lambda hour: PhoneInteraction(time=at(hour), interaction_state=InteractionState.STANDBY),
    lambda hour: ActivitySummary(date=DATE + dt.timedelta(days=int(hour // 24)), steps=500),
]


@given(st.sampled_from(MAKERS), st.lists(INSTANTS, min_size=1, max_size=20))
def test_records_of_other_dates_stay_byte_for_byte(
    make: Callable[[float], Record], hours: list[float]
) -> None:
    outside = [hour for hour in hours if not -14.0 <= hour < 24.0] or [30.0]
    value = envelope([make(hour) for hour in outside], received=at(72))
    assert planted(value, planned(EVERYTHING, value)) is value
    mixed = envelope([make(hour) for hour in (*outside, 6.0)], received=at(72))
    after = records_of(planted(mixed, planned(EVERYTHING, mixed)))
    assert after[: len(outside)] == [make(hour) for hour in outside]
