"""Local time of a subject: offsets as the devices told them, dates, and where days begin.

Time zones come from the pinned ``tzdata`` package, not from the machine, so that a replay on
another machine finds the same midnights.
"""

import datetime as dt
import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streams.timeline import Timeline, TimelineState, bit_array

zoneinfo.reset_tzpath(to=())

OFFSET_VALID_MIN = 1_440
"""How long what a device said of its offset holds (min)."""

_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
_DAY_MIN = 1_440
_OFFSET_MAX_MIN = 840
_OFFSET_MIN_MIN = -720
LATEST_DATE_END_S = 12 * 3_600
"""A date ends everywhere 12 h after its midnight in UTC (s)."""

OffsetLogState = list[tuple[int, str, int, TimelineState]]
"""Of each source (priority, id): an offset (min), and the minutes at which it was said."""

OffsetAt = Callable[[int], int]
"""Minute since the epoch -> offset in force there (min east of UTC)."""


def is_time_zone(name: str) -> bool:
    """Whether ``name`` is a time zone of the IANA database."""
    # `ZoneInfo` would import an unlisted name as a module, and it is the sender who chooses it.
    return name in _time_zones()


@lru_cache(maxsize=1)
def _time_zones() -> set[str]:
    return zoneinfo.available_timezones()


@lru_cache(maxsize=65_536)
def zone_offset_min(name: str, quarter_hour: int) -> int:
    """Offset of a zone (min east of UTC) in a quarter of an hour counted from the epoch."""
    instant = dt.datetime.fromtimestamp(quarter_hour * 900, dt.UTC)
    offset = instant.astimezone(zoneinfo.ZoneInfo(name)).utcoffset()
    return round(offset.total_seconds() / 60) if offset is not None else 0


def date_index(date: dt.date) -> int:
    """Days from the epoch to a date."""
    return date.toordinal() - _EPOCH_ORDINAL


def date_of_index(index: int) -> dt.date:
    """The date that lies ``index`` days after the epoch."""
    return dt.date.fromordinal(index + _EPOCH_ORDINAL)


def date_end_s(index: int) -> int:
    """When a date has ended everywhere on Earth (at UTC-12), s UTC."""
    return (index + 1) * 86_400 + LATEST_DATE_END_S


class OffsetLog:
    """What each source said of its offset, minute by minute; order of arrival does not matter."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[tuple[int, str], dict[int, Timeline]] = {}

    def add(self, source: tuple[int, str], offset_min: int, minutes: list[int]) -> int | None:
        """Record that a source (priority, id) said ``offset_min`` in these minutes, in their order.

        Returns the first of them in which it had not been said before, None if there is none.
        """
        timeline = self._said.setdefault(source, {}).setdefault(offset_min, Timeline())
        if not minutes:
            return None
        told = Timeline()
        told.add_all([(minute, minute + 1) for minute in minutes])
        first, stop = minutes[0], minutes[-1] + 1
        bits = told.between(first, stop)
        new = bits & ~timeline.between(first, stop)
        timeline.add_bits(first, bits)
        return first + (new & -new).bit_length() - 1 if new else None

    def at(self, minute: int, zone: str) -> int:
        """Offset (min) in force at a minute: the newest of the last 24 h, else the zone's.

        The source that goes first and said anything decides; of two offsets in one minute the
        larger one does.
        """
        for source in sorted(self._said):
            newest: tuple[int, int] | None = None
            for offset_min, timeline in self._said[source].items():
                said = timeline.between(minute - OFFSET_VALID_MIN, minute)
                if said:
                    last = minute - OFFSET_VALID_MIN + said.bit_length() - 1
                    newest = max(newest or (last, offset_min), (last, offset_min))
            if newest is not None:
                return newest[1]
        return zone_offset_min(zone, minute // 15)

    def is_constant(self, start: int, stop: int, zone: str) -> int | None:
        """The one offset that may be in force in a stretch of minutes, None if several may."""
        offset = zone_offset_min(zone, start // 15)
        if zone_offset_min(zone, stop // 15) != offset:
            return None
        for offsets in self._said.values():
            for offset_min, timeline in offsets.items():
                is_other = offset_min != offset
                if is_other and timeline.between(start - OFFSET_VALID_MIN, stop):
                    return None
        return offset

    def between(self, start: int, stop: int, zone: str) -> NDArray[np.int64]:
        """``at`` for every minute from ``start`` up to ``stop``: an array of offsets (min)."""
        quarters = range(start // 15, (stop - 1) // 15 + 1)
        by_zone = np.repeat([zone_offset_min(zone, quarter) for quarter in quarters], 15)
        told: NDArray[np.int64] = by_zone[start % 15 :][: stop - start].astype(np.int64)
        # The source that goes first is written last, over those that go after it.
        for source in sorted(self._said, reverse=True):
            newest = np.full(stop - start, -1)
            for offset_min in sorted(self._said[source]):
                last = _last_before(self._said[source][offset_min], start, stop)
                is_newest = (last >= np.arange(stop - start)) & (last >= newest)
                newest[is_newest] = last[is_newest]
                told[is_newest] = offset_min
        return told

    def forget_before(self, minute: int) -> None:
        """Drop what was said too early to hold at ``minute`` or later."""
        for source in list(self._said):
            offsets = self._said[source]
            for offset_min in list(offsets):
                offsets[offset_min].forget_before(minute - OFFSET_VALID_MIN)
                if not offsets[offset_min]:
                    del offsets[offset_min]
            if not offsets:
                del self._said[source]

    def to_state(self) -> OffsetLogState:
        """Everything that was said and still holds."""
        return [
            (*source, offset_min, timeline.to_state())
            for source, offsets in self._said.items()
            for offset_min, timeline in offsets.items()
        ]

    @classmethod
    def from_state(cls, state: OffsetLogState) -> Self:
        """A log as it was."""
        log = cls()
        for priority, source_id, offset_min, said in state:
            offsets = log._said.setdefault((priority, source_id), {})
            offsets[offset_min] = Timeline.from_state(said)
        return log


def _last_before(timeline: Timeline, start: int, stop: int) -> NDArray[np.int64]:
    """Last set step before each minute, counted from ``OFFSET_VALID_MIN`` before ``start``."""
    first = start - OFFSET_VALID_MIN
    bits = bit_array(timeline.between(first, stop), stop - first)
    places = np.where(bits, np.arange(stop - first), -1)
    return np.maximum.accumulate(places)[OFFSET_VALID_MIN - 1 : -1]


def first_reached(date: int, clock_min: int, *, not_before: int, log: OffsetLog, zone: str) -> int:
    """The first minute at which the local clock has reached ``clock_min`` of a date.

    Parameters
    ----------
    date
        Days since the epoch.
    clock_min
        Local clock time, minutes after midnight (0 for the start of a day).
    not_before
        Where the window before began (minutes since the epoch); it cannot end earlier.

    Returns
    -------
    int
        Minutes since the epoch. A day on which the clock goes back reaches its midnight once,
        the first time; one that a flight skips ends where it begins.
    """
    local = date * _DAY_MIN + clock_min
    earliest = max(local - _OFFSET_MAX_MIN, not_before)
    latest = max(local - _OFFSET_MIN_MIN, earliest)
    constant = log.is_constant(earliest, latest, zone)
    if constant is not None:
        return max(local - constant, not_before)
    reached = np.arange(earliest, latest) + log.between(earliest, latest, zone) >= local
    return earliest + int(reached.argmax()) if reached.any() else latest
