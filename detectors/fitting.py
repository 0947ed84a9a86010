"""Fit a cohort from recordings: priors of features, then thresholds of rows, then budgets.

Done offline and kept as a versioned file; nothing of it runs while subjects are watched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from detectors.cohort import Cohort, Prior
from detectors.config import DetectionConfig
from detectors.features import spec_of, to_shape
from detectors.models import SubjectModels, threshold_of
from detectors.policy import DAYS_A_MONTH, Policy, PolicyState, RowContext
from detectors.scores import Scores
from detectors.terms import DATED_WINDOWS, LEVEL_SHIFT_RULE
from streams.events import AlertKind, AnomalyState, FeatureRow, WindowKind

DAYS_MIN = 14
"""Valid rows of a feature from which a person counts."""

PEOPLE_MIN = 10
"""People from which a prior is fitted."""

ROWS_MIN = 500
"""Rows of a window kind from which its threshold is fitted, and of days for budgets."""

QUANTILE = 0.93
"""Share of rows whose highest score of a feature stays below the threshold of their kind."""

THRESHOLDS_Z = tuple(round(0.1 * step, 1) for step in range(4, 41))
"""Thresholds of a shift (standard deviations) that are tried for budgets."""

SD_OF_QUARTILES = 1.349
"""Quartile distance of a normal distribution with a standard deviation of one."""

PERSISTENCE_MAX = 0.9

DECIMALS = 4

Floats = NDArray[np.float64]
Scored = list[tuple[FeatureRow, Scores]]


class Fit(Struct, frozen=True, kw_only=True):
    """What a fitted cohort is called, what it was fitted from, and for which settings."""

    version: str
    source: str
    config: DetectionConfig = DetectionConfig()


def fit_cohort(rows: Iterable[FeatureRow], base: Cohort, fit: Fit) -> Cohort:
    """A cohort with the priors, thresholds and budgets that ``rows`` can tell, else ``base``'s.

    Parameters
    ----------
    rows
        Settled rows of many people, of each person in the order in which they settled.
    base
        Gives what too few people or rows are there for.
    fit
        What the fitted cohort is called, what it was fitted from, and the settings of the project
        that its budgets are to hold for.

    Returns
    -------
    Cohort
        Equal for equal rows, on every machine of one kind.
    """
    people = _by_person(rows)
    priors = dict(base.priors) | _priors(people.values(), fit.source)
    fitted = Cohort(
        version=fit.version,
        source=fit.source,
        priors=dict(sorted(priors.items())),
        thresholds=dict(base.thresholds),
        budgets=dict(base.budgets),
    )
    scored = [_scored(rows, fitted, fit.config) for rows in people.values()]
    thresholds = {
        window: round(float(np.quantile(scores, QUANTILE)), DECIMALS)
        for window, scores in sorted(_highest_scores(scored).items())
        if len(scores) >= ROWS_MIN
    }
    fitted = msgspec.structs.replace(fitted, thresholds=dict(base.thresholds) | thresholds)
    budget = _budget(scored, fitted, fit.config)
    if budget:
        fitted.budgets[LEVEL_SHIFT_RULE] = budget
    return fitted


def watched_days(scored: Iterable[tuple[FeatureRow, Scores]]) -> int:
    """Dates of one person on which something was told of a feature that has warmed up."""
    return len({row.local_date for row, scores in scored if scores.shift is not None})


def _by_person(rows: Iterable[FeatureRow]) -> Mapping[str, list[FeatureRow]]:
    people: dict[str, list[FeatureRow]] = defaultdict(list)
    for row in rows:
        people[row.user_id].append(row)
    return dict(sorted(people.items()))


def _priors(people: Iterable[Sequence[FeatureRow]], source: str) -> dict[str, Prior]:
    """Medians over people of each one's median, quartile distance and persistence."""
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for rows in people:
        values: dict[str, dict[int, float]] = defaultdict(dict)
        for row in rows:
            for feature, value in row.values.items():
                spec = spec_of(row.window, feature)
                if spec is not None:
                    own = values[f"{row.window.value}.{feature}"]
                    own[_place(row)] = to_shape(spec.shape, value)
        for key, own in values.items():
            if len(own) >= DAYS_MIN:
                found[key].append(_of_person(own))
    return {
        key: _prior(np.asarray(own), source) for key, own in found.items() if len(own) >= PEOPLE_MIN
    }


def _place(row: FeatureRow) -> int:
    """Number of a row among those of its kind: its date's, or its hour's."""
    return row.local_date.toordinal() if row.window in DATED_WINDOWS else int(row.start // 3_600)


def _of_person(own: Mapping[int, float]) -> tuple[float, float, float]:
    """Middle, standard deviation from the quartiles, and correlation of a row with the next.

    The correlation is taken of values clipped at three deviations, over neighbours without a gap.
    """
    middle, scale = _middle_and_scale(np.asarray(list(own.values())))
    reach = 3.0 * max(scale, 1e-9)
    clipped = {place: min(max(value - middle, -reach), reach) for place, value in own.items()}
    pairs = [
        (value, clipped[place + 1]) for place, value in clipped.items() if place + 1 in clipped
    ]
    if len(pairs) < DAYS_MIN:
        return middle, scale, float("nan")
    first, second = np.asarray(pairs).T
    spread = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return middle, scale, float((first * second).sum()) / spread if spread else float("nan")


def _middle_and_scale(values: Floats) -> tuple[float, float]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(middle), float(high - low) / SD_OF_QUARTILES


def _prior(own: Floats, source: str) -> Prior:
    centre, spread = _middle_and_scale(own[:, 0])
    told = own[:, 2][np.isfinite(own[:, 2])]
    persistence = float(np.median(told)) if told.size >= PEOPLE_MIN else 0.0
    return Prior(
        centre=round(centre, DECIMALS),
        spread=round(spread, DECIMALS),
        scale=round(float(np.median(own[:, 1])), DECIMALS),
        persistence=round(min(max(persistence, 0.0), PERSISTENCE_MAX), 2),
        people=len(own),
        source=source,
    )


def _scored(rows: Sequence[FeatureRow], cohort: Cohort, config: DetectionConfig) -> Scored:
    """Rows of a person with what the models say of them before they learn them."""
    models = SubjectModels(config, cohort)
    scored = []
    for row in rows:
        scores = models.score(row)
        scored.append((row, scores))
        models.learn(row, scores)
    return scored


def _highest_scores(people: Iterable[Scored]) -> dict[WindowKind, list[float]]:
    """Highest score of a feature in each row, of features past their warm-up."""
    highest: dict[WindowKind, list[float]] = defaultdict(list)
    for scored in people:
        for row, anomalies in scored:
            told = [
                anomaly.score
                for anomaly in anomalies
                if anomaly.feature is not None and anomaly.state is not AnomalyState.LEARNING
            ]
            if told:
                highest[row.window].append(max(told))
    return highest


def _budget(
    people: Sequence[Scored], cohort: Cohort, config: DetectionConfig
) -> list[tuple[float, float]]:
    """How often thresholds let people ring: pairs of alerts per person-month and threshold."""
    days = sum(map(watched_days, people))
    if days < ROWS_MIN:
        return []
    found: list[tuple[float, float]] = []
    for threshold_z in reversed(THRESHOLDS_Z):
        alerts = sum(_alerts(scored, Policy(config, cohort), threshold_z) for scored in people)
        rate = round(alerts * DAYS_A_MONTH / days, DECIMALS)
        if alerts and (not found or rate > found[-1][0]):
            found.append((rate, threshold_z))
    return found if len(found) > 1 else []


def _alerts(scored: Scored, policy: Policy, threshold_z: float) -> int:
    """Clinical alerts of one person with a threshold of shifts."""
    state = PolicyState()
    found = set()
    for row, scores in scored:
        scores.hold_against(threshold_of(threshold_z, state.offset))
        alerts = policy.step(state, row, scores, RowContext(detected_at=row.end))
        found |= {alert.alert_id for alert in alerts if alert.kind is AlertKind.CLINICAL}
    return len(found)
