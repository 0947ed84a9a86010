"""Rows of one subject: the values and coverage of a window, as they are said to the world."""

from collections.abc import Container

import msgspec
from msgspec import Struct

from streams.events import FeatureRow, MinuteRows, Subject, WindowKind
from streams.evidence import Evidence
from streams.features import compute
from streams.features.base import Bounds, Values, Window
from streams.features.digest import digest_of
from streams.features.heart_rate import minute_values
from streams.history import NO_PAST, DayDigest, Digest, NightDigest, Past
from streams.localtime import date_of_index
from streams.packing import pack_small, unpack_small
from streams.timeline import Timeline
from streams.windows import ORDER, due_s, settling_order

SYNC_GAPS_MAX = 28
"""Days on which something arrived that the usual time between uploads is taken from."""

SYNC_GAPS_MIN = 7
"""Fewest such days before there is a usual time."""

TOLD_BY_SUBJECT = frozenset({"silence_h", "sync_gap_usual_h"})
"""Values that no window shows by itself."""

SYNC_QUANTILE = 0.9
"""Share of days on which the longest time between uploads was no longer than usual."""


class Shown(Struct, frozen=True, array_like=True):
    """A provisional row as it was last said; ``digest``: what rows of later dates read of it.

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
        return msgspec.structs.replace(
            self, values={**told, **extra}, revision=self.revision + 1, said_minute=0
        )


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Shown)


class ShownRows:
    """The unsettled rows of a subject as they were last said, packed: there are a hundred."""

    __slots__ = ("_packed",)

    def __init__(self) -> None:
        self._packed: dict[tuple[WindowKind, int], bytes] = {}

    def __contains__(self, bounds: Bounds) -> bool:
        """Whether the row of a window was said."""
        return _key(bounds) in self._packed

    def hours(self, first: int, stop: int) -> int:
        """Bits of the hours from ``first`` up to ``stop`` (since the epoch) whose row was said."""
        said = 0
        for kind, hour in self._packed:
            if kind is WindowKind.HOUR and first <= hour < stop:
                said |= 1 << (hour - first)
        return said

    def is_last(self, bounds: Bounds) -> bool:
        """Whether a window follows all those of its kind, nights and days being of one."""
        if bounds.kind is WindowKind.HOUR:
            later = bounds.start // 60
            return all(kind is not WindowKind.HOUR or at < later for kind, at in self._packed)
        own = bounds.date, ORDER[bounds.kind]
        dated = ((at, ORDER[kind]) for kind, at in self._packed if kind is not WindowKind.HOUR)
        return all(before < own for before in dated)

    def get(self, bounds: Bounds) -> Shown | None:
        """The row of a window, None when it was never said."""
        packed = self._packed.get(_key(bounds))
        return None if packed is None else _unpack(packed)

    def put(self, shown: Shown) -> None:
        """Keep a row in the place of the one said before."""
        self._packed[_key(shown.bounds)] = _pack(shown)

    def pop(self, bounds: Bounds) -> Shown | None:
        """Give the row of a window and forget it."""
        packed = self._packed.pop(_key(bounds), None)
        return None if packed is None else _unpack(packed)

    def in_order(
        self, lateness_s: float, kinds: Container[WindowKind] = tuple(WindowKind)
    ) -> list[Shown]:
        """Rows in the order in which their windows will settle."""
        packed = [packed for (kind, _), packed in self._packed.items() if kind in kinds]
        shown = list(map(_unpack, packed))
        shown.sort(key=lambda row: settling_order(row.bounds, due_s(row.bounds, lateness_s)))
        return shown

    def past(self, bounds: Bounds) -> Past:
        """Digests of the rows of a kind, of dates before a window's, the oldest first."""
        if bounds.kind is WindowKind.HOUR:
            return NO_PAST
        keys = sorted(k for k in self._packed if k[0] is bounds.kind and k[1] < bounds.date)
        found = {key[1]: _unpack(self._packed[key]).digest for key in keys}
        return Past(
            {date: kept for date, kept in found.items() if isinstance(kept, NightDigest)},
            {date: kept for date, kept in found.items() if isinstance(kept, DayDigest)},
        )

    def days(self) -> set[int]:
        """Days (since the epoch) that have rows: an hour's in UTC, a night's and a day's own."""
        return {_day(key) for key in self._packed}

    def sign_of(self, day: int) -> int:
        """A number that differs, within this process, whenever a day has other rows."""
        return hash(tuple(self._packed[key] for key in self._keys_of(day)))

    def to_state(self, day: int) -> list[Shown]:
        """The rows of a day."""
        return [_unpack(self._packed[key]) for key in self._keys_of(day)]

    def add_state(self, state: list[Shown]) -> None:
        """Take in the rows of a day as they were."""
        for shown in state:
            self.put(shown)

    def _keys_of(self, day: int) -> list[tuple[WindowKind, int]]:
        return sorted(key for key in self._packed if _day(key) == day)


def _key(bounds: Bounds) -> tuple[WindowKind, int]:
    return bounds.kind, bounds.start // 60 if bounds.kind is WindowKind.HOUR else bounds.date


def _day(key: tuple[WindowKind, int]) -> int:
    kind, place = key
    return place // 24 if kind is WindowKind.HOUR else place


def _pack(shown: Shown) -> bytes:
    return pack_small(_encode(shown))


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


def compute_shown(
    bounds: Bounds, evidence: Evidence, *, past: Past, extra: Values, revision: int
) -> Shown:
    """Compute a window's row and its digest; ``extra`` values are told by the subject."""
    window = Window(bounds, evidence, past)
    values, coverage = compute(window)
    values.update(extra)
    offset_min = evidence.offsets.at(bounds.stop, bounds.zone)
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
        values=dict(sorted(shown.values.items())),
        coverage=dict(sorted(shown.coverage.items())),
        revision=shown.revision,
        settled=settled,
        epoch=epoch,
    )


def minute_rows(
    row: FeatureRow, bounds: Bounds, evidence: Evidence, only: int | None
) -> MinuteRows | None:
    """Minutes of an hour in one message; ``only`` are the bits of the minutes to say, None: all.

    None when there is no such minute with a value.
    """
    minutes = minute_values(Window(bounds, evidence), only)
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
