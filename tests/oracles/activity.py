"""Activity of days: from MMASH's steps and nights, and LifeSnaps' own figures, from the files.

MMASH: day 1 is 2020-01-06 in Rome (UTC+1); a row with another number of the day than the one
before is of the next day. Steps of a minute are those of its seconds, and a minute is known when
it has a row. A minute is asleep when it lies wholly in a time in bed. A local day has figures when
60 % of its minutes are known; the sedentary ones also need a minute asleep.
"""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

DAY_MIN = 1_440
DATES = ("2020-01-06", "2020-01-07", "2020-01-08")
"""Local dates of days 1 to 3."""

MMASH_FEATURES = (
    "step_count",
    "step_active_min",
    "moderate_activity_min",
    "sedentary_min",
    "sedentary_bout_max_min",
    "sedentary_bout_count",
)
LIFESNAPS = "daily_fitbit_sema_df_unprocessed.csv.gz"

Figures = dict[tuple[str, str], dict[str, float]]
"""(person, local date) -> feature -> value."""


def mmash_days(folder: Path) -> Figures:
    """The features above of each person and day; minutes count from the midnight of day 1."""
    figures: Figures = {}
    for path in sorted(folder.glob("users/*/Actigraph.csv.gz")):
        steps = _steps(path)
        in_bed = _in_bed(path.parent, min(steps))
        for day, date in enumerate(DATES):
            minutes = range(day * DAY_MIN, (day + 1) * DAY_MIN)
            if sum(minute in steps for minute in minutes) >= 0.6 * DAY_MIN:
                figures[path.parent.name, date] = _day(steps, in_bed, minutes)
    return figures


def reported_days(folder: Path) -> Figures:
    """LifeSnaps' active (light, moderate and very) and sedentary minutes of each date."""
    figures: Figures = {}
    with gzip.open(folder / LIFESNAPS, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            active = [row[f"{how}_active_minutes"] for how in ("lightly", "moderately", "very")]
            values: dict[str, float] = {}
            if any(active):
                values["active_reported_min"] = sum(float(text or 0) for text in active)
            if row["sedentary_minutes"]:
                values["sedentary_reported_min"] = float(row["sedentary_minutes"])
            if values:
                figures[row["id"], row["date"]] = values
    return figures


def _day(steps: dict[int, float], in_bed: set[int], minutes: range) -> dict[str, float]:
    values: dict[str, float] = {
        "step_count": sum(steps.get(minute, 0) for minute in minutes),
        "step_active_min": sum(steps.get(minute, 0) >= 1 for minute in minutes),
        "moderate_activity_min": sum(steps.get(minute, 0) >= 100 for minute in minutes),
    }
    if in_bed.isdisjoint(minutes):
        return values
    bouts, length = [], 0
    for minute in minutes:
        if steps.get(minute) == 0 and minute not in in_bed:
            length += 1
        else:
            bouts.append(length)
            length = 0
    bouts.append(length)
    values["sedentary_min"] = sum(bouts)
    values["sedentary_bout_max_min"] = max(bouts)
    values["sedentary_bout_count"] = sum(bout >= 30 for bout in bouts)
    return values


def _steps(path: Path) -> dict[int, float]:
    steps: defaultdict[int, float] = defaultdict(float)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        hours, minutes, _ = map(int, row["time"].split(":"))
        day = int(row["day"] != rows[0]["day"])
        steps[day * DAY_MIN + hours * 60 + minutes] += float(row["Steps"])
    return dict(steps)


def _in_bed(folder: Path, first: int) -> set[int]:
    """Whole minutes in bed. Days are moved so that nights follow the recording's beginning."""
    minutes: set[int] = set()
    for path in folder.glob("sleep.csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                start = _clock_min(row["In Bed Time"]) % DAY_MIN
                start += (int(row["In Bed Date"]) - 1) * DAY_MIN
                while start < first:
                    start += DAY_MIN
                end = _clock_min(row["Out Bed Time"])
                while end <= start:
                    end += DAY_MIN
                minutes.update(range(start, end))
    return minutes


def _clock_min(text: str) -> int:
    hours, minutes = text.split(":")[:2]
    return int(hours) * 60 + int(minutes)
