"""Mean and standard deviations of the person's own past: the classical rule for one feature."""

import math
from collections.abc import Mapping
from typing import ClassVar, Self

from detectors.base import FEATURES_MAX, State, detector, refuse_unknown
from detectors.config import Concern
from detectors.moments import Moments
from detectors.rules import half_at, watched

THRESHOLD_SD = 1.5
"""Standard deviations beyond the mean from which a value stands out: score 0.5."""

MINIMUM = 14
"""Values of a feature before which it is not judged."""


@detector
class MeanSd:
    """Distance of a value from the mean of all earlier ones, in their standard deviations.

    ``score = s / (s + 1.5)`` with ``s = (value - mean) / sd`` to the side of ``concern``, 0 to the
    other; every past value counts alike, and ``sd`` is the sample's. A score threshold of
    ``score_at(s)`` is the rule "mean + s sd". The score is 0 before 14 values of the feature, and
    1 for any change of a feature that never varied. What is missing is passed over.

    Parameters
    ----------
    feature
        The feature to judge; None: every feature on its own, the highest score counts.
    concern
        UP, as in the classical rule; DOWN; or BOTH sides.

    Source: Radin et al. 2020, Lancet Digital Health 2(2):e85-e93 (resting heart rate and sleep
    against the person's own mean and standard deviation); Shewhart 1931 for the chart itself.

    >>> rule = MeanSd()
    >>> for i in range(20):
    ...     rule.learn_one({"heart_rate_resting_bpm": 60.0 + i % 3})
    >>> round(rule.score_one({"heart_rate_resting_bpm": 61.0 + 1.5 * 0.86}), 1)
    0.5
    """

    name: ClassVar[str] = "mean_sd"
    version: ClassVar[str] = "1"

    __slots__ = ("_concern", "_feature", "_moments")

    def __init__(self, feature: str | None = None, concern: Concern = Concern.UP) -> None:
        self._feature = feature
        self._concern = concern
        self._moments: dict[str, Moments] = {}

    def score_one(self, x: Mapping[str, float]) -> float:
        """The highest score of the judged features in ``x``."""
        refuse_unknown(x)
        scores = (self._score(name, value) for name, value in watched(x, self._feature))
        return max(scores, default=0.0)

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Take the judged features of ``x`` into their means."""
        refuse_unknown(x)
        for name, value in watched(x, self._feature):
            moments = self._moments.get(name)
            if moments is None:
                if len(self._moments) >= FEATURES_MAX:
                    continue
                moments = self._moments[name] = Moments()
            moments.update(value)

    def to_state(self) -> State:
        """By feature: count, mean, sum of squares."""
        return {name: self._moments[name].to_numbers() for name in sorted(self._moments)}

    @classmethod
    def from_state(
        cls, state: State, feature: str | None = None, concern: Concern = Concern.UP
    ) -> Self:
        """The rule as it was; ``feature`` and ``concern`` are configuration, not state."""
        rule = cls(feature, concern)
        rule._moments = {name: Moments.from_numbers(numbers) for name, numbers in state.items()}
        return rule

    def _score(self, name: str, value: float) -> float:
        moments = self._moments.get(name)
        if moments is None or moments.n < MINIMUM:
            return 0.0
        residual = value - moments.mean
        if self._concern is Concern.BOTH:
            residual = abs(residual)
        elif self._concern is Concern.DOWN:
            residual = -residual
        if residual <= 0.0:
            return 0.0
        sd = moments.sd()
        return half_at(residual / sd, THRESHOLD_SD) if sd > 0.0 else 1.0


def score_at(sds: float) -> float:
    """The score of a value ``sds`` standard deviations from the mean, to sweep the rule by."""
    return half_at(sds, THRESHOLD_SD) if math.isfinite(sds) else 1.0
