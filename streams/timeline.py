"""Bits over time: one bit per step of a long stretch, in one whole number.

A week of minutes takes 1.3 KB and a stretch is set or read in well under a microsecond, which is
what per-minute facts of every subject have to cost.
"""

from collections.abc import Collection, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

TimelineState = tuple[int, bytes]
"""First step, and the bits from there on (little-endian)."""

_SPANS_MIN = 100
"""From so many spans on they are put together first: to set one copies all bits there are."""

_LONG = 131_072
"""How many steps from its base on a timeline is read as bytes: three months of minutes."""


class Timeline:
    """A set of steps (minutes, hours or dates) as bits, counted from a movable base."""

    __slots__ = ("_base", "_bits", "_long")

    def __init__(self, base: int = 0, bits: int = 0) -> None:
        self._base = base
        self._bits = bits
        # Of a long stretch its bits, to tell whether they have changed, and these as bytes.
        self._long: tuple[int, bytes] | None = None

    def add(self, start: int, stop: int) -> bool:
        """Set the steps from ``start`` up to, not including, ``stop``; True if any was new."""
        if stop <= start:
            return False
        if not self._bits:
            self._base = start
        elif start < self._base:
            self._bits <<= self._base - start
            self._base = start
        bits = self._bits | (((1 << (stop - start)) - 1) << (start - self._base))
        changed = bits != self._bits
        self._bits = bits
        return changed

    def add_all(self, spans: Collection[tuple[int, int]]) -> None:
        """Set the steps of spans, each from its start up to, not including, its stop."""
        if len(spans) < _SPANS_MIN:
            for start, stop in spans:
                self.add(start, stop)
            return
        first, last = min(spans)[0], max(stop for _, stop in spans)
        raw = bytearray((last - first) // 8 + 1)
        for start, stop in spans:
            byte, bit = divmod(start - first, 8)
            end = byte + (bit + stop - start) // 8 + 1
            told = ((1 << (stop - start)) - 1) << bit | int.from_bytes(raw[byte:end], "little")
            raw[byte:end] = told.to_bytes(end - byte, "little")
        self.add_bits(first, int.from_bytes(raw, "little"))

    def add_bits(self, start: int, bits: int) -> None:
        """Set the steps whose bits are set, bit 0 being ``start``."""
        if not bits:
            return
        if not self._bits:
            self._base = start
        elif start < self._base:
            self._bits <<= self._base - start
            self._base = start
        self._bits |= bits << (start - self._base)

    def remove(self, start: int, stop: int) -> None:
        """Unset the steps from ``start`` up to ``stop``."""
        found = self.between(start, stop)
        if found:
            offset = start - self._base
            self._bits &= ~(found << offset if offset >= 0 else found >> -offset)

    def between(self, start: int, stop: int) -> int:
        """Bits of the steps from ``start`` up to ``stop``, bit 0 being ``start``."""
        if stop <= start or not self._bits:
            return 0
        offset = start - self._base
        if offset > _LONG:
            return self._far_between(offset, stop - start)
        shifted = self._bits >> offset if offset >= 0 else self._bits << -offset
        return shifted & ((1 << (stop - start)) - 1)

    def _far_between(self, offset: int, length: int) -> int:
        """Bits far from the base: to shift a whole number copies all that follows, too."""
        if self._long is None or self._long[0] is not self._bits:
            size = (self._bits.bit_length() + 7) // 8
            self._long = self._bits, self._bits.to_bytes(size, "little")
        first, bit = divmod(offset, 8)
        raw = self._long[1][first : first + (bit + length) // 8 + 1]
        return (int.from_bytes(raw, "little") >> bit) & ((1 << length) - 1)

    def last_before(self, stop: int) -> int | None:
        """The last set step before ``stop``, None if there is none."""
        if stop <= self._base or not self._bits:
            return None
        bits = self._bits & ((1 << (stop - self._base)) - 1)
        return self._base + bits.bit_length() - 1 if bits else None

    def first(self) -> int | None:
        """The first set step, None if there is none."""
        return self.first_from(self._base)

    def first_from(self, start: int) -> int | None:
        """The first set step at or after ``start``, None if there is none."""
        offset = max(start - self._base, 0)
        bits = self._bits >> offset
        if not bits:
            return None
        return self._base + offset + (bits & -bits).bit_length() - 1

    def forget_before(self, start: int) -> None:
        """Drop the steps before ``start``."""
        if start > self._base:
            self._bits >>= start - self._base
            self._base = start
            self._long = None

    def __bool__(self) -> bool:
        """Whether any step is set."""
        return bool(self._bits)

    def to_state(self) -> TimelineState:
        """Everything there is to know of it."""
        return self._base, self._bits.to_bytes((self._bits.bit_length() + 7) // 8, "little")

    @classmethod
    def from_state(cls, state: TimelineState) -> Self:
        """A timeline as it was."""
        base, bits = state
        return cls(base, int.from_bytes(bits, "little"))


def bit_array(bits: int, length: int) -> NDArray[np.bool_]:
    """Bits of a whole number as an array of ``length`` truth values, bit 0 first."""
    raw = np.frombuffer(bits.to_bytes((length + 7) // 8, "little"), dtype=np.uint8)
    return np.unpackbits(raw, count=length, bitorder="little").view(np.bool_)


def bits_of(steps: NDArray[np.bool_]) -> int:
    """An array of truth values as the bits of a whole number, the first one as bit 0."""
    return int.from_bytes(np.packbits(steps, bitorder="little").tobytes(), "little")


def run_starts(bits: int, length: int) -> int:
    """Bits from which on ``length`` bits in a row are set."""
    reached = 1
    while reached < length:
        step = min(reached, length - reached)
        bits &= bits >> step
        reached += step
    return bits


def stretched(bits: int, length: int) -> int:
    """Each bit and those that follow it, ``length`` of them."""
    reached = 1
    while reached < length:
        step = min(reached, length - reached)
        bits |= bits << step
        reached += step
    return bits


def places_of(bits: int) -> Iterator[int]:
    """Places of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def held_after(starts: int, stops: int, length: int) -> int:
    """Bits from each bit of ``starts`` on, until before the next one of ``stops``.

    Where both are set, the stop counts. ``length``: of how many bits they are.
    """
    free = ((1 << length) - 1) & ~stops
    starts &= free
    # The carry of the sum runs through the free bits after a start, and turns them over.
    return (((free + starts) ^ free) | starts) & free
