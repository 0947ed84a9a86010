"""MMASH: 24 hours of second-by-second actigraphy, heart rate and beats, with the night's sleep.

Source: Rossi et al. (2020), Multilevel Monitoring of Activity and Sleep in Healthy people,
PhysioNet, doi:10.13026/cerq-fc86.

The set gives local times and the number of the day, but no date: day 1 is taken to be Monday,
6 January 2020 in Pisa, where it was recorded. What was recorded in a minute counts as received at
the minute's end, a night a minute after getting up. Heart rates and beat-to-beat intervals
outside of what the contract holds possible are artefacts and are left out.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path

from connectors.importers.beats import placed_beats
from connectors.importers.dataset import DataSet, Person, Upload, local_midnight_s
from connectors.importers.tables import Table, number, tables_in
from streams.errors import BadInput
from streams.events import HeartRate, InterBeatInterval, Record, SleepEpisode, Source, Steps

FIRST_DAY = dt.date(2020, 1, 6)
TIME_ZONE = "Europe/Rome"
PROJECT = "mmash"
ACTIGRAPH = "actigraph"
CHEST_STRAP = "polar-h7"

_DAY_S = 86_400
_HEART_RATE_BPM = (20.0, 300.0)
_INTERVAL_S = (0.2, 3.0)
_SLEEP_COLUMNS = (
    "In Bed Date",
    "In Bed Time",
    "Out Bed Date",
    "Out Bed Time",
    "Total Sleep Time (TST)",
    "Wake After Sleep Onset (WASO)",
    "Number of Awakenings",
)
_NOTES = ("Activity (labels) is not imported",)


def load(
    path: Path, *, first_day: dt.date = FIRST_DAY, people: Collection[str] | None = None
) -> DataSet:
    """Prepare MMASH from the folder that holds a folder for each person.

    Parameters
    ----------
    path
        Any folder above the persons' folders.
    first_day
        Date that day 1 becomes; neither it nor the next may change the clocks.
    people
        Names of the persons' folders to take; all if absent.

    Raises
    ------
    BadInput
        If no person's folder is found.
    """
    folders = [
        table.parent
        for table in tables_in(path, "Actigraph.csv")
        if table.name.startswith("Actigraph.csv")
        if people is None or table.parent.name in people
    ]
    if not folders:
        raise BadInput(f"{path}: no folders with an Actigraph.csv, so not MMASH")
    left_out: Counter[str] = Counter()
    midnight_s = local_midnight_s(first_day, TIME_ZONE)
    uploads = [_uploads(folder, midnight_s, left_out) for folder in folders]
    return DataSet(
        people=tuple(_person(folder, first_day) for folder in folders),
        uploads=merge(*uploads, key=attrgetter("time_received")),
        left_out=left_out,
        notes=_NOTES,
        tick_every_s=300.0,
    )


def _person(folder: Path, first_day: dt.date) -> Person:
    return Person(
        user_id=folder.name,
        project_id=PROJECT,
        care_team="mmash",
        time_zone=TIME_ZONE,
        enrolled_on=first_day,
        record_types=(HeartRate, InterBeatInterval, Steps, SleepEpisode),
        sources=(
            Source(source_id=ACTIGRAPH, vendor="ActiGraph", model="wGT3X-BT", priority=0),
            Source(source_id=CHEST_STRAP, vendor="Polar", model="H7", priority=1),
        ),
        groups=_groups(folder),
    )


def _groups(folder: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for path in _files(folder, "user_info.csv"):
        table = Table(path, ("Gender", "Age"))
        with table.refusing():
            for sex, age_text in table:
                age = number(age_text)
                groups = {"sex": {"M": "MALE", "F": "FEMALE"}.get(sex, "OTHER")}
                if age:  # 0 stands for unknown
                    groups["ageBand"] = "<30" if age < 30 else ">=30"
    return groups


def _files(folder: Path, name: str) -> list[Path]:
    return [path for path in tables_in(folder, name) if path.parent == folder]


def _uploads(folder: Path, midnight_s: float, left_out: Counter[str]) -> Iterator[Upload]:
    user_id = folder.name
    flows = [
        _actigraphy(path, user_id, midnight_s, left_out) for path in _files(folder, "Actigraph.csv")
    ]
    flows += [_beats(path, user_id, midnight_s, left_out) for path in _files(folder, "RR.csv")]
    begun_s = _first_s(folder)
    flows += [_nights(path, user_id, midnight_s, begun_s) for path in _files(folder, "sleep.csv")]
    return merge(*flows, key=attrgetter("time_received"))


def _actigraphy(
    path: Path, user_id: str, midnight_s: float, left_out: Counter[str]
) -> Iterator[Upload]:
    """Heart rate and steps, minute by minute."""
    for minute_s, rows in _minutes(Table(path, ("day", "time", "HR", "Steps")), midnight_s):
        upload = partial(Upload, minute_s + 60.0, user_id, ACTIGRAPH)
        samples: list[Record] = []
        steps = 0.0
        for time, (rate, step_count) in rows:
            steps += step_count or 0.0
            if rate is not None and _HEART_RATE_BPM[0] <= rate <= _HEART_RATE_BPM[1]:
                samples.append(HeartRate(time=time, heart_rate=rate))
            else:
                left_out["heart rates that are missing or not within 20 to 300 per minute"] += 1
        if samples:
            yield upload(samples)
        yield upload([Steps(time=minute_s, duration=60.0, steps=int(steps))])


def _beats(path: Path, user_id: str, midnight_s: float, left_out: Counter[str]) -> Iterator[Upload]:
    """Beat-to-beat intervals, minute by minute."""
    previous_s = 0.0
    for minute_s, rows in _minutes(Table(path, ("day", "time", "ibi_s")), midnight_s):
        beats: list[tuple[float, float]] = []
        for time, (interval_s,) in rows:
            if interval_s is not None and _INTERVAL_S[0] <= interval_s <= _INTERVAL_S[1]:
                beats.append((time, interval_s))
            else:
                left_out["beat-to-beat intervals that are missing or not within 0.2 to 3 s"] += 1
        times = placed_beats(beats, previous_s)
        if beats:
            previous_s = times[-1]
            records: list[Record] = [
                InterBeatInterval(time=time, inter_beat_interval=interval_s)
                for time, (_, interval_s) in zip(times, beats, strict=True)
            ]
            yield Upload(minute_s + 60.0, user_id, CHEST_STRAP, records)


def _minutes(
    table: Table, midnight_s: float
) -> Iterator[tuple[float, list[tuple[float, list[float | None]]]]]:
    """Rows of a table that begins with day and time, by minute: (time, other figures)."""

    def timed() -> Iterator[tuple[float, list[float | None]]]:
        day, previous = 0, None
        for day_text, clock, *cells in table:
            raw = int(day_text)
            # Days are counted from the first by the day of the month, so that the second day of
            # a recording over a month's end can be -29: another number is a later day.
            if previous is not None and raw != previous:
                day += raw - previous if raw > previous else 1
            previous = raw
            yield midnight_s + day * _DAY_S + _clock_s(clock), [*map(number, cells)]

    with table.refusing():
        for minute, rows in groupby(timed(), key=lambda row: row[0] // 60.0):
            yield minute * 60.0, sorted(rows, key=itemgetter(0))


def _first_s(folder: Path) -> int:
    """When a person's actigraphy begins (s since the midnight of day 1)."""
    for path in _files(folder, "Actigraph.csv"):
        table = Table(path, ("time",))
        with table.refusing():
            for (clock,) in table:
                return _clock_s(clock)
    return 0


def _nights(path: Path, user_id: str, midnight_s: float, begun_s: int) -> Iterator[Upload]:
    """Time in bed, one episode for each row.

    Some days are wrong: a night lies after the beginning of the recording, and ends after it
    begins.
    """
    table = Table(path, _SLEEP_COLUMNS)
    uploads = []
    with table.refusing():
        for in_day, in_clock, out_day, out_clock, *totals in table:
            in_bed_s = _at_or_after(begun_s, in_day, in_clock)
            out_bed_s = _at_or_after(in_bed_s + 1, out_day, out_clock)
            asleep_min, awake_min, awakenings = map(number, totals)
            record = SleepEpisode(
                time=midnight_s + in_bed_s,
                duration=float(out_bed_s - in_bed_s),
                asleep_duration=None if asleep_min is None else asleep_min * 60.0,
                awake_duration=None if awake_min is None else awake_min * 60.0,
                awakenings=None if awakenings is None else int(awakenings),
            )
            uploads.append(Upload(midnight_s + out_bed_s + 60.0, user_id, ACTIGRAPH, [record]))
    yield from sorted(uploads, key=attrgetter("time_received"))


def _at_or_after(earliest_s: int, day_text: str, clock: str) -> int:
    """Seconds since the midnight of day 1, moved by whole days to be ``earliest_s`` or later."""
    day_s = max(int(day_text) - 1, 0) * _DAY_S
    time_s = day_s + _clock_s(clock)
    while time_s < earliest_s:
        time_s += _DAY_S
    return time_s


def _clock_s(text: str) -> int:
    """Seconds since midnight of ``hh:mm`` or ``hh:mm:ss``."""
    hours, minutes, *seconds = text.split(":")
    return int(hours) * 3_600 + int(minutes) * 60 + sum(map(int, seconds))
