"""Goal: a table's cells become the rows they stand for; method: small tables by hand."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.events import Alert, Anomaly, FeatureRow, WindowKind
from streams.tables import detect, line_of, settled_rows, table_map

MAP = b"""
user = "id"
date = "day"
time_zone = "Europe/Athens"
[night.sleep_duration_min]
column = "asleep_h"
scale = 60.0
offset = 5.0
min = 60.0
[night.sleep_efficiency_percent]
column = "asleep_h"
per = "bed_h"
scale = 100.0
[day.active_reported_min]
sum = ["light", "hard"]
"""
MAPPED = table_map(MAP)


def _rows(*lines: tuple[str, str, str, str, str, str]) -> list[FeatureRow]:
    names = ("id", "day", "asleep_h", "bed_h", "light", "hard")
    cells = [dict(zip(names, line, strict=True)) for line in lines]
    return list(settled_rows((line_of(each, MAPPED) for each in cells), MAPPED))


def test_cells_are_summed_divided_scaled_and_bounded() -> None:
    night, day = _rows(("a", "2024-01-02", "7.5", "8", "30", "12.5"))
    assert night.values == {"sleep_duration_min": 455.0, "sleep_efficiency_percent": 93.75}
    assert day.values == {"active_reported_min": 42.5}
    night, day = _rows(("a", "2024-01-02T00:00:00", "0.5", "0", "", "12"))
    assert (night.values, day.values) == ({}, {"active_reported_min": 12.0})
    night, day = _rows(("a", "2024-01-02", "nan", "inf", "", ""))
    assert (night.values, day.values) == ({}, {})


def test_rows_follow_one_another_person_by_person_and_gaps_are_rows_without_values() -> None:
    rows = _rows(
        ("b", "2024-01-01", "7", "8", "1", "1"),
        ("a", "2024-01-04", "7", "8", "1", "1"),
        ("a", "2024-01-02", "6", "8", "1", "1"),
    )
    told = [(row.user_id, row.local_date.day, row.window.value, bool(row.values)) for row in rows]
    dates = [("a", 2, True), ("a", 3, False), ("a", 4, True), ("b", 1, True)]
    assert told == [
        (user, date, window, has) for user, date, has in dates for window in ("night", "day")
    ]


@pytest.mark.parametrize(("date", "hours"), [("2024-03-31", 23), ("2024-10-27", 25)])
def test_nights_and_days_are_those_of_the_local_clock(date: str, hours: int) -> None:
    night, day = _rows(("a", date, "7", "8", "1", "1"))
    zone = ZoneInfo("Europe/Athens")
    midnight = dt.datetime.fromisoformat(date).replace(tzinfo=zone)
    assert day.start == midnight.timestamp()
    assert (day.end - day.start) / 3_600.0 == hours
    assert night.end == midnight.replace(hour=12).timestamp()
    assert night.utc_offset == 3_600 * (3 if hours == 23 else 2)


def test_rows_are_scored_learned_and_alerted_on_per_person() -> None:
    lines = [
        (user, f"2024-01-{day:02}", "4.0" if day > 27 else f"{7 + day % 3 / 10}", "8", "1", "1")
        for user in ("a", "b")
        for day in range(1, 31)
    ]
    outputs = [
        each for row in detect(_rows(*lines), PipelineConfig(), load_cohort()) for each in row
    ]
    rows = [each for each in outputs if isinstance(each, FeatureRow)]
    alerts = [each for each in outputs if isinstance(each, Alert)]
    scores = {
        user: [
            (each.local_date, each.feature, each.score)
            for each in outputs
            if isinstance(each, Anomaly) and each.user_id == user
        ]
        for user in ("a", "b")
    }
    assert len(rows) == 120
    assert {alert.user_id for alert in alerts} == {"a", "b"}
    assert {alert.window for alert in alerts} == {WindowKind.NIGHT}
    assert min(alert.local_date for alert in alerts) >= dt.date(2024, 1, 28)
    assert scores["a"] == scores["b"]


@pytest.mark.parametrize(
    "text",
    [
        b'user = "id"\ndate = "day"\n',
        b'user = "id"\ndate = "day"\n[day.step_count]\nscale = 2.0\n',
        b'user = "id"\ndate = "day"\n[day.step_count]\ncolumn = "a"\nsum = ["b"]\n',
        b'user = "id"\ndate = "day"\ntime_zone = "Mars/Base"\n[day.step_count]\ncolumn = "a"\n',
        b'user = "id"\ndate = "day"\n[hour.step_count]\ncolumn = "a"\n',
        b'user = "id"\ndate = "day"\n[day.sleep_duration_min]\ncolumn = "a"\n',
        b"user = ",
    ],
)
def test_a_map_that_does_not_fit_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        table_map(text)
