"""Heart rate variability: RMSSD and SDNN of a night and a day."""

import math

import numpy as np

from streams.events import HeartRateVariability, WindowKind
from streams.features.base import BeatSegments, Bools, Figure, Values, Window, feature
from streams.features.sleep import night_minutes

DIFFERENCES_MIN = 100
"""Fewest differences of successive beats for an RMSSD."""

SEGMENTS_MIN = 12
"""Fewest segments of 5 min with enough beats for an SDNN index."""

SEGMENT_TOLD_MIN_MS = 150_000
"""Time that a segment's intervals must cover for it to count (ms): half of it."""


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
            name="sdnn_index_ms",
            meaning="Mean of the standard deviations (n - 1) of the intervals between beats in "
            "each segment of 5 min that lies within the same hours.",
            minimum="12 segments, each with intervals for half of its time",
            source="Task Force 1996: SDNN index",
        ),
        Figure(
            name="sdnn_ms",
            meaning="Mean of a vendor's timed figures within the same hours.",
            minimum="one figure of a vendor",
            source="Task Force 1996",
        ),
    ),
)
def variability_of_night(window: Window) -> Values:
    """``rmssd_ms``, ``sdnn_index_ms``, and ``sdnn_ms`` where a vendor sends it, of the night.

    RMSSD = sqrt(mean of squared differences of successive beats) over the main sleep, or 00:00 to
    06:59 local time without one (Task Force 1996); no difference bridges a gap. Below 100
    differences the mean of the timed figures that a vendor sent for that time; else absent.

    The SDNN index is of segments rather than of the whole night, whose SDNN grows with its length
    and its stages. An interval belongs to the segment (of the UTC clock) in which its later beat
    lies; a gap adds none. Intervals are taken as sent: a beat that a device missed and did not
    reject makes one long interval.
    """
    within = night_minutes(window)
    values = _vendor_variability(window, within)
    if window.beats is not None:
        count = int(window.beats.count[within].sum())
        if count >= DIFFERENCES_MIN:
            squares = int(window.beats.squares_ms2[within].sum())
            values["rmssd_ms"] = math.sqrt(squares / count)
    if window.segments is not None:
        index = _sdnn_index_ms(window.segments, window.segments.within(within))
        if index is not None:
            values["sdnn_index_ms"] = index
    return values


def _sdnn_index_ms(segments: BeatSegments, within: Bools) -> float | None:
    told = within & (segments.sum_ms >= SEGMENT_TOLD_MIN_MS)
    if np.count_nonzero(told) < SEGMENTS_MIN:
        return None
    count, total = segments.count[told], segments.sum_ms[told]
    # In whole numbers, so that nothing is lost where the deviation is small beside the mean. No
    # interval is longer than 3 s, so half a segment has many.
    variance = (count * segments.squares_ms2[told] - total * total) / (count * (count - 1))
    return float(np.sqrt(variance).mean())


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
