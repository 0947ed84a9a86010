"""Rhythm of phone use straight from the month of AWARE events, and variation of sleep and RMSSD
straight from LifeSnaps' table.

Compared with runs of the imported recordings. What both share beside `tests.oracles.aware` (when
the screen is on, and which episodes are lost events):

* An hour of a local day is the screen's seconds in it, to the whole second. A day on which the
  screen was never on and nothing unlocked is not known; of the 23 hours of 2017-03-26 one is not.
* The figures of the rhythm are those of `tests.oracles.witting`.
* Rest is looked for in the minutes from six hours before a midnight to 14:00 of the day: the
  longest run of minutes without a second of screen and without an unlock (3). None is told where
  there was neither in all that time. Its clock counts from the midnight.
* The expected rest is the median onset to the median offset of the 30 days before, 7 at least.
* Deviations have n - 1 in the denominator; RMSSD is taken to 0.01 ms, durations to whole seconds.
"""

import csv
import datetime as dt
import gzip
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.oracles import witting
from tests.oracles.aware import FILE, LONGEST_S, ZONE
from tests.oracles.lifesnaps import FILE as LIFESNAPS_FILE

Event = tuple[float, int]
Hours = dict[int, float]
"""Hour of the clock -> seconds with the screen on."""
Figures = dict[tuple[str, str], float]
"""(local date, feature) -> value."""
Rest = tuple[int, int, int]
"""Minutes, and the local clock at which it began and ended."""

DAY = dt.timedelta(days=1)


def phone_rhythm(folder: Path) -> Figures:
    """Every figure of rhythm and rest, for all dates from the first to the last event."""
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        events = sorted((float(row["time"]), int(row["screen_status"])) for row in rows)
    first, last = (dt.datetime.fromtimestamp(events[n][0], ZONE).date() for n in (0, -1))
    dates = [first + DAY * n for n in range((last - first).days + 1)]
    hours = {date: _hours(events, date) for date in dates}
    figures: Figures = {}
    rests: dict[dt.date, Rest] = {}
    for date in dates:
        days = [hours.get(date - DAY * back, {}) for back in reversed(range(14))]
        found = witting.rhythm(days, "phone", "min_per_h", 1.0 / 60.0)
        used = _used_minutes(events, date)
        if any(used.values()):
            found |= _rest(used, date, rests)
        figures |= {(date.isoformat(), name): value for name, value in found.items()}
    return figures


def daily_variation(folder: Path, people: set[str]) -> dict[tuple[str, str, str], float]:
    """(person, local date, feature) -> variation of durations and of RMSSD in LifeSnaps."""
    asleep: dict[str, dict[dt.date, float]] = {}
    rmssd: dict[str, dict[dt.date, float]] = {}
    with gzip.open(folder / LIFESNAPS_FILE, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            person, date = row["id"], dt.date.fromisoformat(row["date"])
            if person in people and row["minutesAsleep"] and float(row["minutesAsleep"]):
                asleep.setdefault(person, {})[date] = float(row["minutesAsleep"])
            if person in people and row["rmssd"] and float(row["rmssd"]):
                rmssd.setdefault(person, {})[date] = round(float(row["rmssd"]) * 100.0)
    figures: dict[tuple[str, str, str], float] = {}
    for person, told in asleep.items():
        for day, lasts in _last_of(told, 14):
            if len(lasts) >= 8:
                figures[person, day, "sleep_duration_sd_min"] = statistics.stdev(lasts)
    for person, said in rmssd.items():
        for day, lasts in _last_of(said, 7):
            if len(lasts) >= 5:
                share = statistics.stdev(lasts) / statistics.mean(lasts)
                figures[person, day, "rmssd_cv_percent"] = 100.0 * share
    return figures


def _last_of(told: dict[dt.date, float], count: int) -> Iterator[tuple[str, list[float]]]:
    """Every date from the first to the last, with what was told on it and the days before it."""
    date = min(told)
    while date <= max(told):
        days = [date - DAY * back for back in range(count)]
        yield date.isoformat(), [told[day] for day in days if day in told]
        date += DAY


def _instant(date: dt.date, hour: int = 0) -> float:
    return dt.datetime.combine(date, dt.time(hour), tzinfo=ZONE).timestamp()


def _episodes(events: list[Event], end: float) -> list[tuple[float, float]]:
    """Episodes of the screen, cut at the end of the window, without lost events."""
    found = []
    on_since: float | None = None
    for time, state in [*(event for event in events if event[0] < end), (end, 0)]:
        if state in {1, 3} and on_since is None:
            on_since = time
        elif state in {0, 2} and on_since is not None:
            if time - on_since <= LONGEST_S:
                found.append((on_since, time))
            on_since = None
    return found


def _hours(events: list[Event], date: dt.date) -> Hours:
    start, end = _instant(date), _instant(date + DAY)
    episodes = _episodes(events, end)
    unlocked = any(start <= time < end and state == 3 for time, state in events)
    if not unlocked and not any(off > start for _, off in episodes):
        return {}
    hours: Hours = {}
    at = start
    while at < end:
        seconds = sum(max(0.0, min(off, at + 3_600) - max(on, at)) for on, off in episodes)
        hours[dt.datetime.fromtimestamp(at, ZONE).hour] = round(seconds)
        at += 3_600
    return hours


def _used_minutes(events: list[Event], date: dt.date) -> dict[int, bool]:
    """Local clock of the minutes from the evening to the afternoon -> whether there was use."""
    start, end = _instant(date) - 6 * 3_600, _instant(date, 14)
    unlocked = {int(time // 60) for time, state in events if start <= time < end and state == 3}
    episodes = [(on, off) for on, off in _episodes(events, end) if off > start]
    used = {}
    for minute in range(int(start // 60), int(end // 60)):
        low, high = minute * 60.0, minute * 60.0 + 60.0
        is_on = any(min(off, high) > max(on, low) for on, off in episodes)
        local = dt.datetime.fromtimestamp(low, ZONE)
        clock = (local.date() - date).days * 1_440 + local.hour * 60 + local.minute
        used[clock] = is_on or minute in unlocked
    return used


def _rest(used: dict[int, bool], date: dt.date, rests: dict[dt.date, Rest]) -> dict[str, float]:
    """What is told of a day's rest, which is then kept among ``rests``."""
    runs: list[list[int]] = [[]]
    for clock, is_used in used.items():
        if is_used:
            runs.append([])
        else:
            runs[-1].append(clock)
    longest = max(runs, key=len)
    rest = len(longest), longest[0], longest[-1] + 1
    before = [rests[date - DAY * n] for n in range(1, 31) if date - DAY * n in rests]
    rests[date] = rest
    names = ("phone_rest_min", "phone_rest_onset_min", "phone_rest_offset_min")
    told = dict(zip(names, map(float, rest), strict=True))
    if len(before) < 7:
        return told
    onset = statistics.median(past[1] for past in before)
    offset = statistics.median(past[2] for past in before)
    shared = max(0.0, min(rest[2], offset) - max(rest[1], onset))
    within = [is_used and onset <= clock < offset for clock, is_used in used.items()]
    told["phone_rest_overlap_percent"] = 100.0 * shared / (offset - onset)
    begins = sum(now and not before_it for before_it, now in pairwise([False, *within]))
    told["phone_rest_disruption_count"] = float(begins)
    return told
