"""RHR-Diff: a sum of standardised residuals of resting heart rate against four weeks."""

import math
from array import array
from collections.abc import Mapping
from typing import ClassVar, Self

from detectors.base import FEATURES_MAX, State, detector, refuse_unknown
from detectors.rules import half_at, watched

BASELINE_DAYS = 28
"""Days of the sliding baseline."""

CLIP_Z = 4.0
"""Standardised residuals count up to here."""

DRIFT_QUANTILE = 0.9
"""Half of this quantile of the baseline's own residuals is taken off each day's residual."""

THRESHOLD = 4.0
"""Cumulative sum that is an alarm: score 0.5."""


class _Cusum:
    """The baseline's days, what they come to, and the cumulative sum since."""

    __slots__ = ("allowance", "days", "mean", "sd", "total")

    def __init__(self, days: list[float], total: float) -> None:
        self.days = array("d", days)
        self.total = total
        self.mean = self.sd = self.allowance = 0.0
        self.measure()

    def measure(self) -> None:
        """Work out mean, standard deviation and allowance of a full baseline."""
        if len(self.days) < BASELINE_DAYS:
            return
        self.mean = math.fsum(self.days) / BASELINE_DAYS
        squares = math.fsum((day - self.mean) ** 2 for day in self.days)
        self.sd = math.sqrt(squares / (BASELINE_DAYS - 1))
        ordered = sorted(self.days)
        rest, at = math.modf(DRIFT_QUANTILE * (BASELINE_DAYS - 1))
        below, above = ordered[int(at) : int(at) + 2]
        self.allowance = self.residual(below + rest * (above - below)) / 2.0

    def residual(self, value: float) -> float:
        """Standardised residual; of a baseline that never varied, as far as it counts."""
        deviation = value - self.mean
        if self.sd > 0.0:
            return max(-CLIP_Z, min(CLIP_Z, deviation / self.sd))
        return CLIP_Z * ((deviation > 0.0) - (deviation < 0.0))

    def ahead(self, value: float) -> float:
        """The cumulative sum with ``value``; 0 before the baseline is full."""
        if len(self.days) < BASELINE_DAYS:
            return 0.0
        return max(0.0, self.total + self.residual(value) - self.allowance)

    def learn(self, value: float) -> None:
        self.total = self.ahead(value)
        # A day in alarm stays out of the baseline, as published, or illness would become usual.
        if self.total <= THRESHOLD:
            self.days.append(value)
            del self.days[:-BASELINE_DAYS]
            self.measure()


@detector
class RestingHeartRateDifference:
    """Cumulative sum of a daily resting heart rate's elevation over its four weeks before.

    With mean, standard deviation and 90 % quantile of the last 28 days without alarm:
    ``z = (rate - mean) / sd`` within -4 and 4, ``r = z(quantile) / 2``,
    ``W = max(0, W + z - r)``, an alarm at ``W > 4``; ``score = W / (W + 4)`` with today's value in
    ``W``, so that 0.5 is the alarm.

    This is the online form (CuSum) of the published detection, taken by the day. Published, it
    runs by the hour, with a baseline for each hour of the day, and compares ``W`` with the maxima
    of the baseline's own runs (p < 0.01); 28 daily values hold too few runs for that, so the
    threshold is fixed: normal residuals pass it about once in 900 days (Siegmund's approximation
    at the allowance of 0.64 that they have). The offline form, a rank scan over the whole record,
    looks ahead and is left out. As published, the baseline stands still while in alarm; a change
    for good then stays an alarm for good. Only elevation counts. The score is 0 before 28 values;
    what is missing is passed over.

    Parameters
    ----------
    feature
        The feature to judge; None: every feature on its own, the highest score counts.

    Source: Mishra et al. 2020, Nature Biomedical Engineering 4:1208-1220,
    doi 10.1038/s41551-020-00640-6, and its code ``WearableDetection``.

    >>> rule = RestingHeartRateDifference()
    >>> for i in range(28):
    ...     rule.learn_one({"heart_rate_resting_bpm": 60.0 + i % 3})
    >>> round(rule.score_one({"heart_rate_resting_bpm": 70.0}), 2)
    0.46
    """

    name: ClassVar[str] = "resting_heart_rate_difference"
    version: ClassVar[str] = "1"

    __slots__ = ("_feature", "_sums")

    def __init__(self, feature: str | None = None) -> None:
        self._feature = feature
        self._sums: dict[str, _Cusum] = {}

    def score_one(self, x: Mapping[str, float]) -> float:
        """The highest score of the judged features in ``x``."""
        refuse_unknown(x)
        best = 0.0
        for name, value in watched(x, self._feature):
            cusum = self._sums.get(name)
            if cusum is not None:
                best = max(best, half_at(cusum.ahead(value), THRESHOLD))
        return best

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Add today to the cumulative sum and, unless in alarm, to the baseline."""
        refuse_unknown(x)
        for name, value in watched(x, self._feature):
            cusum = self._sums.get(name)
            if cusum is None:
                if len(self._sums) >= FEATURES_MAX:
                    continue
                cusum = self._sums[name] = _Cusum([], 0.0)
            cusum.learn(value)

    def to_state(self) -> State:
        """By feature: the cumulative sum, then the days of the baseline."""
        return {name: [cusum.total, *cusum.days] for name, cusum in sorted(self._sums.items())}

    @classmethod
    def from_state(cls, state: State, feature: str | None = None) -> Self:
        """The rule as it was; ``feature`` is configuration, not state."""
        rule = cls(feature)
        rule._sums = {name: _Cusum(days, total) for name, (total, *days) in state.items()}
        return rule
