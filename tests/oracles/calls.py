"""Calls of AWARE's table of several people straight from its CSV file.

Compared with a run of the imported recording: each local day (Helsinki) of each person that has a
call. A call is of the day in which it begins, with its whole duration. The table names no other
sides, so there are no contacts. People's phones send no signs of life: days without calls have no
figures.
"""

import csv
import datetime as dt
from collections import defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

FILE = "multiuser_AwareCalls.csv"
ZONE = ZoneInfo("Europe/Helsinki")

Figures = dict[tuple[str, str], dict[str, float]]
"""(person, local date) -> feature -> value."""


def call_days(folder: Path) -> Figures:
    """What the table says of each person and date with calls."""
    days: Figures = defaultdict(
        lambda: {
            "call_incoming_count": 0.0,
            "call_outgoing_count": 0.0,
            "call_missed_count": 0.0,
            "call_incoming_min": 0.0,
            "call_outgoing_min": 0.0,
        }
    )
    with (folder / FILE).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            date = dt.datetime.fromtimestamp(float(row["time"]), ZONE).date().isoformat()
            day = days[row["user"], date]
            day[f"call_{row['call_type']}_count"] += 1
            if row["call_type"] != "missed":
                day[f"call_{row['call_type']}_min"] += float(row["call_duration"]) / 60
    return dict(days)
