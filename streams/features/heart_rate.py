"""Heart rate: per minute, per hour, at rest, asleep and awake."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from streams.cells import COUNT, HEART, LEAST, MOST, SUM
from streams.events import MinuteValues, RestingHeartRate, WindowKind
from streams.features.base import (
    Bools,
    Figure,
    HeartMinutes,
    Values,
    Window,
    feature,
    mean_of,
    told_elsewhere,
)
from streams.features.sleep import asleep_minutes, main_sleep, night_minutes, small_hours
from streams.timeline import bit_array

HOUR_REST_MIN = 10
"""Fewest minutes at rest for the resting heart rate of an hour."""

LONG_REST_MIN = 60
"""Fewest minutes at rest, or asleep, for a night or a day."""

AWAKE_MIN = 240
"""Fewest minutes awake for what compares a day awake with asleep."""

LOWEST_SPAN_MIN = 30
"""Consecutive minutes of which the lowest mean is taken."""

LOWEST_VALID_MIN = 20
"""Fewest minutes with a sample among them."""

told_elsewhere(
    __name__,
    WindowKind.MINUTE,
    gives=(
        Figure(
            name="heart_rate_mean_bpm",
            meaning="Mean over the seconds seen in the minute, each counted once.",
            minimum="one sample",
            source="RAPIDS: avghr",
        ),
        Figure(
            name="heart_rate_min_bpm",
            meaning="Smallest sample of the minute.",
            minimum="one sample",
            source="RAPIDS: minhr",
        ),
        Figure(
            name="heart_rate_max_bpm",
            meaning="Largest sample of the minute.",
            minimum="one sample",
            source="RAPIDS: maxhr",
        ),
    ),
)


def minute_values(window: Window, only: int | None = None) -> list[MinuteValues]:
    """Mean, least and largest heart rate (beats/min) of each minute that has a sample.

    The mean is over the seconds seen in that minute, each counted once. ``only``: bits of the
    minutes to tell, None: all.
    """
    arrays = window.grid.channel(window.start, window.stop, HEART, (COUNT, SUM, LEAST, MOST))
    if arrays is None:
        return []
    told = arrays[0] > 0
    if only is not None:
        told &= bit_array(only, window.length)
    at = np.flatnonzero(told)
    count, total, least, most = (array[at] for array in arrays)
    columns = ((at + window.start) * 60.0, total / (count * 10.0), least / 10.0, most / 10.0)
    return [
        MinuteValues(
            start=start,
            values={
                "heart_rate_mean_bpm": mean,
                "heart_rate_min_bpm": low,
                "heart_rate_max_bpm": high,
            },
        )
        for start, mean, low, high in zip(*(c.tolist() for c in columns), strict=True)
    ]


@feature(
    WindowKind.HOUR,
    gives=(
        Figure(
            name="heart_rate_mean_bpm",
            meaning="Mean of the hour's minute means.",
            minimum="one sample",
            source="RAPIDS: avghr",
        ),
        Figure(
            name="heart_rate_resting_bpm",
            meaning="Mean of the minute means asleep, or after 12 min without steps.",
            minimum="10 such minutes",
            source="Bogu & Snyder 2021",
        ),
    ),
)
def heart_rate_of_hour(window: Window) -> Values:
    """Heart rate of an hour, and at rest.

    ``heart_rate_mean_bpm``: mean of the hour's minute means, so that dense sampling in one part of
    the hour does not outweigh the rest. Absent without a sample.

    ``heart_rate_resting_bpm``: the same over minutes asleep, or after 12 without steps (Bogu &
    Snyder 2021); absent below 10 such minutes.
    """
    heart = window.heart
    if heart is None:
        return {}
    values = {"heart_rate_mean_bpm": mean_of(heart.mean_bpm[heart.valid])}
    resting = _mean_bpm(window, window.still | asleep_minutes(window), HOUR_REST_MIN)
    if resting is not None:
        values["heart_rate_resting_bpm"] = resting
    return values


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="heart_rate_resting_bpm",
            meaning="Mean of the minute means from 00:00 to 06:59 local time asleep, or after 12 "
            "min without steps.",
            minimum="60 such minutes",
            source="Bogu & Snyder 2021, over Alavi 2022's hours",
        ),
        Figure(
            name="heart_rate_nocturnal_bpm",
            meaning="Mean of the minute means from 00:00 to 06:59 local time without steps.",
            minimum="60 such minutes, with steps known",
            source="Alavi 2022",
        ),
        Figure(
            name="heart_rate_sleeping_bpm",
            meaning="Mean of the minute means asleep in the main sleep.",
            minimum="60 such minutes",
            source="own",
        ),
        Figure(
            name="heart_rate_lowest_bpm",
            meaning="Lowest mean of the minute means over 30 consecutive minutes of the main "
            "sleep, else of 00:00 to 06:59 local time.",
            minimum="30 minutes with samples in 20 of them",
            source="own",
        ),
    ),
)
def heart_rate_of_night(window: Window) -> Values:
    """Heart rate of a night (beats/min): at rest, without steps, asleep, and at its lowest.

    Minutes without a sample are left out of every mean; a figure with too few others is absent.
    Minutes whose steps are not known are not without steps.
    """
    heart = window.heart
    if heart is None:
        return {}
    at_night = small_hours(window)
    resting = (window.still | asleep_minutes(window)) & at_night
    sleep = main_sleep(window)
    told = {
        "heart_rate_resting_bpm": _mean_bpm(window, resting, LONG_REST_MIN),
        "heart_rate_nocturnal_bpm": _mean_bpm(
            window, window.without_steps & at_night, LONG_REST_MIN
        ),
        "heart_rate_lowest_bpm": _lowest_bpm(heart, night_minutes(window)),
    }
    if sleep is not None:
        asleep = asleep_minutes(window) & window.mask_between(sleep.start_s, sleep.end_s)
        told["heart_rate_sleeping_bpm"] = _mean_bpm(window, asleep, LONG_REST_MIN)
    return {name: value for name, value in told.items() if value is not None}


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="heart_rate_resting_bpm",
            meaning="Mean of the minute means asleep, or after 12 min without steps; else the "
            "vendor's daily figure.",
            minimum="60 such minutes, or the vendor's figure",
            source="Bogu & Snyder 2021; RAPIDS: avgrestinghr",
        ),
    ),
)
def heart_rate_of_day(window: Window) -> Values:
    """Heart rate of a day at rest.

    ``heart_rate_resting_bpm``: mean over minutes asleep or after 12 without steps; below 60 such
    minutes the vendor's dated figure where sent, else absent.
    """
    resting = None
    if window.heart is not None:
        resting = _mean_bpm(window, window.still | asleep_minutes(window), LONG_REST_MIN)
    if resting is None:
        vendor = window.dated("resting_heart_rate/1")
        resting = vendor.resting_heart_rate if isinstance(vendor, RestingHeartRate) else None
    return {} if resting is None else {"heart_rate_resting_bpm": resting}


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="heart_rate_waking_bpm",
            meaning="Mean of the minute means of the day's minutes that are not told asleep.",
            minimum="240 such minutes, and 60 min of the day told asleep",
            source="own",
        ),
        Figure(
            name="heart_rate_dip_percent",
            meaning="Nocturnal dip: 100 * (waking - sleeping) / waking, with the mean of the "
            "minute means asleep on the same date.",
            minimum="240 minutes awake and 60 asleep, each with a sample",
            source="Verdecchia 1998; Ben-Dov 2007",
        ),
    ),
)
def heart_rate_awake(window: Window) -> Values:
    """Heart rate awake (beats/min) and by how much it falls asleep (percent) on a local date.

    A minute is awake when it is not told asleep, on a date with at least 60 min told asleep: where
    no sleep is known, nothing tells what is awake. A sleep counts with what lies on the date.
    """
    asleep = asleep_minutes(window)
    if int(asleep.sum()) < LONG_REST_MIN:
        return {}
    waking = _mean_bpm(window, ~asleep, AWAKE_MIN)
    if waking is None:
        return {}
    values = {"heart_rate_waking_bpm": waking}
    sleeping = _mean_bpm(window, asleep, LONG_REST_MIN)
    if sleeping is not None:
        values["heart_rate_dip_percent"] = 100.0 * (waking - sleeping) / waking
    return values


def _lowest_bpm(heart: HeartMinutes, within: Bools) -> float | None:
    """The lowest mean over consecutive minutes that all lie within a mask (beats/min)."""
    if within.size < LOWEST_SPAN_MIN:
        return None
    valid = _count_of_spans(heart.valid & within)
    inside = _count_of_spans(within) == LOWEST_SPAN_MIN
    told = np.flatnonzero(inside & (valid >= LOWEST_VALID_MIN))
    if told.size == 0:
        return None
    # Minutes without a sample are 0 beats/min and add nothing.
    first, last = int(told[0]), int(told[-1])
    means = heart.mean_bpm[first : last + LOWEST_SPAN_MIN]
    total = sliding_window_view(means, LOWEST_SPAN_MIN).sum(axis=1)
    return float((total[told - first] / valid[told]).min())


def _count_of_spans(minutes: Bools) -> NDArray[np.int64]:
    """How many of the minutes are set, in each span of consecutive ones."""
    total = np.zeros(minutes.size + 1, dtype=np.int64)
    np.cumsum(minutes, out=total[1:])
    return total[LOWEST_SPAN_MIN:] - total[:-LOWEST_SPAN_MIN]


def _mean_bpm(window: Window, minutes: Bools, fewest: int) -> float | None:
    heart = window.heart
    if heart is None:
        return None
    chosen = heart.mean_bpm[heart.valid & minutes]
    return mean_of(chosen) if chosen.size >= fewest else None
