"""Evidence and windows made of records, for tests of features."""

import datetime as dt

from streams.events import ENVELOPE_TYPES, SCHEMA_OF_TYPE, Record, WindowKind
from streams.evidence import Evidence
from streams.features import compute
from streams.features.base import Bounds, Values, Window
from streams.localtime import date_index, first_reached

DATE = dt.date(2024, 1, 17)
MIDNIGHT_S = 19_739 * 86_400.0
"""The midnight with which that date begins in UTC."""

WATCH = (1, "watch")


def clock_s(text: str, days: int = 0) -> float:
    """Seconds since the epoch of a clock time in UTC on that date, or days later."""
    hours, minutes = text.split(":")
    return MIDNIGHT_S + days * 86_400.0 + int(hours) * 3_600.0 + int(minutes) * 60.0


def add(
    evidence: Evidence,
    *records: Record,
    source: tuple[int, str] = WATCH,
    utc_offset: int | None = None,
    received: float = MIDNIGHT_S + 10 * 86_400.0,
) -> None:
    """Add records of one type as one envelope."""
    schema = SCHEMA_OF_TYPE[type(records[0])]
    envelope = ENVELOPE_TYPES[schema](
        project_id="p",
        user_id="u",
        source_id=source[1],
        time_received=received,
        utc_offset=utc_offset,
        records=list(records),
    )
    evidence.add(schema, envelope, source, 0.0)


def evidence_of(*records: Record) -> Evidence:
    """Evidence of records, each an envelope of its own."""
    evidence = Evidence()
    for record in records:
        add(evidence, record)
    return evidence


def window_of(
    evidence: Evidence, kind: WindowKind, date: dt.date = DATE, zone: str = "UTC"
) -> Window:
    """The night or the day of a date, as the subject lived it."""
    index = date_index(date)
    first = index * 1_440 if kind is WindowKind.DAY else (index - 1) * 1_440 + 720
    edges = [
        first_reached(
            minute // 1_440, minute % 1_440, not_before=0, log=evidence.offsets, zone=zone
        )
        for minute in (first, first + 1_440)
    ]
    return Window(Bounds(kind, edges[0], edges[1], index, zone), evidence)


def night(evidence: Evidence, date: dt.date = DATE, zone: str = "UTC") -> Values:
    """Values of a night."""
    return compute(window_of(evidence, WindowKind.NIGHT, date, zone))[0]


def day(evidence: Evidence, date: dt.date = DATE, zone: str = "UTC") -> Values:
    """Values of a day."""
    return compute(window_of(evidence, WindowKind.DAY, date, zone))[0]
