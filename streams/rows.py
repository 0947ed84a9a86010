"""Rows of one subject: the values and coverage of a window, as they are said to the world."""

import math
from collections.abc import Container, Iterator

import msgspec
from msgspec import Struct

from streams.events import FeatureRow, MinuteRows, Subject, WindowKind
from streams.features import compute
from streams.features.base import Bounds, Values, Window
from streams.features.digest import digest_of
from streams.features.heart_rate import minute_values
from streams.history import NO_PAST, DayDigest, Digest, NightDigest, Past
from streams.localtime import date_of_index
from streams.packing import pack_small, unpack_small
from streams.timeline import Timeline
from streams.unsettled import Place
from streams.windows import due_s, settling_order

SYNC_GAPS_MAX = 28
"""Days on which something arrived that the usual time between uploads is taken from."""

SYNC_GAPS_MIN = 7
"""Fewest such days before there is a usual time."""

TOLD_BY_SUBJECT = frozenset({"silence_h", "sync_gap_usual_h"})
"""Values that no window shows by itself."""

SYNC_QUANTILE = 0.9
"""Share of days on which the longest time between uploads was no longer than usual."""


class Shown(Struct, frozen=True, array_like=True):
    """A provisional row as it was last said, its names in order.

    ``digest``: what rows of later dates read of it.
    ``said_minute``: of a night or day, the clock's minute when it was last said.
    """

    bounds: Bounds
    utc_offset: int
    values: Values
    coverage: Values
    revision: int
    digest: Digest | None = None
    said_minute: int = 0

    def is_same(self, other: "Shown") -> bool:
        """Whether the rows differ in their revision alone."""
        return (
            self.bounds == other.bounds
            and self.utc_offset == other.utc_offset
            and self.values == other.values
            and self.coverage == other.coverage
        )

    def repeated(self, extra: Values) -> "Shown":
        """The same with the next revision, and with what the subject tells of the window now."""
        told = {name: value for name, value in self.values.items() if name not in TOLD_BY_SUBJECT}
        values = dict(sorted({**told, **extra}.items()))
        return msgspec.structs.replace(
            self, values=values, revision=self.revision + 1, said_minute=0
        )


_SHORT_LIMIT = 2**32
"""Whole numbers from here on take as much room as any other."""

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Shown)

# Places of a day's rows, in the order in which those with the same end settle.
_HOURS, _NIGHT, _DAY = range(24), range(24, 25), range(25, 26)
_DATED = range(_NIGHT.start, _DAY.stop)
_PLACES_OF = {WindowKind.HOUR: _HOURS, WindowKind.NIGHT: _NIGHT, WindowKind.DAY: _DAY}
_PLACES = _DAY.stop


class ShownRows:
    """The unsettled rows of a subject as they were last said, packed: there are a hundred."""

    __slots__ = ("_days", "_hours")

    def __init__(self) -> None:
        self._hours = Timeline()
        # Day (since the epoch) -> its hours (UTC), night and day: a place for each takes a fraction
        # of what a key for each does.
        self._days: dict[int, list[bytes | None]] = {}

    def __contains__(self, bounds: Bounds) -> bool:
        """Whether the row of a window was said."""
        return self._packed(bounds) is not None

    def hours(self, first: int, stop: int) -> int:
        """Bits of the hours from ``first`` up to ``stop`` (since the epoch) whose row was said."""
        return self._hours.between(first, stop)

    def place_of(self, bounds: Bounds) -> Place:
        """Where a window lies among the hours, or the nights and days, whose row was said."""
        own, last = _place(bounds), self._last(_HOURS if bounds.kind is WindowKind.HOUR else _DATED)
        if own > last:
            return Place.AFTER
        return Place.LAST if own == last else Place.WITHIN

    def get(self, bounds: Bounds) -> Shown | None:
        """The row of a window, None when it was never said."""
        packed = self._packed(bounds)
        return None if packed is None else _unpack(packed)

    def put(self, shown: Shown) -> None:
        """Keep a row in the place of the one said before."""
        day, place = _place(shown.bounds)
        if day not in self._days:
            self._days[day] = [None] * _PLACES
        self._days[day][place] = _pack(shown)
        if shown.bounds.kind is WindowKind.HOUR:
            self._hours.add(day * 24 + place, day * 24 + place + 1)

    def pop(self, bounds: Bounds) -> Shown | None:
        """Give the row of a window and forget it."""
        shown, (day, place) = self.get(bounds), _place(bounds)
        if shown is not None:
            self._days[day][place] = None
            if not any(self._days[day]):
                del self._days[day]
        if bounds.kind is WindowKind.HOUR:
            self._hours.forget_before(day * 24 + place + 1)
        return shown

    def in_order(self, lateness_s: float, kinds: Container[WindowKind]) -> list[Shown]:
        """Rows of some kinds in the order in which their windows will settle."""
        places = [place for kind, own in _PLACES_OF.items() if kind in kinds for place in own]
        packed = (rows[place] for rows in self._days.values() for place in places)
        shown = [_unpack(row) for row in packed if row is not None]
        shown.sort(key=lambda row: settling_order(row.bounds, due_s(row.bounds, lateness_s)))
        return shown

    def past(self, bounds: Bounds) -> Past:
        """Digests of the rows of a kind, of dates before a window's, the oldest first."""
        if bounds.kind is WindowKind.HOUR:
            return NO_PAST
        dates = sorted(date for date in self._days if date < bounds.date)
        rows = ((date, self._days[date][_place(bounds)[1]]) for date in dates)
        found = {date: _unpack(row).digest for date, row in rows if row is not None}
        return Past(
            {date: kept for date, kept in found.items() if isinstance(kept, NightDigest)},
            {date: kept for date, kept in found.items() if isinstance(kept, DayDigest)},
        )

    def days(self) -> set[int]:
        """Days (since the epoch) that have rows: an hour's in UTC, a night's and a day's own."""
        return set(self._days)

    def sign_of(self, day: int) -> int:
        """A number that differs, within this process, whenever a day has other rows."""
        return hash(tuple(self._of_day(day)))

    def to_state(self, day: int) -> list[msgspec.Raw]:
        """The rows of a day, each as it is encoded."""
        return [msgspec.Raw(unpack_small(packed)) for packed in self._of_day(day)]

    def add_state(self, state: list[msgspec.Raw]) -> None:
        """Take in the rows of a day as they were.

        Raises
        ------
        msgspec.DecodeError
            When one of them is damaged.
        """
        for encoded in state:
            self.put(_decoder.decode(encoded))

    def _of_day(self, day: int) -> Iterator[bytes]:
        return (row for row in self._days.get(day, ()) if row is not None)

    def _packed(self, bounds: Bounds) -> bytes | None:
        day, place = _place(bounds)
        return self._days[day][place] if day in self._days else None

    def _last(self, places: range) -> tuple[int, int]:
        """Day and place of the last row in some places of each day; (-1, -1) without one."""
        for day in sorted(self._days, reverse=True):
            rows = self._days[day]
            for place in reversed(places):
                if rows[place] is not None:
                    return day, place
        return -1, -1


def _place(bounds: Bounds) -> tuple[int, int]:
    """Day (since the epoch), and place among the rows of a day."""
    if bounds.kind is WindowKind.HOUR:
        return divmod(bounds.start // 60, 24)
    return bounds.date, _PLACES_OF[bounds.kind][0]


def _pack(shown: Shown) -> bytes:
    values, coverage = _short(shown.values), _short(shown.coverage)
    return pack_small(_encode(msgspec.structs.replace(shown, values=values, coverage=coverage)))


def _short(values: Values) -> Values:
    """Whole numbers as such, which takes up to eight bytes less; read back, they are as they were.

    Not a zero below zero, which has no such form.
    """
    return {
        name: int(value) if value.is_integer() and _is_short(value) else value
        for name, value in values.items()
    }


def _is_short(whole: float) -> bool:
    return abs(whole) < _SHORT_LIMIT if whole else math.copysign(1.0, whole) > 0.0


def _unpack(packed: bytes) -> Shown:
    return _decoder.decode(unpack_small(packed))


class SyncGaps(Struct):
    """Longest times between uploads (h) of the last days on which something arrived."""

    hours: list[int] = []

    def usual_h(self) -> float | None:
        """The usual longest time between uploads (h); None before a week of such days."""
        if len(self.hours) < SYNC_GAPS_MIN:
            return None
        ordered = sorted(self.hours)
        return float(ordered[int(SYNC_QUANTILE * (len(ordered) - 1))])

    def settle_day(self, bounds: Bounds, received_hours: Timeline) -> None:
        """Take in a settled day: the longest time without an upload that ended on it."""
        longest = 0
        hour: int | None = received_hours.first_from(-(-bounds.start // 60))
        while hour is not None and hour * 60 < bounds.stop:
            previous = received_hours.last_before(hour)
            if previous is not None:
                longest = max(longest, hour - previous)
            hour = received_hours.first_from(hour + 1)
        if longest:
            self.hours = [*self.hours[-SYNC_GAPS_MAX + 1 :], longest]


def compute_shown(window: Window, *, extra: Values, revision: int) -> Shown:
    """Compute a window's row and its digest; ``extra`` values are told by the subject."""
    values, coverage = compute(window)
    values.update(extra)
    bounds = window.bounds
    offset_min = window.evidence.offsets.at(bounds.stop, bounds.zone)
    values, coverage = (dict(sorted(named.items())) for named in (values, coverage))
    return Shown(bounds, offset_min * 60, values, coverage, revision, digest_of(window))


def feature_row(
    shown: Shown, user_id: str, subject: Subject, *, epoch: int, settled: bool = False
) -> FeatureRow:
    """The public row of a window.

    Its device is the one in force in the middle of it: of a night that of the sleeping hours.
    """
    bounds = shown.bounds
    return FeatureRow(
        user_id=user_id,
        project_id=subject.project_id,
        care_team=subject.care_team,
        device_type=subject.device_type_at((bounds.start + bounds.stop) * 30.0),
        status=subject.status,
        window=bounds.kind,
        start=bounds.start * 60.0,
        end=bounds.stop * 60.0,
        local_date=date_of_index(bounds.date),
        utc_offset=shown.utc_offset,
        values=shown.values,
        coverage=shown.coverage,
        revision=shown.revision,
        settled=settled,
        epoch=epoch,
    )


def minute_rows(row: FeatureRow, window: Window, only: int | None) -> MinuteRows | None:
    """Minutes of an hour in one message; ``only`` are the bits of the minutes to say, None: all.

    None when there is no such minute with a value.
    """
    minutes = minute_values(window, only)
    if not minutes:
        return None
    return MinuteRows(
        user_id=row.user_id,
        project_id=row.project_id,
        care_team=row.care_team,
        device_type=row.device_type,
        status=row.status,
        start=row.start,
        end=row.end,
        local_date=row.local_date,
        utc_offset=row.utc_offset,
        minutes=minutes,
        revision=row.revision,
        settled=row.settled,
        epoch=row.epoch,
    )


def rows_of_minutes(row: FeatureRow, rows: MinuteRows) -> list[FeatureRow]:
    """Each minute as a row of its own, for limits that a site sets on minutes."""
    return [
        msgspec.structs.replace(
            row,
            window=WindowKind.MINUTE,
            start=minute.start,
            end=minute.start + 60.0,
            values=minute.values,
            coverage={},
        )
        for minute in rows.minutes
    ]
