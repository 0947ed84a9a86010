"""Heart rate variability: RMSSD and SDNN of a night and a day."""

import math

import numpy as np

from streams.cells import HOUR_MIN
from streams.events import HeartRateVariability, WindowKind
from streams.features.base import Bools, Figure, Values, Window, feature
from streams.features.sleep import night_minutes

DIFFERENCES_MIN = 100
"""Fewest differences of successive beats for an RMSSD."""

INTERVALS_MIN = 100
"""Fewest intervals between beats for an SDNN."""

_SOURCE = "Task Force 1996; normal beats: Malik 1989"


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="rmssd_ms",
            meaning="sqrt(mean((IBI[i+1] - IBI[i])^2)) over the main sleep, else from 00:00 to "
            "06:59, of successive normal beats of an envelope: no difference bridges a gap, or "
            "is more than a fifth of the earlier interval. Else the mean of a vendor's timed "
            "figures.",
            minimum="100 differences, or one figure of a vendor",
            source=_SOURCE,
        ),
        Figure(
            name="sdnn_ms",
            meaning="Standard deviation (n - 1) of all intervals between normal beats, none of "
            "them across a gap, in the hours (UTC) that lie wholly within the same time. Else the "
            "mean of a vendor's timed figures.",
            minimum="100 intervals, or one figure of a vendor",
            source=_SOURCE,
        ),
    ),
)
def variability_of_night(window: Window) -> Values:
    """``rmssd_ms`` and ``sdnn_ms`` of the night, of beats or else as a vendor sends them.

    Over the main sleep, or 00:00 to 06:59 local time without one (Task Force 1996): RMSSD =
    sqrt(mean of squared differences of successive beats), no difference bridging a gap; SDNN =
    standard deviation (n - 1) of all intervals, of the whole hours (UTC) in that time, for that is
    how intervals are kept. An interval is what a device measured from beat to beat, so a gap gives
    none. Both are of normal beats, as their names say: an interval that differs from the one before
    by more than a fifth is left out (Malik et al. 1989). Of ten of MMASH's nights that is
    0.2 to 6 percent of the beats and of one 30; RMSSD falls by an eighth to nine tenths without
    them. Below 100 differences, or intervals, the mean of the timed figures that a vendor sent for
    that time; else absent.
    """
    within = night_minutes(window)
    values = _vendor_variability(window, within)
    if window.beats is not None:
        count = int(window.beats.count[within].sum())
        if count >= DIFFERENCES_MIN:
            squares = int(window.beats.squares_ms2[within].sum())
            values["rmssd_ms"] = math.sqrt(squares / count)
    sdnn_ms = _deviation_ms(window, within)
    if sdnn_ms is not None:
        values["sdnn_ms"] = sdnn_ms
    return values


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


def _deviation_ms(window: Window, within: Bools) -> float | None:
    """Standard deviation of the intervals of whole hours within; None below ``INTERVALS_MIN``."""
    hours = window.beat_hours
    if hours is None:
        return None
    whole = within[hours.minutes].reshape(-1, HOUR_MIN).all(axis=1)
    sums = (hours.count, hours.total_ms, hours.squares_ms2)
    # Whole numbers of any size: what is left of the difference is exact.
    count, total, squares = (int(values[whole].sum()) for values in sums)
    if count < INTERVALS_MIN:
        return None
    return math.sqrt((count * squares - total * total) / (count * (count - 1)))


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
