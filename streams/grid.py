"""The minute grid of one subject: small integers per channel, hour by hour.

Cells merge in any order of topics: a minute belongs to the source that goes first, and within a
source a second counts once. An hour that is not being written is kept packed.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import zstandard
from msgspec import Struct
from numpy.typing import NDArray

from streams.events import HeartRate, InterBeatInterval

HOUR_MIN = 60
SOURCES_MAX = 1_000
"""Most sources (with distinct priority) that one subject's grid can tell apart."""

HEART, BEATS, STEPS = range(3)
"""Channels of the grid."""

# The first array of a channel is the owner (index of a source, 0: empty cell), the last of a
# channel with a mask holds the seconds seen, and is dropped once nothing can arrive any more.
_LAYOUT: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("H", "B", "I", "H", "H", "Q"), True),  # owner, count, sum, min, max (0.1 bpm), seconds
    (("H", "H", "I", "Q"), True),  # owner, differences, their squares summed (ms2), seconds
    (("H", "H"), False),  # owner, steps
)
_ITEM_BYTES = {code: array(code).itemsize for code in "HBIQ"}
_STEPS_CELL_MAX = 65_535

_compress = zstandard.ZstdCompressor(level=3).compress
_decompress = zstandard.ZstdDecompressor().decompress

Cells: TypeAlias = "list[array[int]]"

# Shared by all packed hours; `_Hour.open` puts a list of the hour's own in its place.
_PACKED: list[Cells | None] = []


def _new_cells(codes: Sequence[str]) -> Cells:
    return [array(code, bytes(HOUR_MIN * _ITEM_BYTES[code])) for code in codes]


class _Hour:
    """Cells of one hour: open (arrays per channel) or packed (one byte string)."""

    __slots__ = ("channels", "is_final", "packed")

    def __init__(self) -> None:
        self.channels: list[Cells | None] = [None] * len(_LAYOUT)
        self.packed: bytes | None = None
        self.is_final = False

    def open(self) -> list[Cells | None]:
        if self.packed is not None:
            self.channels = _unpacked(self.packed, self.is_final)
            self.packed = None
        return self.channels

    def read(self) -> list[Cells | None]:
        if self.packed is not None:
            return _unpacked(self.packed, self.is_final)
        return self.channels

    def pack(self) -> None:
        if self.packed is None:
            present = bytes(cells is not None for cells in self.channels)
            body = b"".join(_planes(part) for cells in self.channels if cells for part in cells)
            self.packed = zlib.compress(present + body, 1)
            self.channels = _PACKED

    def drop_masks(self) -> None:
        """Forget which seconds were seen: nothing can be added to this hour any more."""
        if self.is_final:
            return
        channels = self.open()
        for cells, (_, has_mask) in zip(channels, _LAYOUT, strict=True):
            if cells is not None and has_mask:
                cells.pop()
        self.is_final = True
        self.pack()


def _planes(part: array[int]) -> bytes:
    """Bytes of like rank side by side: high bytes are alike, and compress to next to nothing."""
    raw, width = part.tobytes(), part.itemsize
    return raw if width == 1 else b"".join(raw[place::width] for place in range(width))


def _presence(channels: list[Cells | None]) -> int:
    """A bit for each channel that an hour has."""
    return sum((cells is not None) << channel for channel, cells in enumerate(channels))


def _count_from_mean(joined: list[array[int]], sign: int) -> None:
    """Count least and most heart rate from the mean (-1), or as they are again (1): it is smaller.

    ``joined`` starts with the arrays of the heart rate's channel.
    """
    _, counts, sums, low, high = (np.asarray(part).astype(np.int64) for part in joined[:5])
    means = sums // np.maximum(counts, 1)
    joined[3] = array("H", (means - low).astype("<u2").tobytes())
    joined[4] = array("H", (high + sign * means).astype("<u2").tobytes())


def _from_planes(code: str, planes: bytes) -> array[int]:
    width = _ITEM_BYTES[code]
    count = len(planes) // width
    raw = bytearray(len(planes))
    for place in range(width):
        raw[place::width] = planes[place * count : (place + 1) * count]
    return array(code, bytes(raw))


def _unpacked(packed: bytes, is_final: bool) -> list[Cells | None]:
    raw = zlib.decompress(packed)
    offset = len(_LAYOUT)
    channels: list[Cells | None] = []
    for present, (codes, has_mask) in zip(raw[:offset], _LAYOUT, strict=True):
        if not present:
            channels.append(None)
            continue
        cells = []
        for code in codes[:-1] if is_final and has_mask else codes:
            size = HOUR_MIN * _ITEM_BYTES[code]
            cells.append(_from_planes(code, raw[offset : offset + size]))
            offset += size
        channels.append(cells)
    return channels


class DayState(Struct, array_like=True):
    """The cells of one day (UTC): which hours have which channels, and their bytes.

    ``hours``: hour since the epoch, whether it is final, and a bit for each channel that it has.
    ``planes``: by channel and array, the bytes of like rank of all hours side by side, each
    compressed for itself, since that is how they become smallest.
    """

    hours: list[tuple[int, bool, int]]
    planes: list[bytes]


class Grid:
    """Minute cells of one subject, allocated on demand and freed hour by hour."""

    __slots__ = ("_hours", "_owner_index", "_sources", "overlap_count")

    def __init__(self) -> None:
        self._hours: dict[int, _Hour] = {}
        self._sources: list[tuple[int, str]] = [(-1, "")]
        self._owner_index: dict[tuple[int, str], int] = {}
        self.overlap_count = 0

    def owner_of(self, source: tuple[int, str]) -> int | None:
        """Index of a source (priority, id) in the grid; None when there are too many."""
        owner = self._owner_index.get(source)
        if owner is None:
            if len(self._sources) > SOURCES_MAX:
                return None
            owner = len(self._sources)
            self._sources.append(source)
            self._owner_index[source] = owner
        return owner

    def add_heart_rate(self, records: Sequence[HeartRate], owner: int) -> set[int]:
        """Add samples: each counts for its second, and the first of a second stays.

        Returns the minutes (since the epoch) that were written to.
        """
        minutes: set[int] = set()
        current = -1
        cells: Cells | None = None
        cell = 0
        for record in records:
            second = int(record.time)
            minute = second // 60
            if minute != current:
                current = minute
                minutes.add(minute)
                cell = minute % HOUR_MIN
                cells = self._owned(minute, HEART, owner)
            if cells is None:
                continue
            _, count, total, low, high, mask = cells
            bit = 1 << (second - minute * 60)
            seen = mask[cell]
            if seen & bit:
                continue
            mask[cell] = seen | bit
            value = int(record.heart_rate * 10.0 + 0.5)
            total[cell] += value
            if not seen or value < low[cell]:
                low[cell] = value
            if value > high[cell]:
                high[cell] = value
            count[cell] += 1
        return minutes

    def add_beats(self, records: Sequence[InterBeatInterval], owner: int) -> None:
        """Add differences of successive beats of one envelope, at the second of the later beat.

        A gap is never bridged: beats are successive when the later interval reaches back to the
        earlier beat, give or take a second, since many devices stamp whole seconds.
        """
        ordered = sorted(records, key=lambda record: record.time)
        fresh: dict[int, bool] = {}
        previous: InterBeatInterval | None = None
        for record in ordered:
            second = int(record.time)
            cells = self._owned(second // 60, BEATS, owner)
            if cells is None:
                previous = None
                continue
            _, count, squares, mask = cells
            cell, bit = second // 60 % HOUR_MIN, 1 << second % 60
            is_fresh = fresh.setdefault(second, not mask[cell] & bit)
            mask[cell] |= bit
            if previous is not None and is_fresh and _follows(previous, record):
                difference = _interval_ms(record) - _interval_ms(previous)
                count[cell] += 1
                squares[cell] += difference * difference
            previous = record

    def add_steps(self, start_s: float, duration_s: float, steps: int, owner: int) -> None:
        """Spread steps over the minutes of their interval; a minute keeps its largest figure."""
        first = int(start_s // 60)
        last = max(int(-(-(start_s + duration_s) // 60)), first + 1)
        given = 0
        for minute in range(first, last):
            reached = _steps_until((minute + 1) * 60.0, start_s, duration_s, steps)
            value = min(reached - given, _STEPS_CELL_MAX)
            given = reached
            cells = self._owned(minute, STEPS, owner)
            if cells is not None:
                cell = minute % HOUR_MIN
                cells[1][cell] = max(cells[1][cell], value)

    def channel(self, start: int, stop: int, channel: int) -> list[NDArray[Any]] | None:
        """Arrays of a channel over minutes ``start`` up to ``stop`` (since the epoch).

        Returns owner and values without the mask, each of shape (stop - start,); None when the
        channel has no cell there. An empty cell has owner 0.
        """
        codes, has_mask = _LAYOUT[channel]
        kept = codes[:-1] if has_mask else codes
        arrays: list[NDArray[Any]] | None = None
        for hour in range(start // HOUR_MIN, -(-stop // HOUR_MIN)):
            cells = self._read(hour, channel)
            if cells is None:
                continue
            if arrays is None:
                arrays = [np.zeros(stop - start, dtype=code) for code in kept]
            base = hour * HOUR_MIN
            low, high = max(start, base), min(stop, base + HOUR_MIN)
            for whole, part in zip(arrays, cells, strict=False):
                whole[low - start : high - start] = part[low - base : high - base]
        return arrays

    def sources(self) -> list[tuple[int, str]]:
        """Sources (priority, id) by owner index; index 0 stands for nobody."""
        return self._sources

    def add_sources(self, sources: Sequence[tuple[int, str]]) -> None:
        """Give an empty grid the sources, in the order of their index, that it had."""
        for source in sources[1:]:
            self.owner_of(source)

    def pack(self, hour: int) -> None:
        """Keep an hour packed; it opens again when something is added to it."""
        if hour in self._hours:
            self._hours[hour].pack()

    def finish(self, hour: int) -> None:
        """Say that nothing can be added to an hour any more."""
        if hour in self._hours:
            self._hours[hour].drop_masks()

    def sign_of(self, day: int) -> int:
        """A number that differs, within this process, whenever a day (UTC) holds other cells."""
        hours = range(day * 24, day * 24 + 24)
        held = [(hour, self._hours[hour]) for hour in hours if hour in self._hours]
        for _, cells in held:
            cells.pack()
        return hash(tuple((hour, cells.is_final, cells.packed) for hour, cells in held))

    def to_state(self, day: int) -> DayState | None:
        """The cells of a day (UTC, since the epoch); None when it holds none."""
        hours = [hour for hour in range(day * 24, day * 24 + 24) if hour in self._hours]
        if not hours:
            return None
        read = [self._hours[hour].read() for hour in hours]
        marks = [
            (hour, self._hours[hour].is_final, _presence(channels))
            for hour, channels in zip(hours, read, strict=True)
        ]
        joined = []
        for channel, (codes, _) in enumerate(_LAYOUT):
            held = [channels[channel] for channels in read]
            for place, code in enumerate(codes):
                parts = [cells[place] for cells in held if cells and place < len(cells)]
                joined.append(array(code, b"".join(part.tobytes() for part in parts)))
        _count_from_mean(joined, -1)
        return DayState(marks, [_compress(_planes(part)) for part in joined])

    def add_state(self, state: DayState) -> None:
        """Take in a day as it was."""
        codes = [code for codes, _ in _LAYOUT for code in codes]
        joined = [
            _from_planes(code, _decompress(planes))
            for code, planes in zip(codes, state.planes, strict=True)
        ]
        _count_from_mean(joined, 1)
        places = [0] * len(joined)
        for hour, is_final, presence in state.hours:
            held = self._hours[hour] = _Hour()
            held.is_final = is_final
            number = 0
            for channel, (codes_of, has_mask) in enumerate(_LAYOUT):
                kept = len(codes_of) - (is_final and has_mask)
                if presence >> channel & 1:
                    cells = held.channels[channel] = []
                    for place in range(number, number + kept):
                        cells.append(joined[place][places[place] : places[place] + HOUR_MIN])
                        places[place] += HOUR_MIN
                number += len(codes_of)
            held.pack()

    def forget_before(self, hour: int) -> None:
        """Free the hours before ``hour``."""
        for old in [key for key in self._hours if key < hour]:
            del self._hours[old]

    def hours(self) -> Iterator[int]:
        """Hours (since the epoch) that hold cells."""
        return iter(self._hours)

    def _read(self, hour: int, channel: int) -> Cells | None:
        held = self._hours.get(hour)
        return held.read()[channel] if held is not None else None

    def _owned(self, minute: int, channel: int, owner: int) -> Cells | None:
        """Cells of a minute's hour if ``owner`` may write to it, None if another goes first."""
        hour = minute // HOUR_MIN
        held = self._hours.get(hour)
        if held is None:
            held = self._hours[hour] = _Hour()
        channels = held.channels if held.packed is None else held.open()
        cells = channels[channel]
        if cells is None:
            cells = channels[channel] = _new_cells(_LAYOUT[channel][0])
        cell = minute % HOUR_MIN
        holder = cells[0][cell]
        if holder == owner:
            return cells
        if holder:
            self.overlap_count += 1
            if self._sources[holder] < self._sources[owner]:
                return None
            for part in cells:
                part[cell] = 0
        cells[0][cell] = owner
        return cells


def _interval_ms(record: InterBeatInterval) -> int:
    return int(record.inter_beat_interval * 1_000.0 + 0.5)


def _follows(previous: InterBeatInterval, record: InterBeatInterval) -> bool:
    return abs(record.time - previous.time - record.inter_beat_interval) <= 1.0


def _steps_until(instant_s: float, start_s: float, duration_s: float, steps: int) -> int:
    """Whole steps taken from the start of an interval up to an instant, at an even pace."""
    if duration_s <= 0.0 or instant_s >= start_s + duration_s:
        return steps
    return int(steps * max(instant_s - start_s, 0.0) / duration_s)
