"""LifeSnaps' daily figures of 71 people as settled feature rows, and the shipped cohort's fit.

``python -m tests.detectors.lifesnaps OUT`` fits the cohort again from these rows and writes it.
"""

import csv
import datetime as dt
import gzip
import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from detectors.cohort import Cohort, load_cohort
from detectors.fitting import Fit, fit_cohort
from streams.events import FeatureRow, SubjectStatus, WindowKind

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("WAKELINE_SHARED_DATA", ROOT.parent / "shared" / "data"))
TABLE = SHARED / "lifesnaps_daily" / "daily_fitbit_sema_df_unprocessed.csv.gz"

VERSION = "lifesnaps-2"
SOURCE = "LifeSnaps, Zenodo doi 10.5281/zenodo.6826682 (CC BY 4.0), daily figures of 71 people"

DAY_S = 86_400.0


def feature_rows() -> Iterator[FeatureRow]:
    """Nights and days of each person, in order of end; local time is taken as UTC."""
    with gzip.open(TABLE, "rt", encoding="utf-8", newline="") as file:
        lines = sorted(csv.DictReader(file), key=lambda line: (line["id"], line["date"]))
    for line in lines:
        midnight = dt.datetime.fromisoformat(line["date"]).replace(tzinfo=dt.UTC).timestamp()
        night = _night(line)
        if night:
            yield _row(line, WindowKind.NIGHT, midnight - DAY_S / 2.0, night)
        day = _day(line)
        if day:
            yield _row(line, WindowKind.DAY, midnight, day)


def resting_heart_rates() -> Iterator[list[tuple[int, float]]]:
    """Each person's resting heart rates, bpm, with the number of the date."""
    days = (row for row in feature_rows() if "heart_rate_resting_bpm" in row.values)
    for _, rows in groupby(days, key=lambda row: row.user_id):
        yield [(row.local_date.toordinal(), row.values["heart_rate_resting_bpm"]) for row in rows]


def fit() -> Cohort:
    """The cohort that ships with the package."""
    return fit_cohort(feature_rows(), load_cohort(), Fit(version=VERSION, source=SOURCE))


def _night(line: dict[str, str]) -> dict[str, float]:
    asleep, awake = _number(line, "minutesAsleep"), _number(line, "minutesAwake")
    if not asleep or awake is None:
        return {}
    return {
        "sleep_duration_min": asleep,
        "sleep_efficiency_percent": 100.0 * asleep / (asleep + awake),
    }


def _day(line: dict[str, str]) -> dict[str, float]:
    values = {
        "heart_rate_resting_bpm": _number(line, "resting_hr"),
        "rmssd_ms": _number(line, "rmssd"),
        "step_count": _number(line, "steps"),
    }
    return {name: value for name, value in values.items() if value}


def _number(line: dict[str, str], column: str) -> float | None:
    text = line[column]
    return float(text) if text not in {"", "nan"} else None


def _row(
    line: dict[str, str], window: WindowKind, start: float, values: dict[str, float]
) -> FeatureRow:
    return FeatureRow(
        user_id=line["id"],
        project_id="lifesnaps",
        care_team="team",
        status=SubjectStatus.ENROLLED,
        window=window,
        start=start,
        end=start + DAY_S,
        local_date=dt.date.fromisoformat(line["date"]),
        values=values,
        coverage={},
        settled=True,
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(msgspec.json.format(msgspec.json.encode(fit()), indent=2) + b"\n")
