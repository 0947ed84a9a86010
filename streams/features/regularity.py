"""Regularity of sleep: how much times and duration vary from night to night, and by weekday.

Times of the clock are points on a circle: their means and deviations are those of directions
(Mardia & Jupp 2000), so that 23:50 and 00:10 are 20 minutes apart.
"""

import math
from collections.abc import Iterable

import numpy as np

from streams.events import WindowKind
from streams.features.base import Figure, Floats, Values, Window, feature
from streams.features.digest import recent_days, recent_nights
from streams.history import EPOCHS, DayDigest, NightDigest, epoch_bits
from streams.localtime import date_of_index

NIGHTS = 14
"""Nights that regularity is taken from."""

NIGHTS_MIN = 8
"""Fewest of them that must be told (Sun et al. 2023)."""

PAIRS_MIN_DAYS = 5
"""Fewest days' worth of pairs of known epochs for the SRI (Windred et al. 2024)."""

FREE_MIN = 2
"""Fewest nights before free days, and ..."""

WORK_MIN = 3
"""... before work days, for social jetlag."""

VARIATION_DATES = 7
"""Dates that the variation of RMSSD is taken from."""

VARIATION_DATES_MIN = 5
"""Fewest of them that must have one."""

_DAY_S = 86_400
_SATURDAY = 5
_NIGHTS = f"{NIGHTS_MIN} of the last {NIGHTS} nights"
_RMSSD = f"{VARIATION_DATES_MIN} of the last {VARIATION_DATES}"


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="sleep_duration_sd_min",
            meaning=f"Standard deviation (n - 1) of the time asleep over {NIGHTS} nights.",
            minimum=f"{_NIGHTS} with a duration",
            source="Fischer 2021; RAPIDS: stdduration, of PRICE",
        ),
        Figure(
            name="sleep_onset_sd_min",
            meaning=f"Circular standard deviation of the onset over {NIGHTS} nights: "
            "sqrt(-2 ln R) as minutes of a day, R the length of the mean direction.",
            minimum=f"{_NIGHTS} with times",
            source="Mardia & Jupp 2000; Fischer 2021",
        ),
        Figure(
            name="sleep_midpoint_sd_min",
            meaning="The same of the midpoint between onset and offset.",
            minimum=f"{_NIGHTS} with times",
            source="Mardia & Jupp 2000; Fischer 2021",
        ),
        Figure(
            name="social_jetlag_min",
            meaning="Distance on the clock between the mean midpoints of nights before free days "
            f"(mornings of Saturday and Sunday) and before work days, over {NIGHTS} nights.",
            minimum=f"{_NIGHTS} with times, {FREE_MIN} of them before free days and {WORK_MIN} "
            "before work days",
            source="Wittmann 2006; RAPIDS: socialjetlag",
        ),
    ),
)
def variation_of_sleep(window: Window) -> Values:
    """How much duration and times of the main sleep vary over 14 nights.

    Each is absent below 8 nights that have it. Which days are free is not known of anybody: they
    are taken to be Saturday and Sunday by local date, which misleads where work or weekends lie
    otherwise.

    Source: Wittmann et al. 2006 (social jetlag); Fischer et al. 2021 (deviations).
    """
    nights = recent_nights(window, NIGHTS)
    values = _deviation("sleep_duration_sd_min", nights.values())
    timed = {
        date: (night.onset_s, night.offset_s)
        for date, night in nights.items()
        if night.onset_s is not None and night.offset_s is not None
    }
    if len(timed) < NIGHTS_MIN:
        return values
    times = np.array(list(timed.values()), dtype=np.float64)
    midpoints = times.mean(axis=1)
    values["sleep_onset_sd_min"] = circular_sd_s(times[:, 0]) / 60.0
    values["sleep_midpoint_sd_min"] = circular_sd_s(midpoints) / 60.0
    is_free = np.array([date_of_index(date).weekday() >= _SATURDAY for date in timed])
    free, work = midpoints[is_free], midpoints[~is_free]
    if free.size >= FREE_MIN and work.size >= WORK_MIN:
        apart = circular_mean_s(free) - circular_mean_s(work)
        values["social_jetlag_min"] = abs(math.remainder(apart, _DAY_S)) / 60.0
    return values


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="sleep_regularity_index",
            meaning="SRI = -100 + 200 * share of pairs of epochs 24 h apart that are alike, both "
            f"asleep or both awake, over {NIGHTS} nights: 100 regular, 0 as by chance.",
            minimum=f"{_NIGHTS} with sleep, {PAIRS_MIN_DAYS} days' worth of pairs known",
            source="Phillips 2017; Windred 2024",
        ),
    ),
)
def regularity_of_sleep(window: Window) -> Values:
    """``sleep_regularity_index`` (-100 to 100) of the last 14 nights, each from noon to noon.

    Epochs are of 5 minutes of the local clock; those not known, such as not worn, are missing, and
    only pairs of which both are known count. Absent below 8 nights with sleep, or 5 days' worth of
    such pairs.

    Source: Phillips et al. 2017; Windred et al. 2024 (least data).
    """
    nights = {date: night for date, night in recent_nights(window, NIGHTS).items() if night.known}
    if len(nights) < NIGHTS_MIN:
        return {}
    alike, pairs = 0, 0
    for date, night in nights.items():
        before = nights.get(date - 1)
        if before is None:
            continue
        both = epoch_bits(before.known) & epoch_bits(night.known)
        differing = epoch_bits(before.asleep) ^ epoch_bits(night.asleep)
        pairs += both.bit_count()
        alike += (both & ~differing).bit_count()
    if pairs < PAIRS_MIN_DAYS * EPOCHS:
        return {}
    return {"sleep_regularity_index": -100.0 + 200.0 * alike / pairs}


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="rmssd_cv_percent",
            meaning=f"Standard deviation (n - 1) over mean of the RMSSD of {VARIATION_DATES} "
            "nights.",
            minimum=f"{_RMSSD} nights",
            source="Open Wearables: HRV-CV; Plews 2012 (of its logarithm)",
        ),
    ),
)
def variation_of_nightly_variability(window: Window) -> Values:
    """``rmssd_cv_percent``: how much the nightly RMSSD varies; absent below 5 of 7 nights.

    Source: Open Wearables (HRV-CV); Plews et al. 2012 take the RMSSD's logarithm.
    """
    return _variation(recent_nights(window, VARIATION_DATES).values())


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="rmssd_cv_percent",
            meaning=f"Standard deviation (n - 1) over mean of what a vendor dated with "
            f"{VARIATION_DATES} days.",
            minimum=f"{_RMSSD} days",
            source="Open Wearables: HRV-CV; Plews 2012 (of its logarithm)",
        ),
    ),
)
def variation_of_daily_variability(window: Window) -> Values:
    """``rmssd_cv_percent`` of a vendor's daily figures; absent below 5 of 7 days."""
    return _variation(recent_days(window, VARIATION_DATES).values())


def circular_mean_s(times_s: Floats) -> float:
    """Mean time of the clock (s); any where the times are spread evenly over the day."""
    angles = times_s * (2.0 * np.pi / _DAY_S)
    angle = math.atan2(float(np.sin(angles).mean()), float(np.cos(angles).mean()))
    return angle / (2.0 * math.pi) * _DAY_S


def circular_sd_s(times_s: Floats) -> float:
    """Circular standard deviation (s) of times of the clock: sqrt(-2 ln R), R in (0, 1]."""
    angles = times_s * (2.0 * np.pi / _DAY_S)
    length = math.hypot(float(np.sin(angles).mean()), float(np.cos(angles).mean()))
    length = max(length, float(np.finfo(np.float64).tiny))
    return math.sqrt(max(-2.0 * math.log(length), 0.0)) / (2.0 * math.pi) * _DAY_S


def _deviation(name: str, nights: Iterable[NightDigest]) -> Values:
    durations = [night.duration_s for night in nights if night.duration_s is not None]
    if len(durations) < NIGHTS_MIN:
        return {}
    return {name: float(np.std(durations, ddof=1)) / 60.0}


def _variation(dates: Iterable[NightDigest] | Iterable[DayDigest]) -> Values:
    figures = [date.rmssd_cms for date in dates if date.rmssd_cms]
    if len(figures) < VARIATION_DATES_MIN:
        return {}
    return {"rmssd_cv_percent": 100.0 * float(np.std(figures, ddof=1) / np.mean(figures))}
