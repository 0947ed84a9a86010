"""Goal: stages are told where a device tells them, and never made up. Method: nights made up minute
by minute, counted in plain Python; devices that know fewer levels."""

from itertools import groupby

import pytest
from hypothesis import given, settings

from streams.events import SleepEpisode, SleepLevel, SleepStage, SleepSummary
from tests.streams.features.hypnograms import (
    AWAKE,
    BED_S,
    Hypnogram,
    hypnograms,
    sleeping,
    stages,
)
from tests.streams.features.worlds import DATE, evidence_of, night

NAMES = {
    "sleep_deep_min": SleepLevel.DEEP,
    "sleep_light_min": SleepLevel.LIGHT,
    "sleep_rem_min": SleepLevel.REM,
}
FOUR_LEVELS = [SleepLevel.AWAKE, *NAMES.values()]
SUMMARY = SleepSummary(date=DATE, asleep_duration=24_000.0, deep_duration=3_600.0, rem_duration=0.0)


def told(*records: SleepStage | SleepEpisode | SleepSummary) -> dict[str, float]:
    values = night(evidence_of(*records))
    return {name: values[name] for name in NAMES if name in values}


@settings(max_examples=100, deadline=None)
@given(levels=hypnograms(FOUR_LEVELS))
def test_minutes_in_stages_and_awakenings_are_those_of_the_minutes(levels: Hypnogram) -> None:
    present = set(levels)
    expected = {
        name: float(levels.count(level))
        for name, level in NAMES.items()
        if level in present or SleepLevel.REM in present
    }
    assert told(*stages(levels)) == expected
    first, last = sleeping(levels)
    runs = groupby(levels[first:last], key=AWAKE.__contains__)
    awakenings = sum(is_awake for is_awake, _ in runs)
    assert night(evidence_of(*stages(levels)))["awakening_count"] == awakenings


def test_a_device_that_knows_only_asleep_and_restless_tells_no_stages() -> None:
    levels = [SleepLevel.ASLEEP] * 200 + [SleepLevel.RESTLESS] * 10 + [SleepLevel.ASLEEP] * 200
    assert told(*stages(levels)) == {}
    assert night(evidence_of(*stages(levels)))["awakening_count"] == 1


@pytest.mark.parametrize(("covered_min", "deep_min"), [(384, 384.0), (383, 60.0)])
def test_stages_of_less_than_four_fifths_of_a_sleep_leave_it_to_the_summary(
    covered_min: int, deep_min: float
) -> None:
    episode = SleepEpisode(time=BED_S, duration=480 * 60.0)
    found = told(*stages([SleepLevel.DEEP] * covered_min), episode, SUMMARY)
    assert found["sleep_deep_min"] == deep_min


def test_a_summary_tells_the_stages_that_it_has() -> None:
    assert told(SUMMARY) == {"sleep_deep_min": 60.0, "sleep_rem_min": 0.0}
    empty = SleepSummary(date=DATE, asleep_duration=0.0, deep_duration=0.0)
    assert told(empty) == {}
