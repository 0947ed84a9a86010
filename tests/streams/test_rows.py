"""Goal: a row says what measured it, and is kept and found again as it was said. Method: one night
around a change of device; any figures, through memory and state; rows that come and go at random,
beside a plain dict; uploads of days known by hand."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import Source, WindowKind
from streams.features.base import Bounds
from streams.rows import Shown, ShownRows, SyncGaps, feature_row
from streams.timeline import Timeline
from streams.unsettled import Place
from tests.logs import subject

NOON_MIN = 20_000 * 1_440 + 720

FIGURES = st.dictionaries(
    st.sampled_from(["step_count", "screen_min", "sdnn_ms"]),
    st.one_of(
        st.integers(-(2**70), 2**70).map(float),
        st.sampled_from([0.0, -0.0, 2.0**32, 1e308, 5e-324]),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
)


@given(values=FIGURES, coverage=FIGURES)
def test_a_row_is_kept_as_it_was_said(values: dict[str, float], coverage: dict[str, float]) -> None:
    bounds = Bounds(WindowKind.DAY, NOON_MIN, NOON_MIN + 1_440, 20_001, "UTC")
    shown = Shown(bounds, 3_600, values, coverage, 2)
    rows, again = ShownRows(), ShownRows()
    rows.put(shown)
    written = msgspec.msgpack.encode(rows.to_state(bounds.date))
    again.add_state(msgspec.msgpack.decode(written, type=list[msgspec.Raw]))
    for kept in (rows.get(bounds), again.get(bounds)):
        # As text: a zero below zero is told from the other, a whole number from a count.
        assert repr(kept) == repr(shown)


@pytest.mark.parametrize(("changed_h", "device"), [(9.0, "Watch 3"), (21.0, "Watch 2")])
def test_the_device_of_a_night_is_that_of_the_sleeping_hours(changed_h: float, device: str) -> None:
    """The night is from noon to noon; the new watch comes so many hours after it began."""
    changed_s = NOON_MIN * 60.0 + changed_h * 3_600.0
    sources = [
        Source(source_id="a", model="Watch 2", until=changed_s),
        Source(source_id="b", model="Watch 3", from_=changed_s),
    ]
    bounds = Bounds(WindowKind.NIGHT, NOON_MIN, NOON_MIN + 1_440, 20_001, "UTC")
    row = feature_row(Shown(bounds, 0, {}, {}, 0), "u1", subject(sources=sources), epoch=0)
    assert row.device_type == device


def _window(chance: random.Random) -> Bounds:
    """Any hour, night or day of three days."""
    kind = chance.choice([WindowKind.HOUR, WindowKind.NIGHT, WindowKind.DAY])
    date = 20_000 + chance.randrange(3)
    if kind is WindowKind.HOUR:
        start = date * 1_440 + 60 * chance.randrange(24)
        return Bounds(kind, start, start + 60, date, "UTC")
    start = date * 1_440 - 720 * (kind is WindowKind.NIGHT)
    return Bounds(kind, start, start + 1_440, date, "UTC")


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_found_by_their_windows(seed: int) -> None:
    chance = random.Random(seed)
    rows, expected = ShownRows(), dict[Bounds, Shown]()
    for revision in range(300):
        bounds = _window(chance)
        is_hour = bounds.kind is WindowKind.HOUR
        alike = [b for b in expected if (b.kind is WindowKind.HOUR) == is_hour]
        last = max(alike, key=lambda b: (b.date, b.stop), default=None)
        assert (rows.place_of(bounds) is Place.LAST) == (bounds == last)
        if chance.random() < 0.5:
            assert rows.pop(bounds) == expected.pop(bounds, None)
        else:
            expected[bounds] = Shown(bounds, 0, {}, {}, revision)
            rows.put(expected[bounds])
        assert (bounds in rows) == (bounds in expected)
        assert rows.days() == {b.date for b in expected}
        encoded = [row for day in rows.days() for row in rows.to_state(day)]
        held = [msgspec.msgpack.decode(row, type=Shown) for row in encoded]
        assert {shown.bounds: shown for shown in held} == expected
        assert len(held) == len(expected)


def test_the_usual_gap_is_of_days_each_with_what_arrived_from_its_midnight_on() -> None:
    """An upload at each midnight ends the longest gap of the day that it begins."""
    gaps, received = SyncGaps(), Timeline()
    lengths = [3, 9, 4, 11, 2, 7, 5, 8]
    midnights = [(20_000 + day) * 24 for day in range(8)]
    for midnight, length in zip(midnights, lengths, strict=True):
        # Every hour from the midnight on, and nothing for so many hours before the next one.
        received.add(midnight, midnight + 25 - length)
    for day, midnight in enumerate(midnights):
        gaps.settle_day(_day_of(midnight), received)
        assert gaps.hours == [1, *lengths[:day]]
        assert (gaps.usual_h() is None) == (day < 6)
    # Of 1, 2, 3, 4, 5, 7, 9 and 11, that at place int(0.9 * 7).
    assert gaps.usual_h() == 9.0


def _day_of(midnight: int) -> Bounds:
    return Bounds(WindowKind.DAY, midnight * 60, midnight * 60 + 1_440, midnight // 24, "UTC")
