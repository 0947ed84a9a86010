"""Episodes, stages, dated records and other single records of one subject, beside the grid.

(source, type, ``recordId`` or time) keeps one record: the one with the larger ``timeReceived``,
then the later in the log, wholly. Without ``recordId``, some types need more than their time to be
told apart. Records are kept encoded, by type, source and date.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter, eq, itemgetter

import msgspec
from msgspec import Struct

from streams.decoding import record_date, record_time
from streams.events import (
    RECORD_TYPES,
    SCHEMA_OF_TYPE,
    Interval,
    MoodCheckIn,
    PhoneAppUsage,
    PhoneCall,
    PhoneMessage,
    Record,
    Timed,
)
from streams.instants import instant_bytes, instants_of
from streams.localtime import date_end_s, date_index
from streams.packing import pack_small, unpack_small

Source = tuple[int, str]


class Entry(Struct, frozen=True, array_like=True):
    """One record as kept: when it was received (s UTC), and its bytes."""

    received: float
    record: msgspec.Raw


class Placed(Struct, frozen=True):
    """What adding a record did: from when on windows may read otherwise (s UTC), or nothing."""

    changed_from_s: float | None
    is_late: bool = False


_encoder = msgspec.msgpack.Encoder()
_entries_decoder = msgspec.msgpack.Decoder(list[Entry])
_record_decoders = {
    schema: msgspec.msgpack.Decoder(record_type) for schema, record_type in RECORD_TYPES.items()
}
# All records of a day at once, which takes a fraction of decoding one after the other.
_day_decoders = {
    schema: msgspec.msgpack.Decoder(
        list[tuple[float, record_type]]  # type: ignore[valid-type]  # it is a value
    )
    for schema, record_type in RECORD_TYPES.items()
}

_record_of = itemgetter(1)

REVISION_HORIZON_S = 5 * 86_400
"""A record that began this long (s) before what is late is not revised any more."""


def _pack(entries: list[Entry]) -> bytes:
    """Records of a day repeat their names and much else: compressed they take a quarter."""
    return pack_small(_encoder.encode(entries))


def _unpack(packed: bytes) -> list[Entry]:
    return _entries_decoder.decode(unpack_small(packed))


def record_start_s(record: Record) -> float:
    """Where a record begins (s UTC); of a dated one the last minute of its date on Earth."""
    time = record_time(record)
    if time is not None:
        return time
    date = record_date(record)
    return float(date_end_s(date_index(date)) - 60) if date is not None else 0.0


_start_getters: dict[str, Callable[[Record], float]] = {
    schema: attrgetter("time") if issubclass(record_type, Timed) else record_start_s
    for schema, record_type in RECORD_TYPES.items()
}


def _day_of(record: Record) -> int:
    time = record_time(record)
    if time is not None:
        return int(time // 86_400)
    date = record_date(record)
    return date_index(date) if date is not None else 0


_TELLING: Mapping[type, tuple[str, ...]] = {
    PhoneAppUsage: ("category",),
    PhoneCall: ("type", "target"),
    PhoneMessage: ("type", "target"),
    MoodCheckIn: ("instrument",),
}
"""What tells records of one time apart: two categories of one hour, two questionnaires at once."""

_APART = frozenset(SCHEMA_OF_TYPE[record_type] for record_type in _TELLING)


Identity = str | tuple[object, ...]


def _apart_getter(schema: str, record_type: type) -> Callable[[Record], tuple[object, ...]]:
    if record_type in _TELLING:
        return attrgetter("time", *_TELLING[record_type])
    start_s = _start_getters[schema]
    return lambda record: (start_s(record),)


_apart_getters = {
    record_type: _apart_getter(schema, record_type) for schema, record_type in RECORD_TYPES.items()
}


def _identity(record: Record) -> Identity:
    """What a record stands for: its ``recordId``, or its time and what tells it from others."""
    return record.record_id or _apart_getters[type(record)](record)


class Columns(Struct):
    """Records of one type and source on one day, as `instant_bytes` and without their times.

    ``rest``: all as if they had the first one's time; as they are where one has none.
    """

    received: bytes
    times: bytes
    rest: list[msgspec.Raw]


DayRecords = list[tuple[str, int, str, Columns | list[Entry]]]
"""Of one day: type, source (priority, id), and the records; whole ones of state version 1."""


class Listed:
    """The single records of one subject that unsettled windows may still read."""

    __slots__ = ("_days", "_last_ends_s")

    def __init__(self) -> None:
        # schema -> source -> day since the epoch -> encoded entries
        self._days: dict[str, dict[Source, dict[int, bytes]]] = {}
        # schema of intervals -> an instant (s UTC) by which all of them have ended
        self._last_ends_s: dict[str, float] = {}

    def add(
        self,
        schema: str,
        source: Source,
        records: Sequence[Record],
        *,
        received: float,
        cutoff_s: float,
    ) -> list[Placed]:
        """Add the records of an envelope in their order, or let them revise those they stand for.

        ``cutoff_s``: what begins before it is late; a revision of a record that begins before it
        is late too, for windows have settled on what it would take back.
        """
        days = self._days.setdefault(schema, {}).setdefault(source, {})
        # What is forgotten depends on other topics, so what may be found must not: hence the
        # horizon, which lies inside what `forget_before` keeps.
        opened = _Opened(schema, days, cutoff_s - REVISION_HORIZON_S)
        placed = [opened.place(record, received, cutoff_s) for record in records]
        opened.close()
        if schema in self._last_ends_s:
            ends_s = [
                record.time + record.duration
                for record, one in zip(records, placed, strict=True)
                if one.changed_from_s is not None and isinstance(record, Interval)
            ]
            self._last_ends_s[schema] = max([self._last_ends_s[schema], *ends_s])
        return placed

    def reading(self) -> "ListedReading":
        """What it holds now, to be read type by type."""
        return ListedReading(self._days, self._last_ends_s)

    def forget_before(self, day: int) -> None:
        """Drop the records that begin before a day (since the epoch)."""
        for schema in list(self._days):
            for source in list(self._days[schema]):
                days = self._days[schema][source]
                for old in [key for key in days if key < day]:
                    del days[old]
                if not days:
                    del self._days[schema][source]
            if not self._days[schema]:
                del self._days[schema]

    def days(self) -> set[int]:
        """Days (since the epoch) on which kept records begin."""
        return {day for sources in self._days.values() for days in sources.values() for day in days}

    def sign_of(self, day: int) -> int:
        """A number that differs, within this process, whenever a day holds other records."""
        return hash(tuple(self._packed(day)))

    def to_state(self, day: int) -> DayRecords:
        """The records of a day."""
        return [
            (schema, *source, _to_columns(schema, _unpack(packed)))
            for schema, source, packed in self._packed(day)
        ]

    def add_state(self, day: int, state: DayRecords) -> None:
        """Take in a day as it was."""
        for schema, priority, source_id, kept in state:
            entries = _from_columns(schema, kept) if isinstance(kept, Columns) else kept
            sources = self._days.setdefault(schema, {})
            sources.setdefault((priority, source_id), {})[day] = _pack(entries)

    def _packed(self, day: int) -> Iterator[tuple[str, Source, bytes]]:
        for schema, sources in sorted(self._days.items()):
            for source, days in sorted(sources.items()):
                if day in days:
                    yield schema, source, days[day]


class ListedReading:
    """Single records, to be read while none is added; each type and stretch is decoded once."""

    __slots__ = ("_days", "_found", "_last_ends_s")

    def __init__(
        self,
        days: Mapping[str, Mapping[Source, Mapping[int, bytes]]],
        last_ends_s: dict[str, float],
    ) -> None:
        self._days = days
        self._last_ends_s = last_ends_s
        self._found: dict[tuple[str, Source, int, int], list[Record]] = {}

    def read(self, schema: str, first_day: int, last_day: int) -> Iterator[tuple[Source, Record]]:
        """Records of a type that begin on the given days (since the epoch, both included).

        Sources come in the order of their priority, records in the order of their beginning.
        """
        for source in sorted(self._days.get(schema, ())):
            for record in self._of(schema, source, first_day, last_day):
                yield source, record

    def have_ended(self, schema: str, instant_s: float) -> bool:
        """Whether all intervals of a type have ended by an instant (s UTC).

        Asked of every hour, and mostly so: the answer is kept, and found once after a restart.
        """
        if schema not in self._last_ends_s:
            by_source = self._days.get(schema, {})
            days = {day for kept in by_source.values() for day in kept}
            told = self.read(schema, min(days), max(days)) if days else ()
            ends_s = (r.time + r.duration for _, r in told if isinstance(r, Interval))
            self._last_ends_s[schema] = max(ends_s, default=-math.inf)
        return self._last_ends_s[schema] <= instant_s

    def of_first(self, schema: str, first_day: int, stop_s: float) -> list[Record]:
        """Records of a type that begin before ``stop_s``, of the source that goes first.

        Only sources count that have any such record from ``first_day`` on.
        """
        for source in sorted(self._days.get(schema, ())):
            read = self._of(schema, source, first_day, int(stop_s // 86_400))
            start_s = _start_getters[schema]
            is_ahead = bool(read) and start_s(read[-1]) >= stop_s
            begun = [record for record in read if start_s(record) < stop_s] if is_ahead else read
            if begun:
                return begun
        return []

    def _of(self, schema: str, source: Source, first_day: int, last_day: int) -> list[Record]:
        """Records of one source, in the order of their beginning."""
        key = schema, source, first_day, last_day
        if key not in self._found:
            days, decode = self._days[schema][source], _day_decoders[schema].decode
            told: list[Record] = []
            for day in range(first_day, last_day + 1):
                if day in days:
                    told += map(_record_of, decode(unpack_small(days[day])))
            self._found[key] = _in_order(schema, told)
        return self._found[key]


def _to_columns(schema: str, entries: list[Entry]) -> Columns:
    received = instant_bytes(entry.received for entry in entries)
    records = [_record_decoders[schema].decode(entry.record) for entry in entries]
    times = [time for record in records if (time := record_time(record)) is not None]
    if len(times) < len(records):
        return Columns(received, b"", [entry.record for entry in entries])
    return Columns(received, instant_bytes(times), [_at(record, times[0]) for record in records])


def _from_columns(schema: str, columns: Columns) -> list[Entry]:
    rest = columns.rest
    if columns.times:
        records = map(_record_decoders[schema].decode, rest)
        rest = [_at(*told) for told in zip(records, instants_of(columns.times), strict=True)]
    return [
        Entry(received, record)
        for received, record in zip(instants_of(columns.received), rest, strict=True)
    ]


def _at(record: Record, time: float) -> msgspec.Raw:
    """A timed record encoded as if it had another time."""
    return msgspec.Raw(_encoder.encode(msgspec.structs.replace(record, time=time)))


class _Opened:
    """The days of one type and source that an envelope touches: opened once, and packed once."""

    __slots__ = ("_changed", "_days", "_horizon_s", "_known", "_schema", "_told", "_unread")

    def __init__(self, schema: str, days: dict[int, bytes], horizon_s: float) -> None:
        self._schema = schema
        self._days = days
        self._horizon_s = horizon_s
        self._unread = sorted(days)  # for ids; the newest comes first, for most revisions are of it
        self._told: dict[int, list[tuple[float, Record]]] = {}
        # Where, in the lists of `_told`, that lies which may be revised: day and place.
        self._known: dict[Identity, tuple[int, int]] = {}
        self._changed: dict[int, list[Entry | None]] = {}

    def place(self, record: Record, received: float, cutoff_s: float) -> Placed:
        """Add a record, or let it revise the one it stands for."""
        identity, start_s = _identity(record), record_start_s(record)
        day, changed_from_s = _day_of(record), start_s
        found = self._find(record, identity)
        if found is not None:
            old_day, place = found
            old_received, old = self._told[old_day][place]
            if received < old_received or (received == old_received and old == record):
                return Placed(None)
            changed_from_s = min(start_s, record_start_s(old))
            if changed_from_s < cutoff_s:
                return Placed(None, is_late=True)
            self._entries(old_day)[place] = None
        self._open(day)
        if start_s >= self._horizon_s:
            self._known[identity] = day, len(self._told[day])
        self._entries(day).append(Entry(received, msgspec.Raw(_encoder.encode(record))))
        self._told[day].append((received, record))
        return Placed(changed_from_s)

    def close(self) -> None:
        """Pack what has changed."""
        for day, entries in self._changed.items():
            kept = [entry for entry in entries if entry is not None]
            if kept:
                self._days[day] = _pack(kept)
            else:
                self._days.pop(day, None)

    def _find(self, record: Record, identity: Identity) -> tuple[int, int] | None:
        """Where that lies which stands for the same thing; a vendor may have moved its day."""
        if record.record_id is None:
            self._open(_day_of(record))
        while record.record_id is not None and identity not in self._known and self._unread:
            self._open(self._unread.pop())
        return self._known.get(identity)

    def _open(self, day: int) -> None:
        if day in self._told:
            return
        self._told[day] = []
        if day not in self._days:
            return
        told = self._told[day] = _day_decoders[self._schema].decode(unpack_small(self._days[day]))
        is_within = day * 86_400.0 >= self._horizon_s
        for place, (_, record) in enumerate(told):
            if is_within or record_start_s(record) >= self._horizon_s:
                self._known[_identity(record)] = day, place

    def _entries(self, day: int) -> list[Entry | None]:
        """The entries of a day, to be changed; None stands for one that was taken away."""
        if day not in self._changed:
            self._changed[day] = [*_unpack(self._days[day])] if day in self._days else []
        return self._changed[day]


def _in_order(schema: str, found: list[Record]) -> list[Record]:
    """Records in the order of their beginning; of one instant, by what they stand for."""
    start_s = _start_getters[schema]
    found.sort(key=start_s)
    starts = list(map(start_s, found))
    if any(map(eq, starts, starts[1:])) and (
        # Without ids, what begins at the same time is the same record of most types.
        schema in _APART or any(record.record_id is not None for record in found)
    ):
        found.sort(key=lambda record: (start_s(record), str(_identity(record))))
    return found
