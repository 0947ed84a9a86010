"""Single-signal rules, swept to any rate of alerts, over one person's daily values."""

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.evidence.changes import (
    HEART_RATE,
    SIGNALS,
    SLACK_DAYS,
    SLEEP,
    STEPS,
    VARIABILITY,
    Change,
    Key,
    planted,
)
from detectors.base import DAY, Detector
from detectors.baseline import Baseline
from detectors.cohort import load_cohort
from detectors.config import Concern, DetectionConfig
from detectors.mean_sd import MeanSd
from detectors.night_signal import NightSignal
from detectors.resting_heart_rate_difference import RestingHeartRateDifference
from detectors.terms import terms_of
from streams.events import FeatureRow

WARM_UP_DAYS = 14
REFRACTORY_DAYS = 7

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Series = list[tuple[dt.date, float]]
"""Date and score, of days with a value that are past the warm-up."""


class Peer(Struct, frozen=True):
    """A rule on one signal."""

    name: str
    key: Key
    make: Callable[[], Detector]


def peers() -> list[Peer]:
    """NightSignal, the difference of the resting heart rate, and two rules for every signal."""
    name = HEART_RATE[1]
    found = [
        Peer("NightSignal", HEART_RATE, lambda: NightSignal(name)),
        Peer("RHR difference", HEART_RATE, lambda: RestingHeartRateDifference(name)),
    ]
    sides = {HEART_RATE: Concern.UP, VARIABILITY: Concern.DOWN}
    sides |= {SLEEP: Concern.DOWN, STEPS: Concern.DOWN}
    for key in SIGNALS:
        found.append(Peer(f"mean + k sd, {key[1]}", key, partial(MeanSd, key[1], sides[key])))
        found.append(Peer(f"own baseline, {key[1]}", key, partial(_baseline, key)))
    return found


def _baseline(key: Key) -> Detector:
    return Baseline(terms_of(DetectionConfig(), load_cohort()).forms[key[0]])


def scores(rows: Sequence[FeatureRow], peer: Peer) -> Series:
    """Scores of a rule over a person's days."""
    detector, found, known = peer.make(), [], 0
    window, feature = peer.key
    for row in rows:
        if row.window is not window or feature not in row.values:
            continue
        x = {feature: row.values[feature], DAY: float(row.local_date.toordinal())}
        if known >= WARM_UP_DAYS:
            found.append((row.local_date, detector.score_one(x)))
        known += 1
        detector.learn_one(x)
    return found


def opened(series: Series, threshold: float) -> list[dt.date]:
    """Dates on which an episode opens: not while one lasts, nor within its refractory period."""
    found: list[dt.date] = []
    last, is_open = dt.date.min, False
    for date, score in series:
        if score < threshold:
            is_open = False
            continue
        if not is_open and (date - last).days > REFRACTORY_DAYS:
            is_open = True
            found.append(date)
        if is_open:
            last = date
    return found


def threshold_at(series: Mapping[str, Series], rate: float) -> float:
    """The lowest threshold at which people ring at most ``rate`` times per watched month.

    Of the thresholds from the one on at which they ring most often: below it episodes hardly end,
    so that people ring seldom because they are always in alarm.
    """
    days = sum(map(len, series.values()))
    levels = np.unique([score for own in series.values() for _, score in own])
    count = np.sum([_openings(own, levels) for own in series.values()], axis=0)
    rates = 30.0 * count / days
    most = int(np.argmax(rates))
    fitting = levels[most:][rates[most:] <= rate]
    # Where even the highest score is too frequent, the rule is as seldom only if it never rings.
    return float(fitting[0]) if fitting.size else math.inf


def _openings(series: Series, levels: Floats) -> Counts:
    """How many episodes open at each threshold, as `opened` has them."""
    count = np.zeros(len(levels), dtype=np.int64)
    last = np.full(len(levels), -REFRACTORY_DAYS, dtype=np.int64)
    is_open = np.zeros(len(levels), dtype=bool)
    for date, score in series:
        day = date.toordinal()
        is_high = levels <= score
        opens = is_high & ~is_open & (day - last > REFRACTORY_DAYS)
        count += opens
        is_open = is_high & (is_open | opens)
        last[is_open] = day
    return count


def finds(
    rows: Sequence[FeatureRow], peer: Peer, threshold: float, *, change: Change, first: dt.date
) -> bool:
    """Whether an episode opens within a planted change, or a day after."""
    last = first + dt.timedelta(days=change.days - 1 + SLACK_DAYS)
    changed = [planted(row, change, first) for row in rows if row.local_date <= last]
    return any(first <= date <= last for date in opened(scores(changed, peer), threshold))
