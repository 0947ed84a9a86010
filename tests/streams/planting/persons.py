"""Envelopes of one person in Athens, for tests of what is planted."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from streams.decoding import decode
from streams.events import SCHEMA_OF_TYPE, Envelope, Record, encode_envelope
from streams.localtime import date_index
from streams.planting.changes import Effect
from streams.planting.material import Clock, Material
from streams.planting.places import Stretch
from streams.planting.plan import Plan, plan

ZONE = "Europe/Athens"
DATE = dt.date(2024, 3, 10)
"""The date on which tests plant."""


def at(hour: float, date: dt.date = DATE) -> float:
    """Instant (s UTC) of a local hour of a date; negative hours lie on the day before."""
    midnight = dt.datetime.combine(date, dt.time(), tzinfo=ZoneInfo(ZONE)).timestamp()
    return midnight + hour * 3_600.0


def envelope(
    records: Sequence[Record], *, received: float | None = None, utc_offset: int | None = None
) -> bytes:
    """One envelope of records of one type; received two days after ``DATE`` unless said."""
    return encode_envelope(
        records,
        SCHEMA_OF_TYPE[type(records[0])],
        project_id="study",
        user_id="alder",
        source_id="watch",
        time_received=at(48) if received is None else received,
        utc_offset=utc_offset,
    )


def records_of(value: bytes | None) -> list[Record]:
    """Records of a payload; none for a message that is left out."""
    if value is None:
        return []
    decoded = decode(value)
    assert isinstance(decoded, Envelope)
    return list(decoded.records)


def planned(effect: Effect, *values: bytes, dates: Sequence[dt.date] = (DATE,)) -> Plan:
    """The plan for a person of whom these envelopes are all there is."""
    material = Material(Clock(ZONE, 720))
    for value in values:
        decoded = decode(value)
        assert isinstance(decoded, Envelope)
        material.add(SCHEMA_OF_TYPE[type(decoded.records[0])], decoded)
    stretch = Stretch(date_index(min(dates)), date_index(max(dates)))
    return plan(material, effect, (stretch,))
