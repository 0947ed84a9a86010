"""Goal: LifeSnaps becomes dated events, nothing invented. Method: a small daily table."""

import datetime as dt
from pathlib import Path

import pytest

from connectors.importers import lifesnaps
from connectors.importers.dataset import DataSet
from streams.errors import BadInput
from streams.events import (
    ActivitySummary,
    HeartRateVariability,
    MoodCheckIn,
    RestingHeartRate,
    SleepSummary,
)
from tests.connectors.importers.imported import imported, records, write_table

COLUMNS = (
    "id,date,rmssd,resting_hr,sleep_duration,minutesAsleep,minutesAwake,steps,"
    "lightly_active_minutes,moderately_active_minutes,very_active_minutes,sedentary_minutes,"
    "age,gender,ALERT,HAPPY,NEUTRAL,RESTED/RELAXED,SAD,TENSE/ANXIOUS,TIRED"
)
ROWS = [
    "ada,2021-10-31,89.6,62.07,31260000.0,445.0,76.0,8833.0,149,24,33,713,<30,FEMALE" + "," * 7,
    "ada,2021-11-01,0.0,,,,,,,,,,<30,FEMALE,0.0,1.0,0.0,0.0,1.0,0.0,0.0",
    "bea,2021-11-03,,70.5,,,,,,,,,,,,,,,,,",
]


def _load(folder: Path, *, days_max: int | None = None) -> DataSet:
    table = write_table(folder / "daily_fitbit_sema_df_unprocessed.csv", COLUMNS, ROWS)
    return lifesnaps.load(table, days_max=days_max)


def test_figures_keep_their_date_and_get_the_units_of_the_contract(tmp_path: Path) -> None:
    _, envelopes = imported(_load(tmp_path), tmp_path)
    date = dt.date(2021, 10, 31)
    assert records(envelopes, RestingHeartRate, "ada") == [
        RestingHeartRate(date=date, resting_heart_rate=62.07)
    ]
    assert records(envelopes, SleepSummary, "ada") == [
        SleepSummary(
            date=date, asleep_duration=26_700, awake_duration=4_560, in_bed_duration=31_260
        )
    ]
    assert records(envelopes, ActivitySummary, "ada") == [
        ActivitySummary(
            date=date, steps=8_833, active_duration=206 * 60, sedentary_duration=713 * 60
        )
    ]
    (rest,) = [e for e in envelopes if isinstance(e.records[0], RestingHeartRate)][:1]
    # Athens leaves summer time on that very date.
    assert rest.time_received == dt.datetime(2021, 11, 1, 6, tzinfo=dt.UTC).timestamp()


def test_what_is_not_measured_is_absent(tmp_path: Path) -> None:
    summary, envelopes = imported(_load(tmp_path), tmp_path)
    assert [r.rmssd for r in records(envelopes, HeartRateVariability, "ada")] == [89.6]
    assert sum(summary.left_out.values()) == 1
    assert summary.records == {
        "activity_summary": 1,
        "heart_rate_variability": 1,
        "mood_check_in": 1,
        "resting_heart_rate": 2,
        "sleep_summary": 1,
    }
    (mood,) = records(envelopes, MoodCheckIn, "ada")
    assert mood.items["HAPPY"] == mood.items["SAD"] == 1
    assert sum(mood.items.values()) == 2
    assert mood.score is None


def test_people_and_days_can_be_limited(tmp_path: Path) -> None:
    data = _load(tmp_path, days_max=1)
    assert {upload.user_id for upload in data.uploads} == {"ada", "bea"}
    _, envelopes = imported(_load(tmp_path, days_max=1), tmp_path)
    assert records(envelopes, MoodCheckIn, "ada") == []


def test_another_table_is_refused_by_one_line(tmp_path: Path) -> None:
    write_table(tmp_path / "other.csv", "id,date", ["ada,2021-10-31"])
    with pytest.raises(BadInput, match="no daily table of LifeSnaps"):
        lifesnaps.load(tmp_path)
    bad = [ROWS[1], ROWS[1].replace("0.0", "high", 1)]
    table = write_table(tmp_path / "bad.csv", COLUMNS, bad)
    with pytest.raises(BadInput, match=r"bad.csv, row 3: a value") as caught:
        lifesnaps.load(table)
    assert "high" not in str(caught.value)
