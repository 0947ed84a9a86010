"""A subject's daily history: a digest of each of the last settled nights and days.

Features over weeks read it. What is kept of a date is a pure function of that date's window, and
features of a date read digests of dates before it alone, so that settled rows stay a pure function
of the logs. Numbers are whole ones, in steps finer than any device measures; bytes of like rank lie
side by side and are compressed for themselves, since that is how they become smallest.
"""

import zlib
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.events import WindowKind
from streams.packing import deflated

HISTORY_DAYS = 30
"""Dates of each kind that are kept."""

HOURS = 24
HOUR_UNKNOWN = 65_535
"""An hour of which nothing is known, told apart from 0."""

EPOCH_MIN = 5
"""Length of an epoch of sleep (min): shorter stretches awake matter little from day to day."""

EPOCHS = 24 * 60 // EPOCH_MIN

_HOURS_BYTES = 2 * HOURS
_EMPTY = bytes([255]) * _HOURS_BYTES
_deflated = partial(deflated, level=9, window=13)


class NightDigest(Struct, frozen=True, array_like=True, tag="night"):
    """What is kept of a night; None where it cannot be told.

    ``onset_s`` and ``offset_s``: local clock of falling asleep and of waking up, counted (s) from
    the midnight that begins the morning's date. ``duration_s``: time asleep. ``rmssd_cms``: RMSSD
    in 0.01 ms. ``asleep`` and ``known``: a bit for each epoch of the local clock from 00:00 on;
    empty when nothing is known of any.
    """

    onset_s: int | None = None
    offset_s: int | None = None
    duration_s: int | None = None
    rmssd_cms: int | None = None
    asleep: bytes = b""
    known: bytes = b""


class DayDigest(Struct, frozen=True, array_like=True, tag="day"):
    """What is kept of a day.

    ``steps_per_h``, ``heart_rate_dbpm`` (mean, 0.1 beats/min) and ``screen_s_per_h``: whole numbers
    of two bytes (little-endian) for each hour of the local clock, `HOUR_UNKNOWN` where it cannot be
    told; empty when no hour can. ``rest_min``: local clock (min from the day's midnight) at which
    the longest time without the phone began and ended. ``rmssd_cms``: a vendor's daily figure
    (0.01 ms). ``scores``: of the instruments that were answered.
    """

    steps_per_h: bytes = b""
    heart_rate_dbpm: bytes = b""
    screen_s_per_h: bytes = b""
    rest_min: tuple[int, int] | None = None
    rmssd_cms: int | None = None
    scores: dict[str, float] = {}


Digest = NightDigest | DayDigest


class Past(Struct, frozen=True):
    """Digests of the dates (days since the epoch) before a window's, of its own kind."""

    nights: Mapping[int, NightDigest] = {}
    days: Mapping[int, DayDigest] = {}


NO_PAST = Past()


class HistoryState(Struct, array_like=True):
    """Nights and days as `History` packs them; empty bytes stand for none."""

    nights: bytes = b""
    days: bytes = b""


class _PackedDays(Struct, array_like=True):
    """Days: all but the hours, and of each rank the hours' bytes; each part is compressed.

    The bytes of one hour of all days lie side by side.
    """

    rest: bytes
    ranks: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode_nights = msgspec.msgpack.Decoder(dict[int, NightDigest]).decode
_decode_rest = msgspec.msgpack.Decoder(
    list[tuple[int, tuple[int, int] | None, int | None, dict[str, float]]]
).decode
_decode_packed = msgspec.msgpack.Decoder(_PackedDays).decode


class History:
    """Digests of the last settled dates of one subject, packed."""

    __slots__ = ("_state",)

    def __init__(self, state: HistoryState | None = None) -> None:
        self._state = HistoryState() if state is None else state

    def add(self, date: int, digest: Digest) -> None:
        """Take in a settled date (days since the epoch); dates come in their order."""
        first = date - HISTORY_DAYS + 1
        if isinstance(digest, NightDigest):
            nights = {day: night for day, night in self.nights().items() if day >= first}
            self._state = HistoryState(_pack_nights({**nights, date: digest}), self._state.days)
        else:
            days = {day: kept for day, kept in self.days().items() if day >= first}
            self._state = HistoryState(self._state.nights, _pack_days({**days, date: digest}))

    def nights(self) -> dict[int, NightDigest]:
        """The nights that are kept, by date, the oldest first."""
        packed = self._state.nights
        return _decode_nights(zlib.decompress(packed)) if packed else {}

    def days(self) -> dict[int, DayDigest]:
        """The days that are kept, by date, the oldest first."""
        packed = self._state.days
        return _unpack_days(packed) if packed else {}

    def past(self, kind: WindowKind, shown: Past = NO_PAST) -> Past:
        """What features of a kind of window read: what is kept, then dates only shown so far."""
        if kind is WindowKind.NIGHT:
            return Past(nights={**self.nights(), **shown.nights})
        if kind is WindowKind.DAY:
            return Past(days={**self.days(), **shown.days})
        return NO_PAST

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been taken in."""
        return not (self._state.nights or self._state.days)

    @property
    def sign(self) -> int:
        """A number that differs, within this process, whenever something else is kept."""
        return hash((self._state.nights, self._state.days))

    def to_state(self) -> HistoryState:
        """Everything that is kept."""
        return self._state

    @classmethod
    def from_state(cls, state: HistoryState) -> Self:
        """A history as it was.

        Raises
        ------
        ValueError
            When it is damaged.
        """
        history = cls(state)
        try:
            history.nights()
            history.days()
        except zlib.error:
            raise ValueError("a history that cannot be decompressed") from None
        return history


def hour_bytes(values: NDArray[np.float64]) -> bytes:
    """Values of the hours as they are kept, rounded; NaN: not known. Empty when none is known."""
    known = np.isfinite(values)
    if not known.any():
        return b""
    whole = np.rint(np.where(known, values, 0.0))
    kept = np.where(known, np.clip(whole, 0, HOUR_UNKNOWN - 1), HOUR_UNKNOWN)
    return kept.astype("<u2").tobytes()


def hours_of(days: Iterable[bytes]) -> NDArray[np.float64]:
    """Values of the hours of some days, of shape (days, 24), NaN where not known."""
    joined = b"".join([kept or _EMPTY for kept in days])
    values = np.frombuffer(joined, dtype="<u2").astype(np.float64).reshape(-1, HOURS)
    values[values == HOUR_UNKNOWN] = np.nan
    return values


def epoch_bytes(epochs: NDArray[np.bool_]) -> bytes:
    """Truth values of epochs as they are kept."""
    return np.packbits(epochs, bitorder="little").tobytes()


def epoch_bits(kept: bytes) -> int:
    """Truth values of epochs as bits, the first one as bit 0; 0 where nothing is kept."""
    return int.from_bytes(kept, "little")


def _pack_nights(nights: Mapping[int, NightDigest]) -> bytes:
    return _deflated(_encode(nights))


def _pack_days(days: Mapping[int, DayDigest]) -> bytes:
    joined = b"".join(
        hours or _EMPTY
        for day in days.values()
        for hours in (day.steps_per_h, day.heart_rate_dbpm, day.screen_s_per_h)
    )
    planes = np.frombuffer(joined, dtype=np.uint8).reshape(len(days), -1, 2).transpose(2, 1, 0)
    rest = [(date, day.rest_min, day.rmssd_cms, day.scores) for date, day in days.items()]
    return _encode(
        _PackedDays(
            _deflated(_encode(rest)),
            [_deflated(plane.tobytes()) for plane in planes],
        )
    )


def _unpack_days(packed: bytes) -> dict[int, DayDigest]:
    kept = _decode_packed(packed)
    rest = _decode_rest(zlib.decompress(kept.rest))
    planes = b"".join(zlib.decompress(plane) for plane in kept.ranks)
    joined = np.frombuffer(planes, dtype=np.uint8).reshape(2, -1, len(rest)).T.tobytes()
    hours = [joined[place : place + _HOURS_BYTES] for place in range(0, len(joined), _HOURS_BYTES)]
    told = iter([b"" if some == _EMPTY else some for some in hours])
    return {
        date: DayDigest(next(told), next(told), next(told), rest_min, rmssd_cms, scores)
        for date, rest_min, rmssd_cms, scores in rest
    }
