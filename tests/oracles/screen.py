"""Screen episodes and times of use of the month of AWARE events straight from its CSV file.

The screen goes on with 1 or 3 while it is off, and off with 0 or 2. An episode counts for each
local day (Helsinki) in which a part of it lies, with the length of that part, unless it took more
than 360 min until it went off or, if later, until that day's end. The first and last use are the
day's first and last event 1 or 3, in minutes since midnight on the clock on the wall.
"""

import csv
import datetime as dt
import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

FILE = "AwareScreen_1month.csv.gz"
ZONE = ZoneInfo("Europe/Helsinki")
FEATURES = (
    "screen_episode_count",
    "screen_episode_mean_min",
    "screen_episode_max_min",
    "first_use_min",
    "last_use_min",
)


def screen_days(folder: Path) -> dict[str, dict[str, float]]:
    """Local date -> the features above, for dates with an event 1 or 3 or a part of an episode."""
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        events = sorted((float(row["time"]), int(row["screen_status"])) for row in rows)
    episodes, on_since = [], None
    for time, state in events:
        if state in {1, 3} and on_since is None:
            on_since = time
        elif state in {0, 2} and on_since is not None:
            episodes.append((on_since, time))
            on_since = None
    if on_since is not None:
        episodes.append((on_since, float("inf")))
    date = dt.datetime.fromtimestamp(events[0][0], ZONE).date()
    days = {}
    while date <= dt.datetime.fromtimestamp(events[-1][0], ZONE).date():
        values = _day(date, events, episodes)
        if len(values) > 1:
            days[date.isoformat()] = values
        date += dt.timedelta(days=1)
    return days


def _day(
    date: dt.date, events: list[tuple[float, int]], episodes: list[tuple[float, float]]
) -> dict[str, float]:
    start, end = _midnight_s(date), _midnight_s(date + dt.timedelta(days=1))
    parts = [
        min(stop, end) - max(begin, start)
        for begin, stop in episodes
        if begin < end and stop > start and min(stop, end) - begin <= 360 * 60
    ]
    values = {"screen_episode_count": float(len(parts))}
    if parts:
        values["screen_episode_mean_min"] = sum(parts) / len(parts) / 60
        values["screen_episode_max_min"] = max(parts) / 60
    uses = [time for time, state in events if state in {1, 3} and start <= time < end]
    if uses:
        values["first_use_min"] = _clock_min(min(uses))
        values["last_use_min"] = _clock_min(max(uses))
    return values


def _clock_min(time: float) -> float:
    local = dt.datetime.fromtimestamp(int(time), ZONE)
    return local.hour * 60 + local.minute + (local.second + time % 1) / 60


def _midnight_s(date: dt.date) -> float:
    return dt.datetime.combine(date, dt.time(), tzinfo=ZONE).timestamp()
