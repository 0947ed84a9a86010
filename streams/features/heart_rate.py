"""Heart rate: per minute, per hour, at rest and asleep; and its variability."""

import math

import numpy as np

from streams.events import HeartRateVariability, MinuteValues, RestingHeartRate, WindowKind
from streams.features.base import Bools, Figure, Values, Window, feature, told_elsewhere
from streams.features.sleep import asleep_minutes, main_sleep

HOUR_REST_MIN = 10
"""Fewest minutes at rest for the resting heart rate of an hour."""

LONG_REST_MIN = 60
"""Fewest minutes at rest, or asleep, for a night or a day."""

DIFFERENCES_MIN = 100
"""Fewest differences of successive beats for an RMSSD."""

_MORNING_MIN = 7 * 60

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


def minute_values(window: Window) -> list[MinuteValues]:
    """Mean, least and largest heart rate (beats/min) of each minute that has a sample.

    The mean is over the seconds seen in that minute, each counted once.
    """
    heart = window.heart
    if heart is None:
        return []
    rows = np.flatnonzero(heart.valid)
    columns = zip(
        ((rows + window.start) * 60.0).tolist(),
        heart.mean_bpm[rows].tolist(),
        heart.min_bpm[rows].tolist(),
        heart.max_bpm[rows].tolist(),
        strict=True,
    )
    return [
        MinuteValues(
            start=start,
            values={
                "heart_rate_mean_bpm": mean,
                "heart_rate_min_bpm": low,
                "heart_rate_max_bpm": high,
            },
        )
        for start, mean, low, high in columns
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
    values = {"heart_rate_mean_bpm": float(heart.mean_bpm[heart.valid].mean())}
    resting = _mean_bpm(window, window.still | asleep_minutes(window), HOUR_REST_MIN)
    if resting is not None:
        values["heart_rate_resting_bpm"] = resting
    return values


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="heart_rate_resting_bpm",
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
    ),
)
def heart_rate_of_night(window: Window) -> Values:
    """Heart rate of a night: at rest and asleep.

    ``heart_rate_resting_bpm``: mean over the minutes from 00:00 to 06:59 local time without
    steps (Alavi et al. 2022); needs steps to be known.

    ``heart_rate_sleeping_bpm``: mean over the minutes asleep in the main sleep. Both absent below
    60 such minutes.
    """
    values: Values = {}
    if window.heart is None:
        return values
    if window.steps is not None:
        no_steps = (window.steps.known & (window.steps.steps == 0))[-window.length :]
        resting = _mean_bpm(window, no_steps & _small_hours(window), LONG_REST_MIN)
        if resting is not None:
            values["heart_rate_resting_bpm"] = resting
    sleep = main_sleep(window)
    if sleep is not None:
        asleep = asleep_minutes(window) & window.mask_between(sleep.start_s, sleep.end_s)
        sleeping = _mean_bpm(window, asleep, LONG_REST_MIN)
        if sleeping is not None:
            values["heart_rate_sleeping_bpm"] = sleeping
    return values


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
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="rmssd_ms",
            meaning="sqrt(mean((IBI[i+1] - IBI[i])^2)) over the main sleep, else from 00:00 to "
            "06:59; no difference bridges a gap. Else the mean of a vendor's timed figures.",
            minimum="100 differences, or one figure of a vendor",
            source="Task Force 1996",
        ),
        Figure(
            name="sdnn_ms",
            meaning="Mean of a vendor's timed figures within the same hours.",
            minimum="one figure of a vendor, and fewer than 100 differences",
            source="Task Force 1996",
        ),
    ),
)
def variability_of_night(window: Window) -> Values:
    """``rmssd_ms`` (and ``sdnn_ms`` where a vendor sends it) of the night.

    RMSSD = sqrt(mean of squared differences of successive beats) over the main sleep, or 00:00 to
    06:59 local time without one (Task Force 1996); no difference bridges a gap. Below 100
    differences the mean of the timed figures that a vendor sent for that time; else absent.
    """
    sleep = main_sleep(window)
    if sleep is not None:
        within = window.mask_between(sleep.start_s, sleep.end_s)
    else:
        within = _small_hours(window)
    if window.beats is not None:
        count = int(window.beats.count[within].sum())
        if count >= DIFFERENCES_MIN:
            squares = int(window.beats.squares_ms2[within].sum())
            return {"rmssd_ms": math.sqrt(squares / count)}
    return _vendor_variability(window, within)


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="rmssd_ms",
            meaning="What a vendor dated with this day.",
            minimum="the vendor's figure",
            source="Task Force 1996",
        ),
        Figure(
            name="sdnn_ms",
            meaning="What a vendor dated with this day.",
            minimum="the vendor's figure",
            source="Task Force 1996",
        ),
    ),
)
def variability_of_day(window: Window) -> Values:
    """``rmssd_ms`` and ``sdnn_ms`` that a vendor dated with this day; absent otherwise."""
    record = window.dated("heart_rate_variability/1")
    if not isinstance(record, HeartRateVariability):
        return {}
    pairs = {"rmssd_ms": record.rmssd, "sdnn_ms": record.sdnn}
    return {name: value for name, value in pairs.items() if value is not None}


def _vendor_variability(window: Window, within: Bools) -> Values:
    minutes = np.flatnonzero(within)
    if minutes.size == 0:
        return {}
    start_s = (window.start + float(minutes[0])) * 60.0
    stop_s = (window.start + float(minutes[-1]) + 1.0) * 60.0
    chosen: tuple[int, str] | None = None
    found: dict[str, list[float]] = {"rmssd_ms": [], "sdnn_ms": []}
    for source, record in window.records("heart_rate_variability/1"):
        if not isinstance(record, HeartRateVariability) or record.time is None:
            continue
        if not start_s <= record.time < stop_s or chosen not in (None, source):
            continue
        chosen = source
        for name, value in (("rmssd_ms", record.rmssd), ("sdnn_ms", record.sdnn)):
            if value is not None:
                found[name].append(value)
    return {name: math.fsum(given) / len(given) for name, given in found.items() if given}


def _mean_bpm(window: Window, minutes: Bools, fewest: int) -> float | None:
    heart = window.heart
    if heart is None:
        return None
    chosen = heart.mean_bpm[heart.valid & minutes]
    return float(chosen.mean()) if chosen.size >= fewest else None


def _small_hours(window: Window) -> Bools:
    """Minutes from 00:00 to 06:59 local time of the window's date."""
    return (window.local_clock >= 0) & (window.local_clock < _MORNING_MIN)
