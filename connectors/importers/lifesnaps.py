"""LifeSnaps: a Fitbit's daily figures and self-reported mood words of 71 people.

Source: Yfantidou et al. (2022), LifeSnaps, Sci Data 9:663, Zenodo doi:10.5281/zenodo.6826682.

A day counts as received at 08:00 of the next local morning. The set names no places; people took
part in Greece, Italy, Sweden and Cyprus, and Athens' time is used for all. Values outside of what
the contract holds possible are left out and counted.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterator
from operator import itemgetter
from pathlib import Path

import msgspec

from connectors.importers.dataset import DataSet, Person, Upload, local_time_s
from connectors.importers.tables import Table, columns_of, number, tables_in
from streams.errors import BadInput
from streams.events import (
    ActivitySummary,
    HeartRateVariability,
    MoodCheckIn,
    Record,
    RestingHeartRate,
    SleepSummary,
    Source,
)

TIME_ZONE = "Europe/Athens"
PROJECT = "lifesnaps"
WATCH = "fitbit-sense"
PHONE = "sema3"
INSTRUMENT = "SEMA-mood"

_HOUR_RECEIVED = 8
_HOUR_ASKED = 20
_COLUMNS = (
    "id",
    "date",
    "resting_hr",
    "rmssd",
    "sleep_duration",
    "minutesAsleep",
    "minutesAwake",
    "steps",
    "lightly_active_minutes",
    "moderately_active_minutes",
    "very_active_minutes",
    "sedentary_minutes",
    "age",
    "gender",
)
_MOODS = ("ALERT", "HAPPY", "NEUTRAL", "RESTED/RELAXED", "SAD", "TENSE/ANXIOUS", "TIRED")
_FIGURES = (*_COLUMNS[2:12], *_MOODS)
_NOTES = ("stages of sleep are given as ratios to the person's usual and are not imported",)

Day = dict[str, str]


def load(
    path: Path, *, people: Collection[str] | None = None, days_max: int | None = None
) -> DataSet:
    """Prepare LifeSnaps from its daily table, or the folder that holds it.

    Parameters
    ----------
    path
        The table, or a folder with it.
    people
        Ids to take; all if absent.
    days_max
        Most days to take of each person, from their first; all if absent.

    Raises
    ------
    BadInput
        If there is no such table.
    """
    tables = [found for found in tables_in(path) if set(_COLUMNS) <= set(columns_of(found))]
    if not tables:
        raise BadInput(f"{path}: no daily table of LifeSnaps")
    days = _days(tables[0], people, days_max)
    left_out: Counter[str] = Counter()
    return DataSet(
        people=tuple(_person(user_id, own) for user_id, own in days.items()),
        uploads=_uploads(days, left_out),
        left_out=left_out,
        notes=_NOTES,
    )


def _days(
    path: Path, people: Collection[str] | None, days_max: int | None
) -> dict[str, dict[dt.date, Day]]:
    table = Table(path, (*_COLUMNS, *_MOODS))
    days: dict[str, dict[dt.date, Day]] = {}
    with table.refusing():
        for cells in table:
            row = dict(zip((*_COLUMNS, *_MOODS), cells, strict=True))
            for column in _FIGURES:
                number(row[column])  # what is no number is refused here, where its row is known
            if people is None or row["id"] in people:
                days.setdefault(row["id"], {})[dt.date.fromisoformat(row["date"])] = row
    if days_max is not None:
        days = {
            user_id: {date: own[date] for date in sorted(own) if date < _end(own, days_max)}
            for user_id, own in days.items()
        }
    return days


def _end(days: dict[dt.date, Day], days_max: int) -> dt.date:
    return min(days) + dt.timedelta(days=days_max)


def _person(user_id: str, days: dict[dt.date, Day]) -> Person:
    first = days[min(days)]
    groups = {"ageBand": first["age"]} if first["age"] else {}
    if first["gender"]:
        groups["sex"] = first["gender"]
    return Person(
        user_id=user_id,
        project_id=PROJECT,
        care_team="lifesnaps",
        time_zone=TIME_ZONE,
        enrolled_on=min(days),
        record_types=(
            RestingHeartRate,
            HeartRateVariability,
            SleepSummary,
            ActivitySummary,
            MoodCheckIn,
        ),
        sources=(
            Source(source_id=WATCH, vendor="Fitbit", model="Sense", priority=0),
            Source(source_id=PHONE, vendor="SEMA3", priority=1),
        ),
        groups=groups,
    )


def _uploads(days: dict[str, dict[dt.date, Day]], left_out: Counter[str]) -> Iterator[Upload]:
    ordered = sorted(
        ((date, user_id) for user_id, own in days.items() for date in own), key=itemgetter(0, 1)
    )
    for date, user_id in ordered:
        day = days[user_id][date]
        received = local_time_s(date + dt.timedelta(days=1), _HOUR_RECEIVED, TIME_ZONE)
        for record in _records(date, day, left_out):
            source = PHONE if isinstance(record, MoodCheckIn) else WATCH
            yield Upload(received, user_id, source, [record])


def _records(date: dt.date, day: Day, left_out: Counter[str]) -> Iterator[Record]:
    """Records of a day; a value that the table lacks is absent, and so is a record without any."""
    active = [day[f"{how}_active_minutes"] for how in ("lightly", "moderately", "very")]
    asleep, awake = _seconds(day["minutesAsleep"]), _seconds(day["minutesAwake"])
    in_bed_ms = number(day["sleep_duration"])
    found: list[tuple[type[Record], dict[str, object]]] = [
        (RestingHeartRate, {"restingHeartRate": number(day["resting_hr"])}),
        (HeartRateVariability, {"rmssd": number(day["rmssd"])}),
        (
            SleepSummary,
            {
                "asleepDuration": asleep,
                "awakeDuration": awake,
                "inBedDuration": None if in_bed_ms is None else in_bed_ms / 1_000.0,
            },
        ),
        (
            ActivitySummary,
            {
                "steps": _whole(day["steps"]),
                "activeDuration": _total_s(active),
                "sedentaryDuration": _seconds(day["sedentary_minutes"]),
            },
        ),
    ]
    for record_type, fields in found:
        told = {name: value for name, value in fields.items() if value is not None}
        if not told:
            continue
        try:
            yield msgspec.convert({"date": date, **told}, record_type)
        except (msgspec.ValidationError, ValueError):
            left_out[f"{record_type.__name__} outside of what is possible"] += 1
    items = {mood: answer for mood in _MOODS if (answer := _whole(day[mood])) is not None}
    if items:
        asked = local_time_s(date, _HOUR_ASKED, TIME_ZONE)
        yield MoodCheckIn(time=asked, instrument=INSTRUMENT, items=items)


def _seconds(minutes_text: str) -> float | None:
    minutes = number(minutes_text)
    return None if minutes is None else minutes * 60.0


def _total_s(texts: list[str]) -> float | None:
    known = [minutes for text in texts if (minutes := number(text)) is not None]
    return sum(known) * 60.0 if known else None


def _whole(text: str) -> int | None:
    value = number(text)
    return None if value is None else round(value)
