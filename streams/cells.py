"""Cells of one hour of the grid, packed small, and of one day, smaller still."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import zstandard
from msgspec import Struct

HOUR_MIN = 60

SEGMENT_MIN = 5
"""Minutes of a segment of beats: the stretch over which SDNN is usual (Task Force 1996)."""


class Layout(NamedTuple):
    """Type codes of a channel's arrays, and how many cells an hour has.

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
    # Owner, intervals between beats, their sum (ms), their squares summed (ms2).
    Layout(("H", "H", "I", "Q"), False, HOUR_MIN // SEGMENT_MIN),
)
HEART, BEATS, STEPS, SEGMENTS = range(len(LAYOUT))
"""Channels of the grid."""

_PLANES = sum(len(layout.codes) for layout in LAYOUT)
# Without the frame of zlib, which takes six bytes; the level is the one that is smallest without
# taking longer than the first.
_RAW = -zlib.MAX_WBITS
_LEVEL = 3
_ITEM_BYTES = {code: array(code).itemsize for code in "HBIQ"}

_compress = zstandard.ZstdCompressor(level=3).compress
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

    def read(self) -> list[Cells | None]:
        """Cells by channel, to be read."""
        if self.packed is not None:
            return _unpacked(self.packed, self.is_final)
        return self.channels

    def read_channel(self, channel: int) -> Cells | None:
        """Cells of one channel, to be read."""
        if self.packed is not None:
            return _cells_of(zlib.decompress(self.packed, _RAW), channel, self.is_final)
        return self.channels[channel]

    def pack(self) -> None:
        """Keep the cells packed until they are opened."""
        if self.packed is None:
            present = bytes(cells is not None for cells in self.channels)
            body = b"".join(
                _planes(part)
                for channel, cells in enumerate(self.channels)
                if cells
                for part in _relative(channel, cells, -1)
            )
            packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
            self.packed = packer.compress(present + body) + packer.flush()
            self.channels = _PACKED

    def drop_masks(self) -> None:
        """Forget which seconds were seen: nothing can be added to this hour any more."""
        if self.is_final:
            return
        channels = self.open()
        for cells, layout in zip(channels, LAYOUT, strict=True):
            if cells is not None and layout.has_mask:
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


def _relative(channel: int, cells: Cells, sign: int) -> Cells:
    """Count numbers from what others let expect of them (-1), or as they are again (1).

    Least and most heart rate are counted from the mean, sums of squares from those of intervals
    that are all alike. What is left is smaller, and compresses better.
    """
    if channel == HEART:
        _, counts, sums, low, high = (np.asarray(part).astype(np.int64) for part in cells[:5])
        means = sums // np.maximum(counts, 1)
        low_from = array("H", (means - low).astype("<u2").tobytes())
        high_from = array("H", (high + sign * means).astype("<u2").tobytes())
        return [*cells[:3], low_from, high_from, *cells[5:]]
    if channel == SEGMENTS:
        _, counts, sums, squares = (np.asarray(part).astype(np.int64) for part in cells)
        alike = sums * sums // np.maximum(counts, 1)
        return [*cells[:3], array("Q", (squares + sign * alike).astype("<u8").tobytes())]
    return cells


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
    if not raw[channel]:
        return None
    offset = len(LAYOUT) + sum(_size(other, is_final) for other in range(channel) if raw[other])
    layout = LAYOUT[channel]
    cells = []
    for code in layout.kept(is_final):
        size = layout.cells * _ITEM_BYTES[code]
        cells.append(_from_planes(code, raw[offset : offset + size]))
        offset += size
    return _relative(channel, cells, 1)


@cache
def _size(channel: int, is_final: bool) -> int:
    layout = LAYOUT[channel]
    return sum(layout.cells * _ITEM_BYTES[code] for code in layout.kept(is_final))


class DayState(Struct, array_like=True):
    """The cells of one day (UTC): which hours have which channels, and their bytes.

    ``hours``: hour since the epoch, whether it is final, and a bit for each channel that it has.
    ``planes``: by channel and array, the bytes of like rank of all hours side by side, each
    compressed for itself, since that is how they become smallest.
    """

    hours: list[tuple[int, bool, int]]
    planes: list[bytes]


def day_state(hours: Mapping[int, Hour]) -> DayState:
    """The hours of a day as one state."""
    read = {hour: held.read() for hour, held in sorted(hours.items())}
    marks = [(hour, hours[hour].is_final, _presence(channels)) for hour, channels in read.items()]
    planes = []
    for channel, layout in enumerate(LAYOUT):
        held = [channels[channel] for channels in read.values()]
        joined = []
        for place, code in enumerate(layout.codes):
            parts = [cells[place] for cells in held if cells and place < len(cells)]
            joined.append(array(code, b"".join(part.tobytes() for part in parts)))
        planes += [_compress(_planes(part)) for part in _relative(channel, joined, -1)]
    return DayState(marks, planes)


def migrated(state: DayState) -> DayState:
    """A day in today's form; in version 1 of the state there were no segments of beats."""
    missing = _PLANES - len(state.planes)
    if missing != len(LAYOUT[SEGMENTS].codes):
        return state
    return DayState(state.hours, [*state.planes, *[_compress(b"")] * missing])


def hours_of(state: DayState) -> dict[int, Hour]:
    """The hours of a day as they were."""
    planes = iter(state.planes)
    joined = [
        _relative(
            channel,
            [_from_planes(code, _decompress(next(planes))) for code in layout.codes],
            1,
        )
        for channel, layout in enumerate(LAYOUT)
    ]
    places = [[0] * len(arrays) for arrays in joined]
    hours = {}
    for hour, is_final, presence in state.hours:
        held = hours[hour] = Hour()
        held.is_final = is_final
        for channel, layout in enumerate(LAYOUT):
            if not presence >> channel & 1:
                continue
            cells = held.channels[channel] = []
            for number in range(len(layout.kept(is_final))):
                place = places[channel][number]
                cells.append(joined[channel][number][place : place + layout.cells])
                places[channel][number] = place + layout.cells
        held.pack()
    return hours
