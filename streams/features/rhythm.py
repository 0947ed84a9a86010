"""Daily rhythm of steps, heart rate and phone use: how alike, how broken, how deep, and when.

The nonparametric figures of Witting et al. 1990 and Van Someren et al. 1999 over hours of the local
clock. An hour that is not known counts for nothing, neither as 0 nor as one side of a difference.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from streams.events import WindowKind
from streams.features.base import Bools, Figure, Floats, Values, Window, feature
from streams.features.digest import recent_days
from streams.history import HOURS, DayDigest, hours_of

DAYS = 7
"""Days that the profile and the variability within a day are taken from."""

DAYS_MIN = 5
"""Fewest of them that must be known."""

STABILITY_DAYS = 14
"""Days that the stability is taken from: from a week or less it comes out too high."""

STABILITY_DAYS_MIN = 8
"""Fewest of them that must be known (Sun et al. 2023)."""

DAY_HOURS_MIN = 18
"""Fewest known hours of a day that is known."""

LEAST_H = 5
"""Length of the least active stretch, L5 (h)."""

MOST_H = 10
"""Length of the most active stretch, M10 (h)."""


class Channel(Struct, frozen=True):
    """A channel of a day's hours: its name in figures, its field, and its unit in figures.

    ``scale`` brings what is kept to that unit.
    """

    name: str
    field: str
    unit: str
    scale: float
    what: str


CHANNELS = (
    Channel("activity", "steps_per_h", "steps_per_h", 1.0, "steps"),
    Channel("heart_rate", "heart_rate_dbpm", "bpm", 0.1, "mean heart rate"),
    Channel("phone", "screen_s_per_h", "min_per_h", 1.0 / 60.0, "minutes with the screen on"),
)


def figures(channel: Channel) -> tuple[Figure, ...]:
    """What is told of a channel."""
    name, unit, what = channel.name, channel.unit, channel.what
    profile = (
        f"{DAYS_MIN} of the last {DAYS} days with {DAY_HOURS_MIN} known hours, every hour of the "
        "clock known on one of them"
    )
    stable = f"{STABILITY_DAYS_MIN} of the last {STABILITY_DAYS} such days"
    told = {
        "interdaily_stability_ratio": (
            f"IS: share of the variance of the hours' {what} that the hour of the clock "
            f"explains, over {STABILITY_DAYS} days; 0 as by chance, 1 alike every day."
        ),
        "intradaily_variability_ratio": (
            f"IV: mean square of the difference of successive hours' {what} over their "
            f"variance, over {DAYS} days; near 0 a smooth wave, 2 as by chance."
        ),
        "relative_amplitude_ratio": "RA = (M10 - L5) / (M10 + L5), 0 to 1.",
        f"l5_{unit}": (
            f"L5: {what} in the {LEAST_H} successive hours of the mean of {DAYS} days with least."
        ),
        "l5_onset_min": "Local clock at which L5 begins, -720 to 660 in whole hours.",
        f"m10_{unit}": f"M10: {what} in the {MOST_H} successive hours with most.",
        "m10_onset_min": "Local clock at which M10 begins, 0 to 1380 in whole hours.",
    }
    return tuple(
        Figure(
            name=f"{name}_{suffix}",
            meaning=meaning,
            minimum=stable if suffix.startswith("interdaily") else profile,
            source="Witting 1990; Van Someren 1999",
        )
        for suffix, meaning in told.items()
    )


@feature(WindowKind.DAY, gives=tuple(f for channel in CHANNELS for f in figures(channel)))
def rhythm_features(window: Window) -> Values:
    """Rhythm of each channel over the last 7 days, stability over 14.

    A day is known with 18 known hours; absent below 5 of 7 (stability: 8 of 14) such days, where an
    hour of the clock is known on none of them, and where nothing varies.

    Source: Witting et al. 1990; Van Someren et al. 1999.
    """
    values: Values = {}
    date = window.bounds.date
    days = recent_days(window, STABILITY_DAYS)
    for channel in CHANNELS:
        longer = _hours(days, channel, range(date - STABILITY_DAYS + 1, date + 1))
        told = _profile_values(longer[-DAYS:], channel.unit)
        if _known_days(longer) >= STABILITY_DAYS_MIN:
            told["interdaily_stability_ratio"] = interdaily_stability(longer)
        values.update(
            (f"{channel.name}_{suffix}", value)
            for suffix, value in told.items()
            if value is not None
        )
    return values


def interdaily_stability(hours: Floats) -> float | None:
    """IS of hours of shape (days, 24), NaN where not known; None when they do not vary.

    ``IS = sum_h n_h (mean_h - mean)^2 / sum_i (x_i - mean)^2``, n_h being the days on which hour h
    is known: with every hour known, n sum_h (mean_h - mean)^2 / (24 sum_i (x_i - mean)^2). So it
    stays within 0 and 1 whatever is missing.
    """
    known = np.isfinite(hours)
    mean = hours[known].mean()
    total = float(((hours[known] - mean) ** 2).sum())
    by_hour = known.sum(axis=0)
    told = by_hour > 0
    means = _sums(hours, known)[told] / by_hour[told]
    between = float((by_hour[told] * (means - mean) ** 2).sum())
    return min(between / total, 1.0) if total > 0.0 else None


def intradaily_variability(hours: Floats) -> float | None:
    """IV of hours of shape (days, 24), NaN where not known; None when they do not vary.

    ``IV = mean of (x_i - x_(i-1))^2 / mean of (x_i - mean)^2``, over successive hours that are both
    known, those on either side of midnight included.
    """
    row = hours.ravel()
    steps = np.diff(row)
    steps = steps[np.isfinite(steps)]
    known = np.isfinite(row)
    count = np.count_nonzero(known)
    mean = np.where(known, row, 0.0).sum() / count
    variance = float((np.where(known, row - mean, 0.0) ** 2).sum() / count)
    return float((steps**2).mean()) / variance if variance > 0.0 and steps.size else None


def stretch(profile: Floats, length: int, first: int) -> tuple[float, float, int, int]:
    """The successive hours of a mean day with least and with most.

    Parameters
    ----------
    profile
        Mean of each hour of the clock, shape (24,); the day is a circle.
    length
        How many hours.
    first
        Hour from which beginnings are counted (-24 to 23): of equal stretches the first counts.

    Returns
    -------
    tuple
        Least mean, most mean, and the hours at which each begins, from ``first`` to ``first + 23``.
    """
    circle = np.concatenate((profile, profile, profile[: length - 1]))[first % HOURS :]
    sums = np.convolve(circle[: HOURS + length - 1], np.ones(length), "valid")
    # What differs in rounding alone is equal.
    rounded = sums.round(6)
    least, most = int(rounded.argmin()), int(rounded.argmax())
    return float(sums[least]) / length, float(sums[most]) / length, least + first, most + first


def _profile_values(hours: Floats, unit: str) -> dict[str, float | None]:
    is_known = np.isfinite(hours)
    known = is_known.sum(axis=0)
    if _known_days(hours) < DAYS_MIN or not known.all():
        return {}
    profile = _sums(hours, is_known) / known
    least, _, least_at, _ = stretch(profile, LEAST_H, -HOURS // 2)
    _, most, _, most_at = stretch(profile, MOST_H, 0)
    return {
        "intradaily_variability_ratio": intradaily_variability(hours),
        "relative_amplitude_ratio": (most - least) / (most + least) if most > 0.0 else None,
        f"l5_{unit}": least,
        "l5_onset_min": 60.0 * least_at,
        f"m10_{unit}": most,
        "m10_onset_min": 60.0 * most_at,
    }


def _sums(hours: Floats, known: Bools) -> Floats:
    """Sum of the known values of each hour of the clock."""
    sums: Floats = np.where(known, hours, 0.0).sum(axis=0)
    return sums


def _hours(days: dict[int, DayDigest], channel: Channel, dates: Sequence[int]) -> Floats:
    """Hours of the dates that are known, of shape (dates, 24); NaN where not known."""
    empty = DayDigest()
    kept = [getattr(days.get(date, empty), channel.field) for date in dates]
    hours = hours_of(kept) * channel.scale
    hours[np.isfinite(hours).sum(axis=1) < DAY_HOURS_MIN] = np.nan
    return hours


def _known_days(hours: Floats) -> int:
    return int(np.isfinite(hours).any(axis=1).sum())
