"""Goal: local days and nights are where people live them. Method: whole logs through the pipeline,
settled rows against instants computed by hand."""

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.config import PipelineConfig
from streams.events import (
    DeviceStatus,
    FeatureRow,
    HeartRate,
    SleepEpisode,
    WindowKind,
)
from streams.evidence import Evidence
from streams.timeline import places_of
from streams.windows import Frontier, Windows
from tests.logs import HOUR_S, LogWriter, run, subject

FIRST_HOUR = 472_000
CONFIG = PipelineConfig(partitions=1, lateness_s=24 * HOUR_S)


def utc(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def rows_of(writer: LogWriter, kind: WindowKind) -> dict[str, FeatureRow]:
    outputs = run(writer.logs, CONFIG, None)
    found = [o for o in outputs if isinstance(o, FeatureRow) and o.settled and o.window is kind]
    return {row.local_date.isoformat(): row for row in found}


def enrolled(zone: str, since: str, **changes: Any) -> LogWriter:
    writer = LogWriter()
    writer.send(subject(time_zone=zone, **changes), received=utc(since))
    writer.tick(utc(since))
    return writer


def bounds(row: FeatureRow) -> tuple[float, float]:
    return row.start, row.end


def sleep(writer: LogWriter, start: str, end: str, *, is_main: bool | None = None) -> None:
    duration = utc(end) - utc(start)
    episode = SleepEpisode(time=utc(start), duration=duration, is_main_sleep=is_main)
    writer.tick(utc(end))
    writer.send(episode, received=utc(end) + 60)


def test_a_day_is_23_hours_long_when_the_clock_goes_forward() -> None:
    writer = enrolled("Europe/Rome", "2024-03-29T00:00")
    writer.settle_everything(utc("2024-04-01T12:00"), CONFIG.lateness_s)
    day = rows_of(writer, WindowKind.DAY)["2024-03-31"]
    assert bounds(day) == (utc("2024-03-30T23:00"), utc("2024-03-31T22:00"))


def test_a_day_is_25_hours_long_when_the_clock_goes_back() -> None:
    writer = enrolled("Europe/Rome", "2023-10-27T00:00")
    writer.settle_everything(utc("2023-10-30T12:00"), CONFIG.lateness_s)
    day = rows_of(writer, WindowKind.DAY)["2023-10-29"]
    assert bounds(day) == (utc("2023-10-28T22:00"), utc("2023-10-29T23:00"))


def test_sleep_over_a_changed_clock_keeps_its_length_and_both_clock_times() -> None:
    writer = enrolled("Europe/Rome", "2024-03-29T00:00")
    sleep(writer, "2024-03-30T22:00", "2024-03-31T05:00")  # 23:00 to 07:00 on the wall
    writer.settle_everything(utc("2024-03-31T12:00"), CONFIG.lateness_s)
    night = rows_of(writer, WindowKind.NIGHT)["2024-03-31"]
    assert night.values["sleep_duration_min"] == 7 * 60
    assert night.values["sleep_onset_min"] == -60
    assert night.values["sleep_offset_min"] == 7 * 60


def test_a_flight_over_eight_zones_makes_a_long_day_and_back_a_short_one() -> None:
    writer = enrolled("Europe/London", "2024-01-09T00:00")
    for hour in range(13 * 24):
        now = utc("2024-01-09T00:00") + hour * HOUR_S
        writer.tick(now)
        in_los_angeles = utc("2024-01-10T23:00") <= now < utc("2024-01-12T18:00")
        flies = utc("2024-01-10T12:00") < now < utc("2024-01-10T23:00") or (
            utc("2024-01-12T18:00") <= now < utc("2024-01-13T04:00")
        )
        if not flies and now < utc("2024-01-15T00:00"):
            offset = -28_800 if in_los_angeles else 0
            writer.send(HeartRate(time=now, heart_rate=60), received=now + 60, utc_offset=offset)
    days = rows_of(writer, WindowKind.DAY)
    # Landed at 15:00 local; midnight of the 11th comes 8 h later than in London.
    assert bounds(days["2024-01-10"]) == (utc("2024-01-10T00:00"), utc("2024-01-11T08:00"))
    assert bounds(days["2024-01-11"]) == (utc("2024-01-11T08:00"), utc("2024-01-12T08:00"))
    # The first word after landing came at 04:00, when the 13th had begun in London already.
    assert bounds(days["2024-01-12"]) == (utc("2024-01-12T08:00"), utc("2024-01-13T04:01"))
    assert bounds(days["2024-01-13"]) == (utc("2024-01-13T04:01"), utc("2024-01-14T00:00"))


def test_a_night_over_the_end_of_a_month_carries_the_morning_s_date() -> None:
    writer = enrolled("Europe/Rome", "2024-01-30T00:00")
    sleep(writer, "2024-01-31T22:30", "2024-02-01T06:00")
    writer.settle_everything(utc("2024-02-01T12:00"), CONFIG.lateness_s)
    night = rows_of(writer, WindowKind.NIGHT)["2024-02-01"]
    assert bounds(night) == (utc("2024-01-31T11:00"), utc("2024-02-01T11:00"))
    assert night.values == {
        "sleep_duration_min": 450,
        "time_in_bed_min": 450,
        "sleep_onset_min": -30,
        "sleep_offset_min": 420,
        "sleep_midpoint_min": 195,
        "sleep_efficiency_percent": 100,
        "nap_count": 0,
        "nap_min": 0,
    }


def test_a_day_sleeper_with_a_moved_day_start_has_one_night_per_sleep() -> None:
    writer = enrolled("Europe/Rome", "2024-02-03T00:00", day_start="20:00")
    sleep(writer, "2024-02-05T07:00", "2024-02-05T14:00")  # 08:00 to 15:00 on the wall
    writer.settle_everything(utc("2024-02-06T12:00"), CONFIG.lateness_s)
    nights = rows_of(writer, WindowKind.NIGHT)
    assert bounds(nights["2024-02-05"]) == (utc("2024-02-04T19:00"), utc("2024-02-05T19:00"))
    assert nights["2024-02-05"].values["sleep_onset_min"] == 8 * 60
    assert nights["2024-02-05"].values["sleep_offset_min"] == 15 * 60
    assert "sleep_duration_min" not in nights["2024-02-06"].values


def test_two_naps_do_not_become_the_night() -> None:
    writer = enrolled("Europe/Rome", "2024-02-03T00:00")
    sleep(writer, "2024-02-05T12:00", "2024-02-05T13:00")
    sleep(writer, "2024-02-05T15:00", "2024-02-05T15:30")
    sleep(writer, "2024-02-05T22:00", "2024-02-06T05:00")
    writer.settle_everything(utc("2024-02-06T12:00"), CONFIG.lateness_s)
    night = rows_of(writer, WindowKind.NIGHT)["2024-02-06"]
    assert night.values["sleep_duration_min"] == 420
    assert night.values["sleep_onset_min"] == -60


def test_the_vendor_s_flag_decides_which_sleep_is_the_main_one() -> None:
    writer = enrolled("Europe/Rome", "2024-02-03T00:00")
    sleep(writer, "2024-02-05T13:00", "2024-02-05T19:00", is_main=False)
    sleep(writer, "2024-02-06T00:00", "2024-02-06T04:00", is_main=True)
    writer.settle_everything(utc("2024-02-06T12:00"), CONFIG.lateness_s)
    night = rows_of(writer, WindowKind.NIGHT)["2024-02-06"]
    assert night.values["sleep_duration_min"] == 240


def test_silent_hours_have_rows_for_a_week_and_days_for_ever() -> None:
    writer = enrolled("Europe/Rome", "2024-02-01T00:00")
    writer.tick(utc("2024-02-01T10:00"))
    writer.send(DeviceStatus(time=utc("2024-02-01T10:30")), received=utc("2024-02-01T10:31"))
    writer.settle_everything(utc("2024-02-20T12:00"), CONFIG.lateness_s)
    outputs = run(writer.logs, CONFIG, None)
    settled = [o for o in outputs if isinstance(o, FeatureRow) and o.settled]
    hours = [row for row in settled if row.window is WindowKind.HOUR]
    assert (hours[0].start, len(hours)) == (utc("2024-02-01T10:00"), 7 * 24 + 1)
    assert [row.values["silence_h"] for row in hours[:3]] == [0, 1, 2]
    days = [row for row in settled if row.window is WindowKind.DAY]
    assert days[-1].local_date >= dt.date(2024, 2, 20)
    assert days[-1].values["silence_h"] == (days[-1].end - utc("2024-02-01T11:00")) / 3_600


@given(
    active=st.sets(st.integers(0, 900), max_size=8),
    settled=st.none() | st.integers(0, 900),
    stop=st.integers(0, 1_000),
)
def test_hours_with_a_row_are_found_together_as_one_by_one(
    active: set[int], settled: int | None, stop: int
) -> None:
    evidence = Evidence()
    for hour in active:
        evidence.active_hours.add(FIRST_HOUR + hour, FIRST_HOUR + hour + 1)
    frontier = Frontier(hour=None if settled is None else FIRST_HOUR + settled)
    windows, person = Windows(evidence, 0.0, frontier), subject()
    expected = []
    bounds = windows.next_hour(frontier.hour, person)
    while bounds is not None and bounds.start // 60 < FIRST_HOUR + stop:
        expected.append(bounds)
        bounds = windows.next_hour(bounds.stop // 60, person)
    first, hours = windows.unsettled_hours(FIRST_HOUR + stop)
    assert [windows.hour(first + place, person) for place in places_of(hours)] == expected
