"""Bytes of one message to an envelope or a tick; what is bad, and why.

A good message is decoded and validated in a single pass. Only when that fails is the message read
again record by record, so that one bad record costs nobody else anything.
"""

import datetime as dt
import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
from msgspec import Struct

from streams.events import (
    ENVELOPE_BYTES_MAX,
    ENVELOPE_TYPES,
    MESSAGE_TYPE,
    RECORD_TYPES,
    RECORDS_MAX,
    Dated,
    Envelope,
    HeartRateVariability,
    Record,
    Tick,
    Timed,
)

FUTURE_S = 300.0
"""How far ahead of ``timeReceived`` a device's clock may be (s)."""

NESTING_MAX = 200
"""How deep arrays and objects of a message may lie in each other; the contract needs six.

Decoders give up at a depth that depends on how deep their caller is: a worker and a replay would
judge alike by a number of their own alone, far below that.
"""

_EARLIEST_MIDNIGHT_S = 14 * 3_600
_REASON_CHARS = 200
_WHEN_FIELDS = frozenset({"time", "duration", "date", "recordId"})
_decoder: msgspec.json.Decoder[Tick | Envelope] = msgspec.json.Decoder(MESSAGE_TYPE)
_encode = msgspec.msgpack.Encoder().encode
_strings = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_quoted = re.compile(r" (['\"]).*\1", re.DOTALL)
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


R = TypeVar("R", bound=Struct)


class BadRecord(Struct, frozen=True):
    """One record set aside: its index in the envelope, and why."""

    index: int
    reason: str


class Refused(Struct, frozen=True):
    """A message that cannot be used at all, and why."""

    reason: str


class Partial(Struct, frozen=True):
    """An envelope of which some records were set aside or absent; ``envelope`` has the rest."""

    envelope: Envelope | None
    bad: tuple[BadRecord, ...]
    absent_count: int


def decode(value: bytes | None) -> Envelope | Tick | Partial | Refused:
    """Decode one message of an ingest topic. Never raises on bad input.

    Parameters
    ----------
    value
        The message's bytes.

    Returns
    -------
    Envelope or Tick
        When all of it is good.
    Partial
        When single records are bad (out of range, NaN, in the future) or ``null``, which in a
        vendor's series is absence.
    Refused
        When the structure is: empty, oversized or nested too deeply, broken JSON, unknown schema
        or version, bad envelope fields.
    """
    if not value:
        return Refused("empty message")
    if len(value) > ENVELOPE_BYTES_MAX:
        return Refused(f"oversized message: more than {ENVELOPE_BYTES_MAX} bytes")
    try:
        message = _decoder.decode(value)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError):
        return _decode_by_record(value)
    # The smallest level is `[]`.
    if len(value) > 2 * NESTING_MAX and _is_too_deep(value, message):
        return _TOO_DEEP
    if type(message) is Tick:
        return message
    envelope: Envelope = message  # type: ignore[assignment]  # the union leaves nothing else
    if _latest_time(envelope.records) > envelope.time_received + FUTURE_S:
        return _without_future(envelope, [], range(len(envelope.records)), absent_count=0)
    return envelope


def record_time(record: Record) -> float | None:
    """Event time (s UTC) of a timed record, None for a dated one."""
    if isinstance(record, Timed):
        return record.time
    return record.time if isinstance(record, HeartRateVariability) else None


def record_date(record: Record) -> dt.date | None:
    """Local date of a dated record, None for a timed one."""
    if isinstance(record, Dated):
        return record.date
    return record.date if isinstance(record, HeartRateVariability) else None


_TOO_DEEP = Refused(f"nested too deeply: more than {NESTING_MAX} levels")


def _is_too_deep(value: bytes, message: Tick | Envelope) -> bool:
    """Whether a good message is nested too deeply; mostly that is told without looking closely."""
    has_one_array = value.find(b"[") == value.rfind(b"[")
    # A level of objects takes more: `{"":}`.
    if has_one_array and len(value) <= 5 * NESTING_MAX:
        return False
    count = value.count(b"{") + (1 if has_one_array else value.count(b"["))
    # Of the records none lies in another.
    record_count = len(message.records) if isinstance(message, Envelope) else 0
    return count - record_count >= NESTING_MAX and _depth(value) > NESTING_MAX


def _depth(value: bytes) -> int:
    """How deep arrays and objects lie in each other; brackets in texts do not count."""
    brackets = np.frombuffer(_strings.sub(b"", value).translate(None, _ALL_BUT_BRACKETS), np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return int(steps.cumsum().max(initial=0))


def _latest_time(records: Sequence[Any]) -> float:
    """Latest instant of the records, for the check against the future (s UTC)."""
    if isinstance(records[0], Timed):
        latest: float = max([record.time for record in records])
        return latest
    return max(map(_instant, records))


def _instant(record: Record) -> float:
    time = record_time(record)
    if time is not None:
        return time
    date = record_date(record)
    if date is None:
        return 0.0
    # A date can have begun when it has begun in the easternmost zone.
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC).timestamp()
    return midnight - _EARLIEST_MIDNIGHT_S


def _without_future(
    envelope: Envelope, bad: list[BadRecord], indexes: Sequence[int], *, absent_count: int
) -> Partial:
    limit = envelope.time_received + FUTURE_S
    good = []
    for index, record in zip(indexes, envelope.records, strict=True):
        if _instant(record) > limit:
            bad.append(BadRecord(index, "time lies in the future of timeReceived"))
        else:
            good.append(record)
    kept = msgspec.structs.replace(envelope, records=good) if good else None
    return Partial(kept, tuple(bad), absent_count)


def _decode_by_record(value: bytes) -> Partial | Refused:
    """Decode a message of which something is bad, sparing what is good."""
    if value.count(b"{") + value.count(b"[") > NESTING_MAX and _depth(value) > NESTING_MAX:
        return _TOO_DEEP
    try:
        # The standard library reads NaN, so that a NaN costs its record only.
        # As text, for of bytes it would read UTF-16 and UTF-32, too.
        raw = json.loads(value.decode())
    except ValueError:
        return Refused("broken JSON")
    if not isinstance(raw, dict):
        return Refused("not a JSON object")
    schema = raw.get("schema")
    if not isinstance(schema, str) or schema not in RECORD_TYPES:
        return Refused("unknown schema or version")
    raw_records = raw.get("records")
    if not isinstance(raw_records, list) or not raw_records:
        return Refused("empty envelope: no records")
    if len(raw_records) > RECORDS_MAX:
        return Refused(f"oversized envelope: more than {RECORDS_MAX} records")
    good, indexes, bad, absent_count = _convert_records(raw_records, RECORD_TYPES[schema])
    try:
        header = _converted({**raw, "records": []}, _HEADERS[schema])
    except (msgspec.ValidationError, ValueError) as error:
        return Refused(f"bad envelope: {_told(error)}")
    if not good:
        return Partial(None, tuple(bad), absent_count)
    envelope = ENVELOPE_TYPES[schema](**{**msgspec.structs.asdict(header), "records": good})
    return _without_future(envelope, bad, indexes, absent_count=absent_count)


# The envelope without the rule that it must have records, to judge the other fields alone.
_HEADERS: dict[str, type[Envelope]] = {
    schema: cast(
        "type[Envelope]",
        msgspec.defstruct(
            "Header",
            [("records", list[Any])],
            bases=(Envelope,),
            tag_field="schema",
            tag=schema,
            frozen=True,
            kw_only=True,
            rename="camel",
        ),
    )
    for schema in RECORD_TYPES
}


def _convert_records(
    raw_records: list[Any], record_type: type[Record]
) -> tuple[list[Record], list[int], list[BadRecord], int]:
    good: list[Record] = []
    indexes: list[int] = []
    bad: list[BadRecord] = []
    absent_count = 0
    for index, raw in enumerate(raw_records):
        try:
            good.append(_converted(raw, record_type))
            indexes.append(index)
        except (msgspec.ValidationError, ValueError) as error:
            if _is_absence(raw):
                absent_count += 1
            else:
                bad.append(BadRecord(index, f"bad record: {_told(error)}"))
    return good, indexes, bad, absent_count


def _converted(raw: object, kind: type[R]) -> R:
    """What was read as a struct.

    Raises
    ------
    ValueError
        If it breaks the contract, or holds half of a surrogate pair: no text that could be written.
    """
    try:
        struct = msgspec.convert(raw, kind)
        _encode(struct)
    except UnicodeEncodeError as error:
        raise ValueError("text that is not Unicode") from error
    return struct


def _told(error: Exception) -> str:
    """What is wrong and where, without what was sent: reasons are read by people and go far."""
    return _quoted.sub("", str(error))[:_REASON_CHARS]


def _is_absence(raw: object) -> bool:
    return isinstance(raw, dict) and any(
        value is None for name, value in raw.items() if name not in _WHEN_FIELDS
    )
