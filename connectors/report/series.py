"""Series for the plots: daily values with the person's usual band, data strips, minute buckets.

A day or bucket without a value is None, so that a plot shows a gap there and never a zero.
"""

import datetime as dt
import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from msgspec import Struct
from numpy.lib.stride_tricks import sliding_window_view

from streams.events import FeatureRow, MinuteValues

BAND_VALUES = 28
"""Earlier values of the person from which the usual band of a day is drawn."""

BAND_VALUES_MIN = 7
"""Fewest earlier values that give a band."""

BAND_QUANTILES = (0.1, 0.5, 0.9)
"""Low end, middle and high end of the usual band."""

BUCKETS_MAX = 1_500
"""Most points of a minute-level trace, so that a page with many people still opens quickly."""

BUCKET_MINUTES = (1, 2, 5, 10, 15, 30, 60)
"""Lengths of a bucket of minutes (min)."""

GOOD_COVERAGE = 0.5
"""Share of valid minutes from which a day counts as covered for the most part."""

Values = list[float | None]


class Band(Struct, frozen=True):
    """Usual range of each day from ``first`` on, taken from earlier settled values alone."""

    first: dt.date
    low: list[float]
    middle: list[float]
    high: list[float]


class Buckets(Struct, frozen=True):
    """Heart rate (bpm) in buckets of ``length_s`` from ``start`` (s UTC) on."""

    start: float
    length_s: float
    mean: Values
    low: Values
    high: Values


def dates_between(first: dt.date, last: dt.date) -> list[dt.date]:
    """Give every date from ``first`` to ``last``, both included."""
    return [first + dt.timedelta(days=day) for day in range((last - first).days + 1)]


def daily(rows: Sequence[FeatureRow], feature: str, dates: Sequence[dt.date]) -> Values:
    """Give the value of each date, None where there is none."""
    values = {row.local_date: row.values.get(feature) for row in rows}
    return [values.get(date) for date in dates]


def usual_band(rows: Sequence[FeatureRow], feature: str, dates: Sequence[dt.date]) -> Band | None:
    """Give the rolling middle and central 80 % of the person's previous 28 settled values.

    None while fewer than 7 earlier values exist. A date without a value has a band too.
    """
    settled = {
        row.local_date: row.values[feature] for row in rows if row.settled and feature in row.values
    }
    # How many values lie before each date, its own left out.
    earlier = [0, *accumulate(date in settled for date in dates)][: len(dates)]
    known = [date for date, count in zip(dates, earlier, strict=True) if count >= BAND_VALUES_MIN]
    if not known:
        return None
    bands = _quantiles([settled[date] for date in dates if date in settled])
    chosen = [bands[count] for count in earlier if count >= BAND_VALUES_MIN]
    lows, middles, highs = zip(*chosen, strict=True)
    return Band(known[0], list(lows), list(middles), list(highs))


def _quantiles(values: Sequence[float]) -> dict[int, tuple[float, float, float]]:
    """Give the band after each number of values, from the last 28 of them."""
    young = range(BAND_VALUES_MIN, min(BAND_VALUES, len(values) + 1))
    bands = {count: np.quantile(values[:count], BAND_QUANTILES) for count in young}
    if len(values) >= BAND_VALUES:
        windows = sliding_window_view(np.asarray(values), BAND_VALUES)
        bands |= enumerate(np.quantile(windows, BAND_QUANTILES, axis=1).T, start=BAND_VALUES)
    return {count: (float(b[0]), float(b[1]), float(b[2])) for count, b in bands.items()}


def data_strip(
    rows: Sequence[FeatureRow], feature: str, channel: str, dates: Sequence[dt.date]
) -> list[int]:
    """Say of each date how much data it rests on: 0 none, 1 part of the time, 2 most of it."""
    by_date = {row.local_date: row for row in rows}
    return [_level(by_date.get(date), feature, channel) for date in dates]


def minute_buckets(minutes: Sequence[MinuteValues]) -> Buckets | None:
    """Sum minutes up into at most ``BUCKETS_MAX`` buckets; None without heart-rate minutes."""
    rated = [minute for minute in minutes if "heart_rate_mean_bpm" in minute.values]
    if not rated:
        return None
    span_minutes = (rated[-1].start - rated[0].start) / 60.0 + 1
    length_s = 60.0 * next(
        (each for each in BUCKET_MINUTES if span_minutes / each < BUCKETS_MAX), BUCKET_MINUTES[-1]
    )
    start = math.floor(rated[0].start / length_s) * length_s
    gathered: list[list[MinuteValues]] = [
        [] for _ in range(int((rated[-1].start - start) // length_s) + 1)
    ]
    for minute in rated:
        gathered[int((minute.start - start) // length_s)].append(minute)
    return Buckets(
        start=start,
        length_s=length_s,
        mean=[_mean(bucket) for bucket in gathered],
        low=[_extreme(bucket, "heart_rate_min_bpm", -1.0) for bucket in gathered],
        high=[_extreme(bucket, "heart_rate_max_bpm", 1.0) for bucket in gathered],
    )


def scaled(values: Sequence[float | None], scale: float = 1.0) -> Values:
    """Give the values times ``scale``, rounded to what a plot can show."""
    return [None if value is None else round(value * scale, 2) for value in values]


def _level(row: FeatureRow | None, feature: str, channel: str) -> int:
    if row is None:
        return 0
    share = row.coverage.get(channel, 0.0)
    if share == 0.0:
        # A vendor's figure of a whole day comes without minutes that could be counted.
        return 2 if feature in row.values else 0
    return 2 if share >= GOOD_COVERAGE else 1


def _mean(bucket: Sequence[MinuteValues]) -> float | None:
    if not bucket:
        return None
    return math.fsum(minute.values["heart_rate_mean_bpm"] for minute in bucket) / len(bucket)


def _extreme(bucket: Sequence[MinuteValues], feature: str, sign: float) -> float | None:
    values = [minute.values[feature] for minute in bucket if feature in minute.values]
    return sign * max(sign * value for value in values) if values else None
