"""Digests: what is kept of a night or a day for features over weeks, and the last of them."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from streams.events import SleepLevel, WindowKind
from streams.features.base import (
    DAY_MIN,
    Bools,
    Floats,
    Values,
    Window,
    local_hours,
    once_per_window,
)
from streams.features.coverage import phone_alive, worn_minutes
from streams.features.phone import COVERAGE_MIN, phone_use
from streams.features.phone_rest import phone_rest
from streams.features.self_report import self_report_scores
from streams.features.sleep import asleep_minutes, main_sleep, sleeps
from streams.features.sleep_night import sleep_of_night, sleep_times
from streams.features.variability import variability_of_day, variability_of_night
from streams.history import EPOCH_MIN, EPOCHS, HOURS, DayDigest, Digest, NightDigest
from streams.history import epoch_bytes as to_epochs
from streams.history import hour_bytes as to_hours

HOUR_STEPS_MIN = 30
"""Fewest minutes of which steps must be told for an hour to count (RAPIDS' valid hour)."""

HOUR_HEART_MIN = 6
"""Fewest minutes with a heart rate for an hour to count: many devices measure now and then."""

Kept = TypeVar("Kept", NightDigest, DayDigest)


def digest_of(window: Window) -> Digest | None:
    """What is kept of a window; None for an hour, and where there is nothing to keep."""
    if window.bounds.kind is WindowKind.NIGHT:
        night = night_digest(window)
        return None if night == NightDigest() else night
    if window.bounds.kind is WindowKind.DAY:
        day = day_digest(window)
        return None if day == DayDigest() else day
    return None


def recent_nights(window: Window, count: int) -> dict[int, NightDigest]:
    """The window's night and those before it, ``count`` dates at most; some may be missing."""
    return _recent(window.past.nights, night_digest(window), window.bounds.date, count)


def recent_days(window: Window, count: int) -> dict[int, DayDigest]:
    """The window's day and those before it, ``count`` dates at most; some may be missing."""
    return _recent(window.past.days, day_digest(window), window.bounds.date, count)


@once_per_window
def night_digest(window: Window) -> NightDigest:
    """Times and duration of the main sleep, RMSSD, and sleep by epoch of the local clock."""
    told = sleep_of_night(window) | sleep_times(window)
    asleep, known = _epochs(window)
    return NightDigest(
        onset_s=_whole(told, "sleep_onset_min", 60.0),
        offset_s=_whole(told, "sleep_offset_min", 60.0),
        duration_s=_whole(told, "sleep_duration_min", 60.0),
        rmssd_cms=_whole(variability_of_night(window), "rmssd_ms", 100.0),
        asleep=asleep,
        known=known,
    )


@once_per_window
def day_digest(window: Window) -> DayDigest:
    """Hours of steps, heart rate and screen; rest from the phone, RMSSD and scores of the day."""
    rest = phone_rest(window)
    return DayDigest(
        steps_per_h=_steps_per_h(window),
        heart_rate_dbpm=_heart_rate_dbpm(window),
        screen_s_per_h=_screen_s_per_h(window),
        rest_min=None if rest is None else (rest.onset_min, rest.offset_min),
        rmssd_cms=_whole(variability_of_day(window), "rmssd_ms", 100.0),
        scores={
            name.removesuffix("_score"): score for name, score in self_report_scores(window).items()
        },
    )


def _recent(past: Mapping[int, Kept], own: Kept, date: int, count: int) -> dict[int, Kept]:
    recent = {day: kept for day, kept in past.items() if date - count < day < date}
    return {**recent, date: own}


def _whole(values: Values, name: str, factor: float) -> int | None:
    return round(values[name] * factor) if name in values else None


def _epochs(window: Window) -> tuple[bytes, bytes]:
    """Asleep and known by epoch of the local clock.

    Known is what lies within a sleep but for stages told to be unknown, and what was worn: minutes
    with a heart rate, with steps, or on the wrist. An epoch of which a minute is known counts, as
    asleep when at least half of what is known of it is. A night of which no sleep was told counts
    for nothing, since that is also what a device gives that has not been read yet.
    """
    if main_sleep(window) is None:
        return b"", b""
    asleep = asleep_minutes(window)
    known = asleep | _worn(window)
    for sleep in sleeps(window):
        known |= window.mask_between(sleep.start_s, sleep.end_s)
        for stage in sleep.stages:
            if stage.level is SleepLevel.UNKNOWN:
                known &= ~window.mask_between(stage.time, stage.time + stage.duration)
    epochs = window.local_clock % DAY_MIN // EPOCH_MIN
    known_min = np.bincount(epochs[known], minlength=EPOCHS)
    asleep_min = np.bincount(epochs[known & asleep], minlength=EPOCHS)
    is_known = known_min > 0
    return to_epochs(is_known & (2 * asleep_min >= known_min)), to_epochs(is_known)


def _worn(window: Window) -> Bools:
    worn = worn_minutes(window)
    known = np.zeros(window.length, dtype=bool) if worn is None else worn.copy()
    if window.heart is not None:
        known |= window.heart.valid
    if window.steps is not None:
        known |= window.steps.steps[-window.length :] > 0
    return known


def _steps_per_h(window: Window) -> bytes:
    if window.steps is None:
        return b""
    known = window.steps.known[-window.length :]
    steps = window.steps.steps[-window.length :].astype(np.float64)
    return to_hours(60.0 * _mean_by_hour(window, steps, known, HOUR_STEPS_MIN))


def _heart_rate_dbpm(window: Window) -> bytes:
    if window.heart is None:
        return b""
    heart = window.heart
    return to_hours(10.0 * _mean_by_hour(window, heart.mean_bpm, heart.valid, HOUR_HEART_MIN))


def _screen_s_per_h(window: Window) -> bytes:
    use = phone_use(window)
    if use is None:
        return b""
    alive = phone_alive(window)
    known = np.ones(window.length, dtype=bool) if alive is None else alive | (use.screen_s > 0.0)
    fewest = int(60 * COVERAGE_MIN)
    return to_hours(60.0 * _mean_by_hour(window, use.screen_s, known, fewest))


def _mean_by_hour(window: Window, values: Floats, known: Bools, fewest: int) -> Floats:
    """Mean of the known minutes of each hour of the local clock, NaN below ``fewest`` of them.

    A day of 25 hours has one of 120 minutes, and one of 23 hours one of none.
    """
    hours = local_hours(window)[known]
    count = np.bincount(hours, minlength=HOURS)
    total = np.bincount(hours, weights=values[known], minlength=HOURS)
    mean = np.full(HOURS, np.nan)
    np.divide(total, count, out=mean, where=count >= fewest)
    return mean
