"""Goal: a night's figures are those of its minutes. Method: nights made up minute by minute,
counted in plain Python; vendors that tell less; naps at random; a night of a changed clock."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events import Record, SleepEpisode, SleepLevel, SleepStage, SleepSummary
from streams.features.base import Values
from tests.streams.features.hypnograms import (
    ASLEEP,
    AWAKE,
    BED_S,
    KNOWN,
    Hypnogram,
    hypnograms,
    sleeping,
    stages,
)
from tests.streams.features.worlds import DATE, add, clock_s, evidence_of, night

SUMMED = {
    "sleep_duration_min",
    "time_in_bed_min",
    "sleep_efficiency_percent",
    "wake_after_sleep_onset_min",
}
TIMED = {"sleep_onset_min", "sleep_offset_min", "sleep_midpoint_min", "nap_count", "nap_min"}


def counted(levels: Hypnogram) -> Values:
    """What the minutes of a night say, in plain Python."""
    first, last = sleeping(levels)
    asleep = sum(level in ASLEEP for level in levels)
    values = {
        "sleep_duration_min": asleep,
        "time_in_bed_min": len(levels),
        "sleep_efficiency_percent": 100 * asleep / len(levels),
        "wake_after_sleep_onset_min": sum(level in AWAKE for level in levels[first:last]),
        "sleep_onset_min": -90 + first,
        "sleep_offset_min": -90 + last,
        "sleep_midpoint_min": -90 + (first + last) / 2,
        "nap_count": 0,
        "nap_min": 0,
    }
    if first:
        values["sleep_latency_min"] = first
    return values


@settings(max_examples=100, deadline=None)
@given(levels=hypnograms(KNOWN), has_episode=st.booleans())
def test_figures_of_a_staged_night_are_those_of_its_minutes(
    levels: Hypnogram, *, has_episode: bool
) -> None:
    evidence = evidence_of(*stages(levels))
    if has_episode:
        # A vendor's own totals do not go before its stages.
        add(evidence, SleepEpisode(time=BED_S, duration=len(levels) * 60.0, awake_duration=60.0))
    found = night(evidence)
    expected = counted(levels)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert ("sleep_latency_min" in found) == ("sleep_latency_min" in expected)


@pytest.mark.parametrize(
    ("told", "asleep", "awake"),
    [
        ({}, 480, None),
        ({"asleep_duration": 420 * 60.0}, 420, 60),
        ({"awake_duration": 50 * 60.0}, 430, 50),
        ({"asleep_duration": 400 * 60.0, "awake_duration": 45 * 60.0}, 400, 45),
        ({"asleep_duration": 500 * 60.0}, 500, 0),
    ],
)
def test_an_episode_without_stages_tells_what_its_vendor_does(
    told: dict[str, Any], asleep: float, awake: float | None
) -> None:
    found = night(evidence_of(SleepEpisode(time=BED_S, duration=480 * 60.0, **told)))
    expected = {
        "sleep_duration_min": asleep,
        "time_in_bed_min": 480,
        "sleep_efficiency_percent": min(asleep / 4.8, 100),
        "sleep_onset_min": -90,
        "sleep_offset_min": 390,
        "sleep_midpoint_min": 150,
        "nap_count": 0,
        "nap_min": 0,
    }
    if awake is not None:
        expected["wake_after_sleep_onset_min"] = awake
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"asleep_duration": 400 * 60.0}, (400, None, None)),
        ({"asleep_duration": 400 * 60.0, "awake_duration": 40 * 60.0}, (400, 440, 40)),
        ({"asleep_duration": 400 * 60.0, "in_bed_duration": 500 * 60.0}, (400, 500, 100)),
        ({"asleep_duration": 0.0, "in_bed_duration": 500 * 60.0}, (None, None, None)),
        ({"in_bed_duration": 500 * 60.0}, (None, None, None)),
    ],
)
def test_a_daily_summary_tells_sums_and_no_times(
    told: dict[str, Any], expected: tuple[float | None, ...]
) -> None:
    found = night(evidence_of(SleepSummary(date=DATE, **told)))
    names = ("sleep_duration_min", "time_in_bed_min", "wake_after_sleep_onset_min")
    assert tuple(found.get(name) for name in names) == expected
    assert found.keys() <= SUMMED


def test_a_summary_adds_to_an_episode_only_what_that_lacks() -> None:
    summary = SleepSummary(date=DATE, asleep_duration=400 * 60.0, awake_duration=40 * 60.0)
    found = night(evidence_of(SleepEpisode(time=BED_S, duration=480 * 60.0), summary))
    assert found["sleep_duration_min"] == 480
    assert found["wake_after_sleep_onset_min"] == 40
    assert found.keys() == SUMMED | TIMED


@settings(max_examples=50, deadline=None)
@given(
    slots=st.lists(
        st.tuples(st.integers(0, 23), st.integers(1, 59), st.integers(0, 59)),
        min_size=1,
        max_size=6,
        unique_by=lambda slot: slot[0],
    ),
    flagged=st.booleans(),
)
def test_sleeps_beside_the_main_one_are_naps(
    slots: list[tuple[int, int, int]], *, flagged: bool
) -> None:
    episodes = [
        SleepEpisode(
            time=clock_s("12:00", days=-1) + hour * 3_600.0,
            duration=minutes * 60.0,
            awake_duration=min(awake, minutes) * 60.0,
            is_main_sleep=number == 0 if flagged else None,
        )
        for number, (hour, minutes, awake) in enumerate(slots)
    ]
    lengths = [(minutes, hour) for hour, minutes, _ in slots]
    main = 0 if flagged else lengths.index(max(lengths))
    others = [slot for number, slot in enumerate(slots) if number != main]
    found = night(evidence_of(*episodes))
    assert found["time_in_bed_min"] == slots[main][1]
    assert found["nap_count"] == len(others)
    assert found["nap_min"] == sum(minutes - min(awake, minutes) for _, minutes, awake in others)


@pytest.mark.parametrize("records", [[], [SleepSummary(date=DATE, asleep_duration=24_000.0)]])
def test_naps_are_told_only_where_sleeps_are(records: list[Record]) -> None:
    assert not {"nap_count", "nap_min"} & night(evidence_of(*records)).keys()


def test_clock_times_are_those_on_the_wall_when_the_clock_goes_forward() -> None:
    # 31 March 2024 in Rome: from 23:00 to 07:00 on the wall are seven hours.
    start_s = dt.datetime(2024, 3, 30, 22, tzinfo=dt.UTC).timestamp()
    found = night(
        evidence_of(SleepEpisode(time=start_s, duration=7 * 3_600.0)),
        dt.date(2024, 3, 31),
        "Europe/Rome",
    )
    assert found["time_in_bed_min"] == 420
    assert (found["sleep_onset_min"], found["sleep_offset_min"]) == (-60, 420)


@pytest.mark.parametrize(("gap_s", "naps"), [(3_600.0, 0), (3_601.0, 1)])
def test_stages_more_than_an_hour_apart_are_of_different_sleeps(gap_s: float, naps: int) -> None:
    first = SleepStage(time=BED_S, duration=14_400.0, level=SleepLevel.LIGHT)
    second = SleepStage(time=BED_S + 14_400.0 + gap_s, duration=3_600.0, level=SleepLevel.LIGHT)
    found = night(evidence_of(first, second))
    assert found["nap_count"] == naps
    assert found["time_in_bed_min"] == (240.0 if naps else 360.0)


@pytest.mark.parametrize(("end", "date"), [("12:00", DATE), ("12:01", DATE + dt.timedelta(days=1))])
def test_a_sleep_that_ends_at_noon_is_of_the_night_before(end: str, date: dt.date) -> None:
    evidence = evidence_of(
        SleepEpisode(time=clock_s("09:00"), duration=clock_s(end) - clock_s("09:00"))
    )
    nights = [DATE, DATE + dt.timedelta(days=1)]
    assert [one for one in nights if "nap_count" in night(evidence, one)] == [date]
