"""A data set on its way into a recording: who took part, and what arrived when."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from msgspec import Struct

from streams.events import Record, Source


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who took part.

    They are enrolled, with consent for ``record_types``, from the local midnight with which
    ``enrolled_on`` begins, which must not be after their first record.
    """

    user_id: str
    project_id: str
    care_team: str
    time_zone: str
    enrolled_on: dt.date
    record_types: tuple[type[Record], ...]
    sources: tuple[Source, ...]
    groups: dict[str, str] = {}


class Upload(Struct, frozen=True, gc=False):
    """What arrived together: ``records`` of one type, at ``time_received`` (s UTC)."""

    time_received: float
    user_id: str
    source_id: str
    records: list[Record]


class DataSet(Struct, frozen=True, kw_only=True):
    """A data set.

    ``uploads`` are in order of ``time_received`` and can be taken once. ``left_out`` counts
    values that were left out, by reason, while they are. ``notes`` say what is not imported at
    all. ``tick_every_s``: how closely ticks have to follow.
    """

    people: tuple[Person, ...]
    uploads: Iterable[Upload]
    left_out: Counter[str]
    notes: tuple[str, ...] = ()
    tick_every_s: float = 3_600.0


def local_midnight_s(date: dt.date, time_zone: str) -> float:
    """Instant (s UTC) at which a local date begins."""
    return dt.datetime.combine(date, dt.time(), tzinfo=ZoneInfo(time_zone)).timestamp()


def local_time_s(date: dt.date, hour: int, time_zone: str) -> float:
    """Instant (s UTC) of a full hour of a local date."""
    return dt.datetime.combine(date, dt.time(hour), tzinfo=ZoneInfo(time_zone)).timestamp()
