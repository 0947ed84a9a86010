"""Phone use of the month of AWARE events straight from its CSV file.

Compared with a run of the imported recording: each day's and night's ``unlock_count`` and
``screen_min``.
The definition both share:

* Events are taken in order of time. The screen goes on with 1 (on) or 3 (unlocked) while it is
  off, and off with 0 (off) or 2 (locked).
* Unlocks of a window are its events 3, its start included and its end not.
* An episode goes from its going on to its going off. A window reads nothing at or after its end:
  there an open episode is cut.
* An episode longer than 360 min (RAPIDS' default), measured from where it went on to where it
  went off or was cut, is a lost event and counts for nothing in that window.
* Screen minutes are the time of episodes within the window, to the fraction of a second, / 60.
* Days are local (Helsinki), of 23 h on 2017-03-26.
* A night is of its use from 00:00 to 05:59, and its window from noon to noon. Without a use in that
  window it has no figures.
"""

import csv
import datetime as dt
import gzip
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

FILE = "AwareScreen_1month.csv.gz"
ZONE = ZoneInfo("Europe/Helsinki")
LONGEST_S = 360 * 60.0


class PhoneDay(NamedTuple):
    unlocks: int
    screen_min: float


def phone_days(folder: Path) -> dict[str, PhoneDay]:
    """Local date -> use of the phone, for all dates from the first to the last event."""
    events = _events(folder)
    date = dt.datetime.fromtimestamp(events[0][0], ZONE).date()
    last = dt.datetime.fromtimestamp(events[-1][0], ZONE).date()
    days = {}
    while date <= last:
        start, date = _midnight_s(date), date + dt.timedelta(days=1)
        end = _midnight_s(date)
        unlocks = sum(start <= time < end and state == 3 for time, state in events)
        name = (date - dt.timedelta(days=1)).isoformat()
        days[name] = PhoneDay(unlocks, _screen_s(events, start, end) / 60.0)
    return days


def phone_nights(folder: Path) -> dict[str, PhoneDay]:
    """Local date of the morning -> use of the phone from 00:00 to 05:59."""
    events = _events(folder)
    date = dt.datetime.fromtimestamp(events[0][0], ZONE).date()
    last = dt.datetime.fromtimestamp(events[-1][0], ZONE).date() + dt.timedelta(days=1)
    nights = {}
    while date <= last:
        start, end = _midnight_s(date), _local_s(date, 6)
        noon_before, noon = _local_s(date - dt.timedelta(days=1), 12), _local_s(date, 12)
        if any(noon_before <= time < noon and state in {1, 3} for time, state in events):
            unlocks = sum(start <= time < end and state == 3 for time, state in events)
            screen_min = _screen_s(events, start, end, noon) / 60.0
            nights[date.isoformat()] = PhoneDay(unlocks, screen_min)
        date += dt.timedelta(days=1)
    return nights


def _events(folder: Path) -> list[tuple[float, int]]:
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return sorted((float(row["time"]), int(row["screen_status"])) for row in rows)


def _screen_s(
    events: list[tuple[float, int]], start: float, end: float, read_s: float | None = None
) -> float:
    """Time of episodes between two instants; what is read ends with them, if not later."""
    total = 0.0
    on_since: float | None = None
    cut = end if read_s is None else read_s
    for time, state in [*(event for event in events if event[0] < cut), (cut, 0)]:
        if state in {1, 3} and on_since is None:
            on_since = time
        elif state in {0, 2} and on_since is not None:
            if time - on_since <= LONGEST_S:
                total += max(0.0, min(time, end) - max(on_since, start))
            on_since = None
    return total


def _midnight_s(date: dt.date) -> float:
    return _local_s(date, 0)


def _local_s(date: dt.date, hour: int) -> float:
    return dt.datetime.combine(date, dt.time(hour), tzinfo=ZONE).timestamp()
