"""Fit a cohort from recordings: priors of features, then thresholds of rows.

Done offline and kept as a versioned file; nothing of it runs while subjects are watched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.cohort import Cohort, Prior
from detectors.config import DetectionConfig
from detectors.features import spec_of, to_shape
from detectors.models import SubjectModels
from streams.events import AnomalyState, FeatureRow, WindowKind

DAYS_MIN = 14
"""Valid rows of a feature from which a person counts."""

PEOPLE_MIN = 10
"""People from which a prior is fitted."""

ROWS_MIN = 500
"""Rows of a window kind from which its threshold is fitted."""

SD_OF_QUARTILES = 1.349
"""Quartile distance of a normal distribution with a standard deviation of one."""

DECIMALS = 4

Floats = NDArray[np.float64]


def fit_cohort(
    rows: Iterable[FeatureRow], base: Cohort, *, version: str, source: str, quantile: float
) -> Cohort:
    """A cohort with the priors and thresholds that ``rows`` can tell, and those of ``base`` else.

    Parameters
    ----------
    rows
        Settled rows of many people, of each person in order of end.
    base
        Gives the priors and thresholds that too few people or rows are there for.
    version, source
        What the fitted cohort is called, and what it was fitted from.
    quantile
        Share (0..1) of rows whose highest score stays below the threshold of their window kind.

    Returns
    -------
    Cohort
        Equal for equal rows, on every machine of one kind.
    """
    people = _by_person(rows)
    priors = dict(base.priors) | _priors(people.values(), source)
    fitted = Cohort(
        version=version,
        source=source,
        priors=dict(sorted(priors.items())),
        thresholds=dict(base.thresholds),
    )
    highest = _highest_scores(people.values(), fitted)
    thresholds = {
        window: round(float(np.quantile(scores, quantile)), DECIMALS)
        for window, scores in sorted(highest.items())
        if len(scores) >= ROWS_MIN
    }
    return msgspec.structs.replace(fitted, thresholds=dict(base.thresholds) | thresholds)


def _by_person(rows: Iterable[FeatureRow]) -> Mapping[str, list[FeatureRow]]:
    people: dict[str, list[FeatureRow]] = defaultdict(list)
    for row in rows:
        people[row.user_id].append(row)
    return dict(sorted(people.items()))


def _priors(people: Iterable[Sequence[FeatureRow]], source: str) -> dict[str, Prior]:
    """Medians over people of each one's median and quartile distance: no row decides alone."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for rows in people:
        values: dict[str, list[float]] = defaultdict(list)
        for row in rows:
            for feature, value in row.values.items():
                spec = spec_of(row.window, feature)
                if spec is not None:
                    values[f"{row.window.value}.{feature}"].append(to_shape(spec.shape, value))
        for key, own in values.items():
            if len(own) >= DAYS_MIN:
                found[key].append(_middle_and_scale(np.asarray(own)))
    return {
        key: _prior(np.asarray(pairs), source)
        for key, pairs in found.items()
        if len(pairs) >= PEOPLE_MIN
    }


def _middle_and_scale(values: Floats) -> tuple[float, float]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(middle), float(high - low) / SD_OF_QUARTILES


def _prior(pairs: Floats, source: str) -> Prior:
    centre, spread = _middle_and_scale(pairs[:, 0])
    return Prior(
        centre=round(centre, DECIMALS),
        spread=round(spread, DECIMALS),
        scale=round(float(np.median(pairs[:, 1])), DECIMALS),
        people=len(pairs),
        source=source,
    )


def _highest_scores(
    people: Iterable[Sequence[FeatureRow]], cohort: Cohort
) -> dict[WindowKind, list[float]]:
    """Highest score of each row, of features past their warm-up."""
    highest: dict[WindowKind, list[float]] = defaultdict(list)
    for rows in people:
        models = SubjectModels(DetectionConfig(), cohort)
        for row in rows:
            anomalies = models.score(row)
            scores = [a.score for a in anomalies if a.state is not AnomalyState.LEARNING]
            if scores:
                highest[row.window].append(max(scores))
            models.learn(row, anomalies)
    return highest
