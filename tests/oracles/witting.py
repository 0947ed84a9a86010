"""The nonparametric figures of a daily rhythm, written out from hours (Witting et al. 1990; Van
Someren et al. 1999), in plain Python.

An hour that is not known counts for nothing. A day with 18 known hours is known, and of one that is
not no hour counts. IV, L5, M10 and RA are over the last 7 days, 5 of them known, with every hour of
the clock on one of them; IS is over the last 14, 8 of them known. L5 and M10 are stretches of the
mean of each hour of the clock; L5's beginning is counted from 12:00 on, M10's from 00:00 on. With
hours missing, IS is the share of the squares about the mean that the hour of the clock explains:
sum_h n_h (mean_h - mean)^2 / sum_i (x_i - mean)^2, n_h being the days on which hour h is known.
"""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

Hours = Mapping[int, float]
"""Hour of the clock -> value; hours that are not known are missing."""


def rhythm(days: Sequence[Hours], name: str, unit: str, scale: float = 1.0) -> dict[str, float]:
    """Every figure of a channel on the last of some days in a row.

    ``scale`` brings the values of hours to the unit.
    """
    told = _stability(days[-14:]) | _profile(days[-7:], unit, scale)
    return {f"{name}_{figure}": value for figure, value in told.items()}


def _profile(week: Sequence[Hours], unit: str, scale: float) -> dict[str, float]:
    known = _known(week)
    by_hour = [[day[hour] for day in known if hour in day] for hour in range(24)]
    if sum(map(bool, known)) < 5 or not all(by_hour):
        return {}
    mean_day = [statistics.fmean(told) for told in by_hour]
    least = {h: statistics.fmean(mean_day[k % 24] for k in range(h, h + 5)) for h in range(-12, 12)}
    most = {h: statistics.fmean(mean_day[k % 24] for k in range(h, h + 10)) for h in range(24)}
    l5, m10 = min(least.values()), max(most.values())
    row = [day.get(hour) for day in known for hour in range(24)]
    steps = [(b - a) ** 2 for a, b in pairwise(row) if a is not None and b is not None]
    variance = statistics.pvariance([value for value in row if value is not None])
    return {
        "intradaily_variability_ratio": statistics.fmean(steps) / variance,
        "relative_amplitude_ratio": (m10 - l5) / (m10 + l5),
        f"l5_{unit}": l5 * scale,
        "l5_onset_min": 60.0 * min(h for h, mean in least.items() if mean - l5 < 1e-6),
        f"m10_{unit}": m10 * scale,
        "m10_onset_min": 60.0 * min(h for h, mean in most.items() if m10 - mean < 1e-6),
    }


def _stability(days: Sequence[Hours]) -> dict[str, float]:
    known = _known(days)
    if sum(map(bool, known)) < 8:
        return {}
    mean = statistics.fmean([value for day in known for value in day.values()])
    between = 0.0
    for hour in range(24):
        told = [day[hour] for day in known if hour in day]
        between += sum((statistics.fmean(told) - mean) ** 2 for _ in told)
    ratio = between / sum((value - mean) ** 2 for day in known for value in day.values())
    return {"interdaily_stability_ratio": ratio}


def _known(days: Sequence[Hours]) -> list[Hours]:
    return [day if len(day) >= 18 else {} for day in days]
