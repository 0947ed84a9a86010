"""Reading the grid: each hour is unpacked once, and all hours of a channel are taken at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.cells import (
    COUNT,
    HEART,
    HOUR_MIN,
    LAYOUT,
    LEAST,
    MOST,
    SUM,
    Cells,
    Hour,
    by_hour,
    part_of,
    span_of,
)

Array: TypeAlias = "NDArray[Any]"


class Reading:
    """What a grid holds, to be read while nothing is added to it.

    Parameters
    ----------
    held
        Hour since the epoch -> its cells, None when there are none.
    """

    __slots__ = ("_found", "_held", "_unpacked")

    def __init__(self, held: Callable[[int], Hour | None]) -> None:
        self._held = held
        self._unpacked: dict[int, bytes] = {}
        self._found: dict[tuple[int, int, int], _Hours | None] = {}

    def channel(
        self, start: int, stop: int, channel: int, places: Sequence[int]
    ) -> list[Array] | None:
        """Arrays of a channel over minutes ``start`` up to ``stop`` (since the epoch).

        ``places`` says which of the arrays of its layout, of which the mask cannot be read. Each is
        of shape (stop - start,); None when the channel has no cell there. An empty cell has owner
        0.
        """
        first, last = start // HOUR_MIN, -(-stop // HOUR_MIN)
        hours = self.hours(first, last, channel, places)
        if hours is None:
            return None
        part = slice(start - first * HOUR_MIN, stop - first * HOUR_MIN)
        return [values.reshape(-1)[part] for values in hours]

    def hours(
        self, first: int, last: int, channel: int, places: Sequence[int]
    ) -> list[Array] | None:
        """The same over hours ``first`` up to ``last`` (since the epoch): (last - first, cells)."""
        key = first, last, channel
        if key not in self._found:
            self._found[key] = self._hours(*key)
        found = self._found[key]
        return None if found is None else [found.values(place) for place in places]

    def _hours(self, first: int, last: int, channel: int) -> _Hours | None:
        opened: list[tuple[int, Cells]] = []
        packed: list[tuple[int, bytes]] = []
        for hour in range(first, last):
            cells = self._cells(hour, channel)
            if isinstance(cells, bytes):
                packed.append((hour - first, cells))
            elif cells is not None:
                opened.append((hour - first, cells))
        return _Hours(channel, last - first, opened, packed) if opened or packed else None

    def _cells(self, hour: int, channel: int) -> Cells | bytes | None:
        """Cells of an hour that is open, bytes of one that is packed."""
        held = self._held(hour)
        if held is None or held.packed is None:
            return None if held is None else held.channels[channel]
        raw = self._unpacked.get(hour)
        if raw is None:
            raw = self._unpacked[hour] = held.raw()
        return part_of(raw, channel, held.is_final)


class _Hours:
    """One channel of several hours: by index those that are open, and bytes of those packed."""

    __slots__ = ("_at", "_channel", "_count", "_kept", "_means", "_opened", "_rows")

    def __init__(
        self,
        channel: int,
        count: int,
        opened: list[tuple[int, Cells]],
        packed: list[tuple[int, bytes]],
    ) -> None:
        self._channel = channel
        self._count = count
        self._opened = opened
        self._at = [index for index, _ in packed]
        joined = np.frombuffer(b"".join([part for _, part in packed]), dtype=np.uint8)
        self._rows = joined.reshape(len(packed), -1) if packed else joined
        self._kept: dict[int, Array] = {}
        self._means: Array | None = None

    def values(self, place: int) -> Array:
        """One array of the channel's layout, of shape (hours, cells); 0 in hours without any."""
        kept = self._values(place) if self._at else None
        if kept is not None and len(kept) == self._count:
            return kept
        dtype, _ = span_of(self._channel, place)
        whole = np.zeros((self._count, LAYOUT[self._channel].cells), dtype=dtype)
        if kept is not None:
            whole[self._at] = kept
        for index, cells in self._opened:
            whole[index] = np.frombuffer(cells[place], dtype=dtype)
        return whole

    def _values(self, place: int) -> Array:
        """An array of the packed hours."""
        if self._channel != HEART or place not in (LEAST, MOST):
            return self._planes(place)
        # Least and most are kept as what they differ from the mean by, rounded down.
        if self._means is None:
            counts = np.maximum(self._planes(COUNT), 1)
            self._means = self._planes(SUM).astype(np.int64) // counts
        means = self._means
        differences = self._planes(place).astype(np.int64)
        dtype, _ = span_of(HEART, place)
        return (means - differences if place == LEAST else means + differences).astype(dtype)

    def _planes(self, place: int) -> Array:
        """An array as it is packed: bytes of like rank lie side by side."""
        if place not in self._kept:
            dtype, span = span_of(self._channel, place)
            self._kept[place] = by_hour(self._rows[:, span], dtype, LAYOUT[self._channel].cells)
        return self._kept[place]
