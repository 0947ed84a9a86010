"""When the phone of the AWARE month was heard of and lived, straight from its CSV files.

Compared with runs of the imported recording:

* An event arrives at the end of its quarter of an hour; hours of arrival are those of UTC. The
  longest time between uploads of a local day (Helsinki) is the greatest number of hours from an
  hour of arrival before it to one in it. What is usual on a day is, of the last 28 days before it
  with such a time, 7 at least, that at place int(0.9 (n - 1)) of them in order, from 0 on.
* Silence is whole hours: from the end of the last hour (UTC) with an event to the window's end.
  Before the first event it is counted from the tick of enrolment, and not told here.
* A battery reading says that the phone lives, from its minute's beginning until three hours later,
  to the end of that minute. A minute of that is valid; an hour with 30 of them is, counted from the
  day's beginning. It is known to be a phone, and no watch, from its first event of the screen on:
  a day that ends before it has no valid minutes.
"""

import csv
import datetime as dt
import gzip
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

BATTERY = "AwareBattery_1month.csv.gz"
SCREEN = "AwareScreen_1month.csv.gz"
ZONE = ZoneInfo("Europe/Helsinki")
DAY = dt.timedelta(days=1)
HOUR_S = 3_600.0


def usual_gaps(folder: Path) -> dict[str, float]:
    """Local date -> usual longest time between uploads of the screen's events (h)."""
    times = _times(folder / SCREEN)
    arrivals = sorted({int((time // 900.0 + 1.0) * 900.0 // HOUR_S) for time in times})
    longest: dict[dt.date, int] = {}
    for before, hour in pairwise(arrivals):
        date = _date(hour * HOUR_S)
        longest[date] = max(longest.get(date, 0), hour - before)
    usual = {}
    date = min(longest)
    while date <= max(longest):
        gaps = [longest[day] for day in sorted(longest) if day < date][-28:]
        if len(gaps) >= 7:
            usual[date.isoformat()] = float(sorted(gaps)[int(0.9 * (len(gaps) - 1))])
        date += DAY
    return usual


def silence_h(folder: Path, ends_s: set[float]) -> dict[float, float]:
    """End of a window (s UTC) -> whole hours without an event of the screen until then."""
    heard = {int(time // HOUR_S) + 1 for time in _times(folder / SCREEN)}
    hours = {end_s: end_s / HOUR_S for end_s in ends_s if end_s / HOUR_S >= min(heard)}
    return {end_s: hour - max(h for h in heard if h <= hour) for end_s, hour in hours.items()}


def phone_yield(folder: Path) -> dict[str, dict[str, float]]:
    """Local date -> how much of it the phone lived, for all dates with a battery reading."""
    times, known_min = _times(folder / BATTERY), _times(folder / SCREEN)[0] / 60.0
    lived: set[int] = set()
    for time in times:
        lived.update(range(int(time // 60.0), int(-(-(time + 3.0 * HOUR_S) // 60.0))))
    figures = {}
    for date in sorted({_date(time) for time in times}):
        minutes = range(_midnight_min(date), _midnight_min(date + DAY))
        valid = lived if minutes.stop > known_min else set()
        hours = [range(start, start + 60) for start in minutes[::60]]
        figures[date.isoformat()] = {
            "valid_minute_ratio": sum(minute in valid for minute in minutes) / len(minutes),
            "valid_hour_count": float(sum(sum(m in valid for m in hour) >= 30 for hour in hours)),
            "heart_rate_valid_hour_count": 0.0,
        }
    return figures


def _times(path: Path) -> list[float]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return sorted(float(row["time"]) for row in csv.DictReader(file))


def _date(time: float) -> dt.date:
    return dt.datetime.fromtimestamp(time, ZONE).date()


def _midnight_min(date: dt.date) -> int:
    return int(dt.datetime.combine(date, dt.time(), tzinfo=ZONE).timestamp() // 60.0)
