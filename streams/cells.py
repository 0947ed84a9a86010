"""Cells of one hour of the grid, packed small, and of one day, smaller still."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import zstandard
from msgspec import Struct
from numpy.typing import NDArray

from streams.packing import deflated

HOUR_MIN = 60


class Layout(NamedTuple):
    """Type codes of a channel's arrays, which have a cell for each minute of an hour, or one.

    The first array is the owner (index of a source, 0: empty cell), the last of a channel with a
    mask holds the seconds seen, and is dropped once nothing can arrive any more.
    """

    codes: tuple[str, ...]
    has_mask: bool
    cells: int = HOUR_MIN

    def kept(self, is_final: bool) -> tuple[str, ...]:
        """Type codes of the arrays that an hour has, which has no mask once it is final."""
        return self.codes[:-1] if is_final and self.has_mask else self.codes


LAYOUT = (
    Layout(("H", "B", "I", "H", "H", "Q"), True),  # owner, count, sum, min, max (0.1 bpm), seconds
    Layout(("H", "H", "I", "Q"), True),  # owner, differences, their squares summed (ms2), seconds
    Layout(("H", "H"), False),  # owner, steps
    # Of the whole hour, for they take twice the room of all else if they are kept by the minute:
    # owner, intervals between beats, summed (ms), and their squares summed (ms2).
    Layout(("H", "I", "I", "Q"), False, cells=1),
)
HEART, BEATS, STEPS, INTERVALS = range(len(LAYOUT))
"""Channels of the grid."""

COUNT, SUM, LEAST, MOST = range(1, 5)
"""Places of the arrays of the heart rate after the owner; count and sum of beats are the same."""
SQUARES = 3
"""Place of the squares of intervals, after their count and sum."""

# Without the frame of zlib, which takes six bytes; the level is the one that is smallest without
# taking longer than the first.
_RAW = -zlib.MAX_WBITS
_LEVEL = 3
_WINDOW = -12
"""An hour lies within 4 KiB."""
_ITEM_BYTES = {code: array(code).itemsize for code in "HBIQ"}

# From this level on the zeros of a plane are told apart from what stands between them.
_compress = zstandard.ZstdCompressor(level=11).compress
_decompress = zstandard.ZstdDecompressor().decompress

Cells: TypeAlias = "list[array[int]]"

# Shared by all packed hours; `Hour.open` puts a list of the hour's own in its place.
_PACKED: list[Cells | None] = []


def new_cells(channel: int) -> Cells:
    """Empty cells of one channel, an array for each type code."""
    layout = LAYOUT[channel]
    return [array(code, bytes(layout.cells * _ITEM_BYTES[code])) for code in layout.codes]


class Hour:
    """Cells of one hour: open (arrays per channel) or packed (one byte string)."""

    __slots__ = ("channels", "is_final", "packed")

    def __init__(self) -> None:
        self.channels: list[Cells | None] = [None] * len(LAYOUT)
        self.packed: bytes | None = None
        self.is_final = False

    def open(self) -> list[Cells | None]:
        """Cells by channel, to be written to."""
        if self.packed is not None:
            self.channels = _unpacked(self.packed, self.is_final)
            self.packed = None
        return self.channels

    def raw(self) -> bytes:
        """The bytes of a packed hour: of each channel whether it is there, then their arrays."""
        return b"" if self.packed is None else zlib.decompress(self.packed, _RAW)

    def pack(self) -> None:
        """Keep the cells packed until they are opened."""
        if self.packed is None:
            present = bytes(cells is not None for cells in self.channels)
            body = b"".join(
                _planes(part)
                for channel, cells in enumerate(self.channels)
                if cells
                for part in (_from_mean(cells, -1) if channel == HEART else cells)
            )
            self._keep(present + body)

    def drop_masks(self) -> None:
        """Forget which seconds were seen: nothing can be added to this hour any more."""
        if self.is_final:
            return
        self.pack()
        raw = self.raw()
        parts = [part_of(raw, channel, is_final=False) for channel in range(len(LAYOUT))]
        self.is_final = True
        self._keep(raw[: len(LAYOUT)] + b"".join(filter(None, parts)))

    def _keep(self, raw: bytes) -> None:
        self.packed = deflated(raw, level=_LEVEL, window=_WINDOW)
        self.channels = _PACKED


def _planes(part: array[int] | NDArray[Any]) -> bytes:
    """Bytes of like rank side by side: high bytes are alike, and compress to next to nothing."""
    raw, width = part.tobytes(), part.itemsize
    return raw if width == 1 else b"".join(raw[place::width] for place in range(width))


def _from_mean(cells: Cells, sign: int) -> Cells:
    """Count least and most heart rate from the mean (-1), or as they are again (1): it is smaller.

    ``cells`` starts with the arrays of the heart rate's channel.
    """
    _, counts, sums, low, high = (np.asarray(part).astype(np.int64) for part in cells[:5])
    means = sums // np.maximum(counts, 1)
    low_from = array("H", (means - low).astype("<u2").tobytes())
    high_from = array("H", (high + sign * means).astype("<u2").tobytes())
    return [*cells[:3], low_from, high_from, *cells[5:]]


def _from_planes(code: str, planes: bytes) -> array[int]:
    width = _ITEM_BYTES[code]
    count = len(planes) // width
    raw = bytearray(len(planes))
    for place in range(width):
        raw[place::width] = planes[place * count : (place + 1) * count]
    return array(code, bytes(raw))


def _unpacked(packed: bytes, is_final: bool) -> list[Cells | None]:
    raw = zlib.decompress(packed, _RAW)
    return [_cells_of(raw, channel, is_final) for channel in range(len(LAYOUT))]


def _cells_of(raw: bytes, channel: int, is_final: bool) -> Cells | None:
    """Cells of a channel from the bytes of an hour."""
    part = part_of(raw, channel, is_final, with_mask=True)
    if part is None:
        return None
    layout = LAYOUT[channel]
    cells = _arrays_of(part, layout.kept(is_final), layout.cells)
    return _from_mean(cells, 1) if channel == HEART else cells


def _arrays_of(planes: bytes, codes: Sequence[str], count: int) -> list[array[int]]:
    """Arrays of ``count`` numbers each, whose bytes lie one after the other."""
    parts = []
    first = 0
    for code in codes:
        size = count * _ITEM_BYTES[code]
        parts.append(_from_planes(code, planes[first : first + size]))
        first += size
    return parts


def part_of(raw: bytes, channel: int, is_final: bool, *, with_mask: bool = False) -> bytes | None:
    """The arrays of a channel by rank, from the bytes of an hour; its mask where that is kept."""
    if not raw[channel]:
        return None
    offset = _offset(raw[: len(LAYOUT)], channel, is_final)
    return raw[offset : offset + _size(channel, is_final or not with_mask)]


@cache
def span_of(channel: int, place: int) -> tuple[np.dtype[Any], slice]:
    """Type of an array of a channel, and where it lies among the bytes of the channel."""
    codes, _, cells = LAYOUT[channel]
    *before, own = [np.dtype(code) for code in codes[: place + 1]]
    first = cells * sum(other.itemsize for other in before)
    return own, slice(first, first + cells * own.itemsize)


def by_hour(planes: NDArray[np.uint8], dtype: np.dtype[Any], cells: int) -> NDArray[Any]:
    """Numbers of shape (hours, cells) from their bytes, those of like rank side by side."""
    if dtype.itemsize > 1:
        by_rank = planes.reshape(-1, dtype.itemsize, cells)
        return np.ascontiguousarray(by_rank.transpose(0, 2, 1)).view(dtype).reshape(-1, cells)
    return planes.reshape(-1, cells)


@cache
def _offset(present: bytes, channel: int, is_final: bool) -> int:
    """Where a channel begins among the bytes of an hour."""
    return len(LAYOUT) + sum(_size(other, is_final) for other in range(channel) if present[other])


@cache
def _size(channel: int, is_final: bool) -> int:
    layout = LAYOUT[channel]
    return sum(layout.cells * _ITEM_BYTES[code] for code in layout.kept(is_final))


class Plane(Struct, array_like=True):
    """Whole numbers as bytes without their low bits, compressed, and these, packed and compressed.

    Low bits are as good as random; taken out, they leave bytes of which few values are frequent.
    """

    low_bits: int
    high: bytes
    low: bytes


class DayState(Struct, array_like=True):
    """The cells of one day (UTC): which hours have which channels, and their bytes.

    ``hours``: hour since the epoch, whether it is final, and a bit for each channel that it has.
    ``planes``: by channel and array, of all hours side by side; sums of the heart rate less what
    the mean of their hour lets expect, which ``means`` holds (0.1 bpm). Of state version 1 a plane
    is the bytes of like rank, compressed, and there are no means. ``intervals``: the arrays of
    their channel one after the other, bytes of like rank side by side; states of before have none.
    """

    hours: list[tuple[int, bool, int]]
    planes: list[Plane | bytes]
    means: bytes = b""
    intervals: bytes = b""


def day_state(hours: Mapping[int, Hour]) -> DayState:
    """The hours of a day as one state; they are packed, as they are kept."""
    marks: list[tuple[int, bool, int]] = []
    parts: list[list[bytes]] = [[] for _ in LAYOUT]
    for hour, held in sorted(hours.items()):
        held.pack()
        raw, presence = held.raw(), 0
        for channel, found in enumerate(parts):
            part = part_of(raw, channel, held.is_final, with_mask=True)
            if part is not None:
                found.append(part)
                presence |= 1 << channel
        marks.append((hour, held.is_final, presence))
    *minutes, intervals = [
        [_side_by_side(found, channel, place) for place in range(len(LAYOUT[channel].codes))]
        for channel, found in enumerate(parts)
    ]
    relative = [part for of_channel in minutes for part in of_channel]
    counts, sums = relative[COUNT], relative[SUM]
    means = _hour_means(counts, sums)
    relative[SUM] = _folded(sums - counts * np.repeat(means, HOUR_MIN))
    return DayState(
        marks,
        [_plane(part) for part in relative],
        means.astype("<u2").tobytes(),
        b"".join(map(_planes, intervals)),
    )


def _side_by_side(parts: list[bytes], channel: int, place: int) -> NDArray[Any]:
    """One array of a channel over all hours that have it."""
    dtype, span = span_of(channel, place)
    planes = np.frombuffer(b"".join([part[span] for part in parts]), dtype=np.uint8)
    return by_hour(planes, dtype, LAYOUT[channel].cells).ravel()


def _hour_means(counts: NDArray[np.integer], sums: NDArray[np.integer]) -> NDArray[np.int64]:
    """Mean heart rate of each hour (0.1 bpm), rounded down; 0 without any."""
    by_hour = [part.astype(np.int64).reshape(-1, HOUR_MIN).sum(axis=1) for part in (counts, sums)]
    means: NDArray[np.int64] = by_hour[1] // np.maximum(by_hour[0], 1)
    return means


def _folded(signed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers without sign: 0, -1, 1, -2, 2, ... are 0, 1, 2, 3, 4, ..."""
    return np.where(signed < 0, -2 * signed - 1, 2 * signed)


def _unfolded(folded: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(folded & 1, -(folded + 1) // 2, folded // 2)


def _plane(part: NDArray[np.integer]) -> Plane:
    """Numbers without sign as they are kept."""
    numbers = part.astype(np.uint64)
    low_bits = max(int(numbers.max(initial=0)).bit_length() - 8, 0)
    high = (numbers >> np.uint64(low_bits)).astype(np.uint8)
    bits = numbers[:, None] >> np.arange(low_bits, dtype=np.uint64) & np.uint64(1)
    low = np.packbits(bits.astype(np.uint8)).tobytes()
    return Plane(low_bits, _compress(high.tobytes()), _compress(low) if low else b"")


def _numbers(plane: Plane) -> NDArray[np.uint64]:
    """Numbers as they were."""
    high = np.frombuffer(_decompress(plane.high), dtype=np.uint8).astype(np.uint64)
    if not plane.low:
        return high
    packed = np.frombuffer(_decompress(plane.low), dtype=np.uint8)
    bits = np.unpackbits(packed, count=len(high) * plane.low_bits).reshape(-1, plane.low_bits)
    low = bits.astype(np.uint64) @ (np.uint64(1) << np.arange(plane.low_bits, dtype=np.uint64))
    return high << np.uint64(plane.low_bits) | low


def _joined(state: DayState) -> list[array[int]]:
    """The arrays of all hours of a day side by side, of all channels by the minute."""
    codes = [code for layout in LAYOUT[:INTERVALS] for code in layout.codes]
    old = [plane for plane in state.planes if isinstance(plane, bytes)]
    if old:
        planes = zip(codes, old, strict=True)
        return _from_mean([_from_planes(code, _decompress(plane)) for code, plane in planes], 1)
    numbers = [_numbers(plane) for plane in state.planes if isinstance(plane, Plane)]
    means = np.frombuffer(state.means, dtype="<u2").astype(np.int64)
    expected = numbers[COUNT].astype(np.int64) * np.repeat(means, HOUR_MIN)
    numbers[SUM] = (_unfolded(numbers[SUM].astype(np.int64)) + expected).astype(np.uint64)
    parts = [
        array(code, part.astype(f"<u{_ITEM_BYTES[code]}").tobytes())
        for code, part in zip(codes, numbers, strict=True)
    ]
    return _from_mean(parts, 1)


def _joined_intervals(planes: bytes) -> list[array[int]]:
    """The arrays of intervals, of all hours of a day side by side."""
    codes = LAYOUT[INTERVALS].codes
    return _arrays_of(planes, codes, len(planes) // sum(_ITEM_BYTES[code] for code in codes))


def hours_of(state: DayState) -> dict[int, Hour]:
    """The hours of a day as they were."""
    joined = _joined(state) + _joined_intervals(state.intervals)
    places = [0] * len(joined)
    hours = {}
    for hour, is_final, presence in state.hours:
        held = hours[hour] = Hour()
        held.is_final = is_final
        number = 0
        for channel, layout in enumerate(LAYOUT):
            if presence >> channel & 1:
                cells = held.channels[channel] = []
                for place in range(number, number + len(layout.kept(is_final))):
                    cells.append(joined[place][places[place] : places[place] + layout.cells])
                    places[place] += layout.cells
            number += len(layout.codes)
        held.pack()
    return hours
