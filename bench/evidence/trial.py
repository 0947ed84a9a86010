"""Cross-fitted trial: everybody is judged by thresholds that were fitted without them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from bench.evidence.changes import SLACK_DAYS, Change, Key, Place, places
from bench.evidence.peers import Peer, finds, opened, scores, threshold_at
from bench.evidence.system import Course, System
from detectors.cohort import Cohort, load_cohort
from detectors.config import Concern, DetectionConfig
from detectors.features import SPECS
from detectors.fitting import Fit, fit_cohort
from streams.events import FeatureRow

FOLDS = 5
DRAWS = 2_000
SEED = 20_261_125
PLACES_A_PERSON = 4
LEVEL = (2.5, 97.5)
BUSIEST = 0.1

People = Mapping[str, Sequence[FeatureRow]]


class Interval(Struct, frozen=True):
    """A figure with its 95 % interval over people."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As it stands in a table."""
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


class Found(Struct, frozen=True):
    """Of every planted change, by person: whether it was found, and whether chance would have."""

    hits: dict[str, list[bool]]
    by_chance: dict[str, list[bool]]

    @property
    def sensitivity(self) -> Interval:
        """Share of changes in which an alert opened."""
        return _interval(self.hits)

    @property
    def chance(self) -> float:
        """Share of the same windows of the untouched data in which one opened."""
        return _interval(self.by_chance).value

    def above(self, other: "Found") -> Interval:
        """Difference of the sensitivities, of the same changes in the same people."""
        return _interval(
            {
                user: [int(a) - int(b) for a, b in zip(own, other.hits[user], strict=True)]
                for user, own in self.hits.items()
            }
        )


class Trial(Struct, frozen=True):
    """A detector's rate (alerts per watched person-month), busiest share, and what it found."""

    rate: Interval
    busiest: float
    found: dict[str, Found]


def folds(people: People) -> list[list[str]]:
    """People in as many groups as there are folds, drawn with a seed."""
    users = sorted(people)
    order = np.random.default_rng(SEED).permutation(len(users))
    return [[users[place] for place in order[fold::FOLDS]] for fold in range(FOLDS)]


def cohorts(people: People, config: DetectionConfig) -> dict[str, Cohort]:
    """By person, the cohort fitted on the people of the other folds."""
    found = {}
    for own in folds(people):
        others = (row for user in sorted(people) if user not in own for row in people[user])
        cohort = fit_cohort(
            others, _blank(), Fit(version="fold", source="LifeSnaps", config=config)
        )
        found |= dict.fromkeys(own, cohort)
    return found


def _blank() -> Cohort:
    """The shipped cohort without what was fitted on the same people."""
    shipped = load_cohort()
    priors = {key: prior for key, prior in shipped.priors.items() if prior.people == 0}
    return Cohort(version="blank", source="", priors=priors, thresholds={}, budgets={})


def only(key: Key) -> DetectionConfig:
    """Settings under which one signal alone is looked at."""
    others = {spec.feature for spec in SPECS} - {key[1]}
    return DetectionConfig(concerns=dict.fromkeys(sorted(others), Concern.NONE))


def try_system(
    people: People, config: DetectionConfig, fitted: Mapping[str, Cohort], changes: Sequence[Change]
) -> Trial:
    """Let the whole system live through everybody's rows, and through planted changes."""
    where = {change.name: places(people, change, PLACES_A_PERSON, SEED) for change in changes}
    courses: dict[str, Course] = {}
    found = {change.name: Found({}, {}) for change in changes}
    for user, rows in people.items():
        system = System(config, fitted[user])
        own = [(change, place) for change in changes for place in where[change.name]]
        own = [(change, place) for change, place in own if place.user_id == user]
        courses[user], states = system.run(rows, {place.first for _, place in own})
        for change, place in own:
            hit = system.finds(rows, change, place.first, states[place.first])
            found[change.name].hits.setdefault(user, []).append(hit)
            chance = _within(courses[user].opened, place, change)
            found[change.name].by_chance.setdefault(user, []).append(chance)
    counts = {user: len(course.opened) for user, course in courses.items()}
    days = {user: len(course.watched) for user, course in courses.items()}
    return Trial(_rate(counts, days), _busiest(counts), found)


def try_peer(people: People, peer: Peer, rate: float, changes: Sequence[Change]) -> Trial:
    """Sweep a rule to a rate on the untouched data, and let it look for planted changes."""
    series = {user: scores(rows, peer) for user, rows in people.items()}
    threshold = threshold_at(series, rate)
    dates = {user: opened(own, threshold) for user, own in series.items()}
    found = {}
    for change in changes:
        of_change = found[change.name] = Found({}, {})
        for place in places(people, change, PLACES_A_PERSON, SEED):
            user = place.user_id
            hit = finds(people[user], peer, threshold, change=change, first=place.first)
            of_change.hits.setdefault(user, []).append(hit)
            of_change.by_chance.setdefault(user, []).append(_within(dates[user], place, change))
    counts = {user: len(own) for user, own in dates.items()}
    days = {user: len(own) for user, own in series.items()}
    return Trial(_rate(counts, days), _busiest(counts), found)


def _within(dates: Sequence[object], place: Place, change: Change) -> bool:
    offsets = [(date - place.first).days for date in dates]  # type: ignore[operator]  # dates
    return any(0 <= offset < change.days + SLACK_DAYS for offset in offsets)


def _rate(counts: Mapping[str, int], days: Mapping[str, int]) -> Interval:
    """Alerts per 30 watched days."""
    users = [user for user in sorted(days) if days[user]]
    told = np.array([counts[user] for user in users], dtype=float)
    of = np.array([days[user] for user in users], dtype=float)
    return _resampled(len(users), lambda drawn: 30.0 * told[drawn].sum() / of[drawn].sum())


def _busiest(counts: Mapping[str, int]) -> float:
    """Share of the alerts that the busiest tenth of people take."""
    ordered = sorted(counts.values(), reverse=True)
    return sum(ordered[: max(1, round(BUSIEST * len(ordered)))]) / max(sum(ordered), 1)


def _interval(by_person: Mapping[str, Sequence[float]]) -> Interval:
    """Mean over all of everybody's figures, with its interval over people."""
    users = sorted(by_person)
    sums = np.array([sum(by_person[user]) for user in users], dtype=float)
    sizes = np.array([len(by_person[user]) for user in users], dtype=float)
    return _resampled(len(users), lambda drawn: sums[drawn].sum() / sizes[drawn].sum())


def _resampled(count: int, figure: Callable[[np.ndarray], float]) -> Interval:
    chance = np.random.default_rng(SEED)
    draws = [figure(chance.integers(0, count, count)) for _ in range(DRAWS)]
    low, high = np.percentile(draws, LEVEL)
    return Interval(float(figure(np.arange(count))), float(low), float(high))
