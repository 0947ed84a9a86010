"""LifeSnaps' daily figures straight from its CSV file.

Compared with a run of the imported recording: each day's ``heart_rate_resting_bpm``, ``rmssd_ms``
and ``step_count``, and each night's ``sleep_duration_min``, ``time_in_bed_min``,
``wake_after_sleep_onset_min`` and ``sleep_efficiency_percent`` (asleep over in bed), keyed by
person and local date. An RMSSD of zero and a night in bed with zero minutes asleep are no
measurements. A figure that the file does not have must be absent.
"""

import csv
import gzip
from pathlib import Path

FILE = "daily_fitbit_sema_df_unprocessed.csv.gz"

FEATURES = {
    "day": ("heart_rate_resting_bpm", "rmssd_ms", "step_count"),
    "night": (
        "sleep_duration_min",
        "time_in_bed_min",
        "wake_after_sleep_onset_min",
        "sleep_efficiency_percent",
    ),
}
"""Window -> features that the figures below speak of, all of them."""

Figures = dict[tuple[str, str, str, str], float]
"""(person, local date, window, feature) -> value."""


def people_and_dates(folder: Path) -> set[tuple[str, str]]:
    """All days of all people: (person, local date)."""
    return {(row["id"], row["date"]) for row in _rows(folder)}


def daily_figures(folder: Path) -> Figures:
    """What the file says of each person and date."""
    figures: Figures = {}
    for row in _rows(folder):
        values = {
            ("day", "heart_rate_resting_bpm"): _number(row["resting_hr"]),
            ("day", "rmssd_ms"): _number(row["rmssd"]) or None,
            ("day", "step_count"): _steps(row),
            ("night", "sleep_duration_min"): _number(row["minutesAsleep"]) or None,
        }
        asleep, in_bed_ms = _number(row["minutesAsleep"]), _number(row["sleep_duration"])
        if asleep and in_bed_ms:
            share = min(asleep * 60_000.0 / in_bed_ms, 1.0)
            values["night", "sleep_efficiency_percent"] = 100.0 * share
        if asleep:
            awake = _number(row["minutesAwake"])
            in_bed = None if in_bed_ms is None else in_bed_ms / 60_000.0
            if awake is None and in_bed is not None:
                awake = max(in_bed - asleep, 0.0)
            if in_bed is None and awake is not None:
                in_bed = asleep + awake
            values["night", "time_in_bed_min"] = in_bed
            values["night", "wake_after_sleep_onset_min"] = awake
        for (window, feature), value in values.items():
            if value is not None:
                figures[row["id"], row["date"], window, feature] = value
    return figures


def _steps(row: dict[str, str]) -> float | None:
    """A handful of steps counts where the heart or a sleep says that the watch was worn."""
    steps = _number(row["steps"])
    is_worn = row["resting_hr"] or row["minutesAsleep"]
    return steps if steps and (steps >= 300 or is_worn) else None


def _rows(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    return float(text) if text else None
