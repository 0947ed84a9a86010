"""Rest from the phone: the longest time of a night without it, a stand-in for sleep.

The span looked at is from 18:00 of the evening before (six hours before the day begins) to 14:00,
local time; a minute is one of use when the screen was on in it or the phone was unlocked. A screen
that went on and was lost sight of, as `phone` has it, is no use.
"""

from collections.abc import Mapping
from statistics import median

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.events import WindowKind
from streams.features.base import (
    Bools,
    Bounds,
    Figure,
    Values,
    Window,
    feature,
    once_per_window,
    runs_of,
)
from streams.features.coverage import phone_alive
from streams.features.phone import phone_use
from streams.history import DayDigest

EXPECTED_DAYS = 30
"""Days before that the expected rest is taken from."""

EXPECTED_DAYS_MIN = 7
"""Fewest days with a rest before one is expected."""

_EVENING_MIN = 6 * 60
_SPAN_STOP_MIN = 14 * 60
_SOURCE = "Knights 2023"
_LIVED = (
    "signs of life for 60 % of the time from 18:00 to 14:00, or one use in it where no phone "
    "sends any"
)
_EXPECTED = f"the same, and {EXPECTED_DAYS_MIN} of the {EXPECTED_DAYS} days before"


class PhoneRest(Struct, frozen=True):
    """The longest time without the phone: whole minutes of it, local clock from the midnight."""

    duration_min: int
    onset_min: int
    offset_min: int


class _Span(Struct, frozen=True):
    """Minutes from the evening to the afternoon: their local clock, used, known to be unused."""

    clock: NDArray[np.int64]
    used: Bools
    idle: Bools


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="phone_rest_min",
            meaning="Longest time without use of the phone from 18:00 of the day before to 14:00; "
            "a minute in which no phone lived ends it.",
            minimum=_LIVED,
            source=_SOURCE,
        ),
        Figure(
            name="phone_rest_onset_min",
            meaning="Local clock at which it began.",
            minimum=_LIVED,
            source=_SOURCE,
        ),
        Figure(
            name="phone_rest_offset_min",
            meaning="Local clock at which it ended.",
            minimum=_LIVED,
            source=_SOURCE,
        ),
        Figure(
            name="phone_rest_overlap_percent",
            meaning="Share of the expected rest (median onset to median offset of the 30 days "
            "before) that lies within this one.",
            minimum=_EXPECTED,
            source=_SOURCE,
        ),
        Figure(
            name="phone_rest_disruption_count",
            meaning="Stretches of minutes with use within the expected rest.",
            minimum=_EXPECTED,
            source=_SOURCE,
        ),
    ),
)
def phone_rest_features(window: Window) -> Values:
    """The longest time without the phone, and how it keeps to what is usual.

    Absent when the phone did not live for 60 % of the span, or was never used in it where no phone
    sends signs of life. Of equally long times the first counts.

    Source: Knights et al. 2023.
    """
    rest, span = phone_rest(window), _span(window)
    if rest is None or span is None:
        return {}
    values = {
        "phone_rest_min": float(rest.duration_min),
        "phone_rest_onset_min": float(rest.onset_min),
        "phone_rest_offset_min": float(rest.offset_min),
    }
    expected = expected_rest(window.past.days, window.bounds.date)
    if expected is None:
        return values
    start, stop = expected
    shared = min(rest.offset_min, stop) - max(rest.onset_min, start)
    within = span.used & (span.clock >= start) & (span.clock < stop)
    begins = within & ~np.concatenate(([False], within[:-1]))
    return {
        **values,
        "phone_rest_overlap_percent": 100.0 * max(shared, 0.0) / (stop - start),
        "phone_rest_disruption_count": float(np.count_nonzero(begins)),
    }


@once_per_window
def phone_rest(window: Window) -> PhoneRest | None:
    """The longest time without the phone before the window's afternoon; None if not told."""
    span = _span(window)
    if span is None or not span.idle.any():
        return None
    starts, stops = runs_of(span.idle)
    longest = int(np.argmax(stops - starts))
    start, stop = int(starts[longest]), int(stops[longest])
    return PhoneRest(stop - start, int(span.clock[start]), int(span.clock[stop - 1]) + 1)


def expected_rest(days: Mapping[int, DayDigest], date: int) -> tuple[float, float] | None:
    """Median onset and offset (local clock, min) of the days before a date; None if too few.

    The span begins and ends at fixed times of the clock, so that no median straddles midnight.
    """
    rests = [
        kept.rest_min
        for day, kept in days.items()
        if date - EXPECTED_DAYS <= day < date and kept.rest_min is not None
    ]
    if len(rests) < EXPECTED_DAYS_MIN:
        return None
    start, stop = (float(median(clock)) for clock in zip(*rests, strict=True))
    return (start, stop) if stop > start else None


@once_per_window
def _span(window: Window) -> _Span | None:
    own = window.bounds
    is_afternoon = window.local_clock >= _SPAN_STOP_MIN
    stop = own.start + int(is_afternoon.argmax()) if is_afternoon.any() else own.stop
    start = own.start - _EVENING_MIN
    part = Window(Bounds(own.kind, start, stop, own.date, own.zone), window.evidence, beside=window)
    use = phone_use(part)
    if use is None:
        return None
    used = (use.screen_s > 0.0) | (use.unlocks > 0)
    alive = phone_alive(part)
    return _Span(part.local_clock, used, ~used if alive is None else ~used & alive)
