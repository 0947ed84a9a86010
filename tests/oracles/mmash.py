"""MMASH computed straight from its CSV files.

Compared with a run of the imported recording: the minute rows' ``heart_rate_mean_bpm``. A minute
has a cell exactly when one of its seconds has a heart rate from 20 to 300 beats/min, and its value
is the mean over those seconds. Day 1 is 2020-01-06 in Rome (UTC+1); a day with another number
than the row before it is the next day.
"""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

MIDNIGHT_S = 1_578_265_200  # 2020-01-06 00:00 in Rome: 2020-01-05 23:00 UTC


def heart_rate_minutes(folder: Path) -> dict[tuple[str, int], float]:
    """(person, start of the minute in s UTC) -> mean heart rate in beats/min."""
    samples: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for path in sorted(folder.glob("users/*/Actigraph.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            hours, minutes, _ = map(int, row["time"].split(":"))
            is_next_day = row["day"] != rows[0]["day"]
            minute = MIDNIGHT_S + is_next_day * 86_400 + hours * 3_600 + minutes * 60
            rate = float(row["HR"])
            if 20.0 <= rate <= 300.0:
                samples[path.parent.name, minute].append(rate)
    return {cell: sum(rates) / len(rates) for cell, rates in samples.items()}
