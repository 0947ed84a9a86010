"""Goal: a day at rest is the same day again; method: any cells, and days of before by hand."""

import copy
from array import array

import msgspec
import numpy as np
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.cells import (
    BEATS,
    HEART,
    HOUR_MIN,
    INTERVALS,
    LAYOUT,
    STEPS,
    Cells,
    DayState,
    Hour,
    day_state,
    hours_of,
)

HOUR = 482_136
LIMITS = {"B": 60, "H": 65_535, "I": 2**32 - 1, "Q": 2**60 - 1}

Parts = list[list[int]]


@st.composite
def hours(draw: st.DrawFn) -> Hour:
    """An hour with some of the channels, any figures, some of its minutes empty."""
    hour = Hour()
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.0, 1e-4, 0.1, 1.0]))
    for channel in draw(st.sets(st.sampled_from([HEART, BEATS, STEPS, INTERVALS]))):
        length = LAYOUT[channel].cells
        told = chance.random(length) < draw(st.sampled_from([0.0, 0.3, 1.0]))
        hour.channels[channel] = [
            array(code, [int(x) * bool(t) for x, t in zip(drawn, told, strict=True)])
            for code in LAYOUT[channel].codes
            for drawn in [chance.integers(0, int(LIMITS[code] * scale) + 1, length)]
        ]
    heart = hour.channels[HEART]
    if heart is not None:
        _, count, total, low, high, _ = heart
        for minute in range(HOUR_MIN):
            # A mean lies between the least and the most, all of them below 300 beats/min.
            total[minute] = min(total[minute], 3_000 * count[minute])
            mean = total[minute] // max(count[minute], 1)
            low[minute], high[minute] = min(low[minute], mean), max(min(high[minute], 3_000), mean)
    if draw(st.booleans()):
        hour.drop_masks()
    return hour


def _read(held: Hour) -> "list[Cells | None]":
    """Cells by channel, of an hour that stays as it is."""
    return copy.copy(held).open()


@given(st.dictionaries(st.integers(HOUR, HOUR + 23), hours(), min_size=1))
def test_a_day_comes_back_through_msgpack_as_it_was(day: dict[int, Hour]) -> None:
    expected = {hour: (held.is_final, _read(held)) for hour, held in day.items()}
    encoded = msgspec.msgpack.encode(day_state(day))
    back = hours_of(msgspec.msgpack.decode(encoded, type=DayState))
    assert {hour: (held.is_final, _read(held)) for hour, held in back.items()} == expected


def test_a_day_of_version_1_is_read() -> None:
    # Owner, count, sum, then least and most counted from the mean, and the seconds: bytes by rank.
    arrays: Parts = [[1] * 60, [2] * 60, [1_301] * 60, [50] * 60, [51] * 60, [3] * 60]
    ranks = [_ranks(code, part) for code, part in zip(LAYOUT[HEART].codes, arrays, strict=True)]
    planes = [*ranks, *[b""] * (len(LAYOUT[BEATS].codes) + len(LAYOUT[STEPS].codes))]
    compress = zstandard.ZstdCompressor().compress
    old = msgspec.msgpack.encode([[[HOUR, False, 1]], [compress(plane) for plane in planes]])
    held = hours_of(msgspec.msgpack.decode(old, type=DayState))[HOUR]
    heart, _, steps, _ = _read(held)
    assert heart is not None
    assert [part[0] for part in heart] == [1, 2, 1_301, 600, 701, 3]
    assert steps is None


def test_a_day_written_before_there_were_intervals_is_read() -> None:
    hour = Hour()
    hour.channels[STEPS] = [array("H", [1] * HOUR_MIN), array("H", range(HOUR_MIN))]
    expected = copy.deepcopy(hour.channels)
    written = msgspec.msgpack.decode(msgspec.msgpack.encode(day_state({HOUR: hour})))
    old = msgspec.msgpack.encode(written[:-1])
    assert _read(hours_of(msgspec.msgpack.decode(old, type=DayState))[HOUR]) == expected


def _ranks(code: str, part: list[int]) -> bytes:
    raw, width = array(code, part).tobytes(), array(code).itemsize
    return b"".join(raw[place::width] for place in range(width))
