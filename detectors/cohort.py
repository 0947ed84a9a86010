"""What a cohort lends to a young baseline: priors and thresholds, as versioned data.

Nothing is learned across subjects on the fly: a cohort is a file, fitted from recordings by
``detectors.fitting``, and part of what settled results are a function of.
"""

import math
from bisect import bisect_right
from functools import lru_cache
from importlib.resources import files
from operator import itemgetter
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from streams.events import WindowKind

DEFAULT_FILE = "cohort_default.json"
"""Name of the cohort that ships with the package."""

FALLBACK_BUDGETS = [(0.1, 4.0), (1.0, 3.0)]
"""Thresholds of a rule of which a cohort says nothing."""

HALVING_Z = 0.5
"""By how much (standard deviations) a threshold rises where a budget is halved below all tried."""

Positive = Annotated[float, Meta(gt=0.0)]


class Prior(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a feature before anything is known of the person.

    All on the scale of the feature's shape (``detectors.features``: plain, square root or natural
    logarithm). ``centre``: the middle of the people's own middles, ``spread``: the standard
    deviation between these, ``scale``: the usual standard deviation within a person,
    ``persistence``: the correlation of a person's day with the day before (0: none). ``source``
    says where the figures come from, ``people`` how many they were fitted on (0: published or
    physical figures).
    """

    centre: float
    spread: Positive
    scale: Positive
    persistence: Annotated[float, Meta(ge=0.0, le=0.95)] = 0.0
    people: Annotated[int, Meta(ge=0)] = 0
    source: str


class Cohort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Priors by ``window.feature``, and from which score on a row is anomalous.

    ``thresholds`` (0..1, by window kind) are quantiles of the highest score of a feature in a
    cohort's rows. ``budgets``: by rule, what its threshold has to be for it to ring so many times
    per person-month and no more: pairs of alerts per person-month and standard deviations.
    """

    version: str
    source: str
    priors: dict[str, Prior]
    thresholds: dict[WindowKind, Annotated[float, Meta(gt=0.0, lt=1.0)]]
    budgets: dict[str, list[tuple[Positive, float]]] = {}

    def prior(self, window: WindowKind, feature: str) -> Prior | None:
        """The prior of a feature; None when the cohort knows none."""
        return self.priors.get(f"{window.value}.{feature}")

    def threshold_z(self, rule: str, per_month: float) -> float:
        """Threshold (standard deviations) of a rule for a budget (alerts per person-month).

        The lowest of those tried that kept to the budget, since a budget is an upper limit. For
        less than the least that was tried, ``HALVING_Z`` more for each halving.
        """
        points = sorted(self.budgets.get(rule, FALLBACK_BUDGETS))
        place = bisect_right(points, per_month, key=itemgetter(0))
        if place:
            return points[place - 1][1]
        rate, threshold_z = points[0]
        return threshold_z + HALVING_Z * math.log2(rate / per_month)


def load_cohort(data: bytes | None = None) -> Cohort:
    """Decode a cohort (JSON), or the one that ships with the package.

    Raises
    ------
    ValueError
        When the bytes are no cohort: with what is wrong, and where.
    """
    return _default_cohort() if data is None else msgspec.json.decode(data, type=Cohort)


@lru_cache(maxsize=1)
def _default_cohort() -> Cohort:
    data = files("detectors").joinpath(DEFAULT_FILE).read_bytes()
    return msgspec.json.decode(data, type=Cohort)
