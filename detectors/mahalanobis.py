"""Mahalanobis distance of a row from what is usual, all features together."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from detectors.base import CONTEXT, State, detector, refuse_unknown

HORIZON = 42.0
"""Rows over which mean and covariance are forgotten: six weeks of days."""

SHRINK_COUNT = 14.0
"""Rows that the identity, independent features of unit variance, is worth in the covariance."""

MINIMUM = 14
"""Values of a feature before which it does not count."""

FEATURES_MAX = 24
"""Most features of one model; further ones are left out, so that memory is bounded."""

_NO_CONCERNS: Mapping[str, int] = MappingProxyType({})
Floats = NDArray[np.float64]


@detector
class Mahalanobis:
    """How unusual the features of a row are together, for what usually goes with what.

    ``score = F(d' S^-1 d)`` with ``F`` the chi-square distribution of as many degrees of freedom as
    features count, ``d`` the deviations from the exponentially weighted mean (narrowed by
    ``sqrt(1 + 1/n)`` for the mean's own doubt) and ``S = (n C + 14 I) / (n + 14)`` the weighted
    covariance ``C`` shrunk towards the identity, per feature by its own count ``n``. The weight of
    the newest row is 1/n until n is 42. Features are expected as standardised residuals, for which
    the identity is the right guess; in other units a young model takes wide features for unusual.

    A missing feature is marginalised out: the score is that of the others alone, and learning
    leaves its mean and variance as they were and its correlations to the others in place, in a
    form that keeps the covariance positive. A feature counts from its 14th value on.

    Parameters
    ----------
    concerns
        Feature -> +1 (only more than usual is of concern), -1 (only less) or 0 (both; also where
        nothing is said). A feature on the other side is left out like a missing one.

    Source: Mahalanobis 1936; Ledoit & Wolf 2004, J. Multivariate Analysis 88(2):365-411, for the
    shrinkage towards the identity, here with a fixed count in place of an estimated one.

    >>> model = Mahalanobis()
    >>> for i in range(60):
    ...     model.learn_one({"a": math.sin(i), "b": math.sin(i) + 0.1 * math.sin(7 * i)})
    >>> model.score_one({"a": 1.2, "b": 1.2}) < 0.9 < model.score_one({"a": 1.2, "b": -1.2})
    True
    """

    name: ClassVar[str] = "mahalanobis"
    version: ClassVar[str] = "1"

    __slots__ = ("_at", "_concerns", "_counts", "_covariance", "_mean")

    def __init__(self, concerns: Mapping[str, int] = _NO_CONCERNS) -> None:
        self._concerns = concerns
        self._at: dict[str, int] = {}
        self._counts: Floats = np.zeros(0)
        self._mean: Floats = np.zeros(0)
        self._covariance: Floats = np.zeros((0, 0))

    def score_one(self, x: Mapping[str, float]) -> float:
        """How far ``x`` is out, over the features that count; 0 where none does."""
        refuse_unknown(x)
        if not self._at:
            return 0.0
        places, values = self._known(x)
        counts = self._counts[places]
        deviations = (values - self._mean[places]) / np.sqrt(1.0 + 1.0 / counts)
        sides = np.array([self._concerns.get(name, 0) for name in self._at])[places]
        counted = (counts >= MINIMUM) & (sides * deviations >= 0.0)
        deviations = deviations[counted]
        if not deviations.size:
            return 0.0
        covariance = self._shrunk(places[counted])
        distance = float(deviations @ np.linalg.solve(covariance, deviations))
        return chi_square_cdf(distance, len(deviations))

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Take ``x`` into mean and covariance."""
        refuse_unknown(x)
        self._grow(x)
        places, values = self._known(x)
        weights = 1.0 / np.minimum(self._counts[places] + 1.0, HORIZON)
        deviations = values - self._mean[places]
        # Of a row without gaps this is C = (1 - w) (C + w d d'), as in River's EwaCovariance; with
        # gaps it is still a sum of two positive matrices.
        kept = np.ones(len(self._at))
        kept[places] = np.sqrt(1.0 - weights)
        new = np.zeros(len(self._at))
        new[places] = deviations * np.sqrt(weights * (1.0 - weights))
        self._covariance = np.outer(kept, kept) * self._covariance + np.outer(new, new)
        self._mean[places] += weights * deviations
        self._counts[places] = np.minimum(self._counts[places] + 1.0, HORIZON)

    def to_state(self) -> State:
        """Names; counts and means in their order; the covariance's upper half by rows."""
        return {
            "names": list(self._at),
            "counts": self._counts.tolist(),
            "mean": self._mean.tolist(),
            "covariance": self._covariance[np.triu_indices(len(self._at))].tolist(),
        }

    @classmethod
    def from_state(cls, state: State, concerns: Mapping[str, int] = _NO_CONCERNS) -> Self:
        """A model as it was; ``concerns`` are configuration, not state."""
        model = cls(concerns)
        model._at = {name: place for place, name in enumerate(state["names"])}
        model._counts = np.array(state["counts"], dtype=np.float64)
        model._mean = np.array(state["mean"], dtype=np.float64)
        upper = np.zeros((len(model._at), len(model._at)))
        upper[np.triu_indices(len(model._at))] = state["covariance"]
        model._covariance = upper + np.triu(upper, 1).T
        return model

    def _known(self, x: Mapping[str, float]) -> tuple[NDArray[np.intp], Floats]:
        """Places and values of the features of ``x`` that the model holds, in its own order."""
        held = [(place, x[name]) for name, place in self._at.items() if name in x]
        places = np.array([place for place, _ in held], dtype=np.intp)
        return places, np.array([value for _, value in held], dtype=np.float64)

    def _grow(self, x: Mapping[str, float]) -> None:
        """Make room for features not seen before, in order of name."""
        new = sorted(x.keys() - self._at.keys() - CONTEXT)[: FEATURES_MAX - len(self._at)]
        if not new:
            return
        self._at |= {name: len(self._at) + i for i, name in enumerate(new)}
        self._counts = np.pad(self._counts, (0, len(new)))
        self._mean = np.pad(self._mean, (0, len(new)))
        self._covariance = np.pad(self._covariance, (0, len(new)))

    def _shrunk(self, places: NDArray[np.intp]) -> Floats:
        """The covariance of these features, each drawn towards unit variance by its own count."""
        own = self._counts[places] / (self._counts[places] + SHRINK_COUNT)
        root = np.sqrt(own)
        shrunk: Floats = np.outer(root, root) * self._covariance[np.ix_(places, places)]
        shrunk[np.diag_indices(len(places))] += 1.0 - own
        return shrunk


def chi_square_cdf(distance: float, degrees: int) -> float:
    """Share of squared distances below ``distance`` in ``degrees`` normal dimensions.

    ``P(degrees/2, distance/2)``, whose series ends for whole degrees. Source: Abramowitz & Stegun,
    26.4.4 and 26.4.5.

    >>> round(chi_square_cdf(3.841, 1), 3), round(chi_square_cdf(5.991, 2), 3)
    (0.95, 0.95)
    """
    half = distance / 2.0
    if half <= 0.0:
        return 0.0
    if half > 700.0:  # exp() is next to nothing, and powers would grow past a float
        return 1.0
    order = degrees % 2 / 2.0
    share = math.erf(math.sqrt(half)) if order else 1.0 - math.exp(-half)
    term = math.exp(-half) * half**order / math.gamma(order + 1.0)
    order = order or 1.0
    if degrees % 2 == 0:
        term *= half
    while order < degrees / 2.0:
        share -= term
        order += 1.0
        term *= half / order
    return min(max(share, 0.0), 1.0)
