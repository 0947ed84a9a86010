"""The gate of one message: structural faults, consent, and what may be kept of what is refused."""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from msgspec import Struct

from streams.decoding import BadRecord, Partial, Refused, decode, record_date, record_time
from streams.errors import fault_place
from streams.events import (
    ENVELOPE_SCHEMAS,
    RECORD_TYPES,
    TOPIC_OF_SCHEMA,
    DeadLetter,
    Envelope,
    HeartRateVariability,
    Interval,
    Record,
    Tick,
    Timed,
)
from streams.listed import record_start_s
from streams.localtime import date_index, zone_offset_min
from streams.registry import Enrolment

Message = Envelope | Tick | Partial | Refused


Fault = tuple[str, int | None]
"""A reason, and the index of the record that it is about; None for the whole message."""


class LogRecord(Protocol):
    """A message as it lies in a log; what Kafka's clients hand out fits as it is."""

    @property
    def offset(self) -> int:
        """Place in the log of its topic-partition."""

    @property
    def key(self) -> bytes | None:
        """Key: the subject's id."""

    @property
    def value(self) -> bytes | None:
        """The envelope or tick, as bytes."""


class Bare(Struct, frozen=True):
    """What is left of a message whose payload must not be kept."""

    offset: int
    key: bytes | None = None
    value: bytes | None = None


def read(record: LogRecord) -> Message:
    """Decode a message; where the code fails on it, that is what is wrong with it."""
    try:
        return decode(record.value)
    except Exception as error:  # whatever the fault is, it must not stop everybody's processing
        return Refused(failure_reason(error))


def failure_reason(error: Exception) -> str:
    """Why a message is refused on which the code failed: the place, never a value."""
    return f"the code failed: {fault_place(error)}"


def envelope_of(message: Message) -> Envelope | None:
    """The usable envelope of a decoded message, None if there is none."""
    if isinstance(message, Partial):
        return message.envelope
    return message if isinstance(message, Envelope) else None


def fault_of(
    topic: str, record: LogRecord, message: Message
) -> tuple[str | None, Sequence[BadRecord]]:
    """Why a whole message is refused (None if it is not), and its bad records."""
    if isinstance(message, Refused):
        return message.reason, ()
    if isinstance(message, Tick):
        return "a tick under a key of its own", ()
    bad = message.bad if isinstance(message, Partial) else ()
    envelope = envelope_of(message)
    if envelope is None:
        return None, bad
    if TOPIC_OF_SCHEMA[ENVELOPE_SCHEMAS[type(envelope)]] != topic:
        return "schema does not belong to this topic", ()
    if record.key is None or record.key != envelope.user_id.encode():
        return "key is not the envelope's userId", ()
    return None, bad


def faults_told(reason: str | None, bad: Sequence[BadRecord]) -> list[Fault]:
    """What is wrong with a message, the message itself first, then its records."""
    whole: list[Fault] = [] if reason is None else [(reason, None)]
    return whole + [(fault.reason, fault.index) for fault in bad]


def letters_of(
    topic: str, partition: int, record: LogRecord, faults: Sequence[Fault]
) -> Iterator[DeadLetter]:
    """A dead letter for each fault of a message; only the first carries it, for it may be large."""
    for place, (reason, index) in enumerate(faults):
        yield DeadLetter(
            topic=topic,
            partition=partition,
            offset=record.offset,
            reason=reason,
            key=record.key if place == 0 else None,
            value=record.value if place == 0 else None,
            index=index,
        )


def may_keep(topic: str, envelope: Envelope | None, enrolment: Enrolment | None) -> bool:
    """Whether the payload of a refused message may go to the dead-letter topic.

    Only if the subject it speaks of is enrolled here and has consented to what it is; where its
    type cannot be told, to any type of its topic.
    """
    if enrolment is None or enrolment.is_withdrawn:
        return False
    if envelope is not None:
        schemas = [ENVELOPE_SCHEMAS[type(envelope)]]
        moment = envelope.time_received
    else:
        schemas = [schema for schema, place in TOPIC_OF_SCHEMA.items() if place == topic]
        moment = enrolment.after
    for schema in schemas:
        since, until = enrolment.consent.get(_name(schema), _NEVER)
        if since <= moment < until or (envelope is None and moment < since < until):
            return True
    return False


class Admitted(Struct, frozen=True):
    """Records that may be taken in, and where the first of them begins (s UTC)."""

    records: list[Any]
    first_s: float


def admit(envelope: Envelope, schema: str, enrolment: Enrolment) -> Admitted:
    """The records that consent and the source's terms cover wholly; the rest is refused."""
    since, until = enrolment.consent.get(_name(schema), _NEVER)
    source = enrolment.source(envelope.source_id)
    since, until = max(since, source.from_s), min(until, source.until_s)
    records = envelope.records
    if since >= until:
        return Admitted([], math.inf)
    if schema in POINT_SCHEMAS:
        # The hot path: samples, of which nearly always all are covered.
        times = [record.time for record in records]
        first_s = min(times)
        if first_s >= since and max(times) < until:
            return Admitted(records, first_s)
    zone = enrolment.subject.time_zone
    covered = []
    for record in records:
        start_s, end_s = _extent(record, zone)
        if start_s >= since and (end_s <= until if end_s > start_s else start_s < until):
            covered.append(record)
    return Admitted(covered, min(map(record_start_s, covered), default=math.inf))


POINT_SCHEMAS = frozenset(
    schema
    for schema, record_type in RECORD_TYPES.items()
    if issubclass(record_type, Timed) and not issubclass(record_type, Interval)
)
"""Schemas of records at an instant."""

_EPOCH = dt.date(1970, 1, 1)
_NEVER = (math.inf, -math.inf)


def _name(schema: str) -> str:
    return schema.partition("/")[0]


def _extent(record: Record, zone: str) -> tuple[float, float]:
    """Where a record begins and ends (s UTC); a dated one by the subject's zone."""
    time = record_time(record)
    if time is not None:
        if isinstance(record, Interval | HeartRateVariability):
            return time, time + (record.duration or 0.0)
        return time, time
    date = record_date(record)
    if date is None or date < _EPOCH:
        # Nobody consented to a time before the epoch; of the first dates no local time can be told.
        return -math.inf, math.inf
    start_s = date_index(date) * 86_400.0
    return (
        start_s - zone_offset_min(zone, int(start_s // 900)) * 60.0,
        start_s + 86_400.0 - zone_offset_min(zone, int(start_s // 900) + 96) * 60.0,
    )
