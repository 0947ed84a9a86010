"""Cells of one hour of the grid, packed small, and of one day, smaller still."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import zstandard
from msgspec import Struct

HOUR_MIN = 60

# The first array of a channel is the owner (index of a source, 0: empty cell), the last of a
# channel with a mask holds the seconds seen, and is dropped once nothing can arrive any more.
LAYOUT: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("H", "B", "I", "H", "H", "Q"), True),  # owner, count, sum, min, max (0.1 bpm), seconds
    (("H", "H", "I", "Q"), True),  # owner, differences, their squares summed (ms2), seconds
    (("H", "H"), False),  # owner, steps
)
_ITEM_BYTES = {code: array(code).itemsize for code in "HBIQ"}

_compress = zstandard.ZstdCompressor(level=3).compress
_decompress = zstandard.ZstdDecompressor().decompress

Cells: TypeAlias = "list[array[int]]"

# Shared by all packed hours; `Hour.open` puts a list of the hour's own in its place.
_PACKED: list[Cells | None] = []


def new_cells(codes: Sequence[str]) -> Cells:
    """Empty cells of one channel, an array for each type code."""
    return [array(code, bytes(HOUR_MIN * _ITEM_BYTES[code])) for code in codes]


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

    def pack(self) -> None:
        """Keep the cells packed until they are opened."""
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
        for cells, (_, has_mask) in zip(channels, LAYOUT, strict=True):
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
    offset = len(LAYOUT)
    channels: list[Cells | None] = []
    for present, (codes, has_mask) in zip(raw[:offset], LAYOUT, strict=True):
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


def day_state(hours: Mapping[int, Hour]) -> DayState:
    """The hours of a day as one state."""
    read = {hour: held.read() for hour, held in sorted(hours.items())}
    marks = [(hour, hours[hour].is_final, _presence(channels)) for hour, channels in read.items()]
    joined = []
    for channel, (codes, _) in enumerate(LAYOUT):
        held = [channels[channel] for channels in read.values()]
        for place, code in enumerate(codes):
            parts = [cells[place] for cells in held if cells and place < len(cells)]
            joined.append(array(code, b"".join(part.tobytes() for part in parts)))
    _count_from_mean(joined, -1)
    return DayState(marks, [_compress(_planes(part)) for part in joined])


def hours_of(state: DayState) -> dict[int, Hour]:
    """The hours of a day as they were."""
    codes = [code for codes, _ in LAYOUT for code in codes]
    joined = [
        _from_planes(code, _decompress(planes))
        for code, planes in zip(codes, state.planes, strict=True)
    ]
    _count_from_mean(joined, 1)
    places = [0] * len(joined)
    hours = {}
    for hour, is_final, presence in state.hours:
        held = hours[hour] = Hour()
        held.is_final = is_final
        number = 0
        for channel, (codes_of, has_mask) in enumerate(LAYOUT):
            kept = len(codes_of) - (is_final and has_mask)
            if presence >> channel & 1:
                cells = held.channels[channel] = []
                for place in range(number, number + kept):
                    cells.append(joined[place][places[place] : places[place] + HOUR_MIN])
                    places[place] += HOUR_MIN
            number += len(codes_of)
        held.pack()
    return hours
