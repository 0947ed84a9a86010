"""Figures of detection against labels: pure arithmetic over episodes, labels and watched days.

Dates are days (any common origin). All rates come with the interval that holds 95 % of what other
samples of as many people would give: people are drawn anew, whole, since the days of one person
are no independent evidence.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

DRAWS = 2_000
"""Samples of people that an interval is taken from."""

SEED = 20_240_229
"""Seed of those samples, so that equal runs have equal intervals."""

INTERVAL = (0.025, 0.975)

MONTH_DAYS = 30
"""Days of a person-month (d), as many as a month of a budget has."""

JOIN_DAYS = 7
"""Anomalous dates at most so far apart (d) are one episode."""

BUSIEST_SHARE = 0.1
"""Share of people who count as the busiest."""

Floats = NDArray[np.float64]


class Label(Struct, frozen=True, kw_only=True):
    """Something known to have happened from ``start`` to ``end``, both dates included."""

    user_id: str
    start: int
    end: int
    label: str


class Person(Struct, frozen=True, kw_only=True):
    """One person: the ``first`` and ``last`` watched date, and dates of openings.

    ``days`` of those from first to last were watched; a person without one is not watched.
    """

    user_id: str
    first: int
    last: int
    days: int
    opened: tuple[int, ...] = ()

    @property
    def months(self) -> float:
        """Person-months watched."""
        return self.days / MONTH_DAYS


class Estimate(Struct, frozen=True):
    """A figure with its 95 % interval; all None where nothing can be told."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Figures(Struct, frozen=True, kw_only=True):
    """How detection did for a set of people.

    ``labels`` and ``episodes`` are counts, of which ``labels_hit`` had an opening and
    ``episodes_in_label`` opened in one. ``opened_after_start_days`` is the median time from a
    label's start to the first opening in it, ``opened_before_end_days`` from there to its end (d,
    negative where it opened behind the end). ``busiest_tenth_share`` is the share (0..1) of
    episodes that the busiest tenth of people have, rounded up to whole people.
    """

    people: int
    person_months: float
    labels: int
    labels_hit: int
    episodes: int
    episodes_in_label: int
    sensitivity: Estimate
    precision: Estimate
    episodes_per_person_month: Estimate
    opened_after_start_days: Estimate
    opened_before_end_days: Estimate
    busiest_tenth_share: float | None
    lead_days: list[int]


class _Counts(Struct):
    """What one person adds to the figures."""

    labels: int = 0
    hits: int = 0
    episodes: int = 0
    useful: int = 0
    months: float = 0.0


def episodes_of(dates: Iterable[int]) -> tuple[int, ...]:
    """Dates on which episodes open: of dates at most ``JOIN_DAYS`` apart the first."""
    opened: list[int] = []
    previous = -math.inf
    for date in sorted(set(dates)):
        if date - previous > JOIN_DAYS:
            opened.append(date)
        previous = date
    return tuple(opened)


def is_watched(label: Label, person: Person, slack_days: int) -> bool:
    """Whether a label counts: its dates overlap those from the first to the last watched one.

    Gaps included, for what happened while nothing was worn was missed.
    """
    return label.start <= person.last and label.end + slack_days >= person.first


def figures(people: Iterable[Person], labels: Iterable[Label], *, slack_days: int) -> Figures:
    """Figures of a set of people.

    Parameters
    ----------
    people
        Everybody watched, each once, in any order.
    labels
        Those of others, or before the first and after the last watched date, do not count.
    slack_days
        An opening in [start, end + slack_days] of a label is a hit.
    """
    return _figures(*_counted(people, labels, slack_days))


def rates(
    people: Iterable[Person], labels: Iterable[Label], *, slack_days: int
) -> tuple[float | None, float | None]:
    """Sensitivity and episodes per person-month alone, as `figures` has them."""
    counts, _ = _counted(people, labels, slack_days)
    labelled, months = sum(each.labels for each in counts), sum(each.months for each in counts)
    hits, episodes = sum(each.hits for each in counts), sum(each.episodes for each in counts)
    return hits / labelled if labelled else None, episodes / months if months else None


def _counted(
    people: Iterable[Person], labels: Iterable[Label], slack_days: int
) -> tuple[list[_Counts], list[tuple[int, int, int]]]:
    """Counts of each person in order of id, and (person, after start, before end) of each hit."""
    ordered = sorted(people, key=lambda person: person.user_id)
    own = _labels_by_person(labels)
    counts: list[_Counts] = []
    leads: list[tuple[int, int, int]] = []
    for index, person in enumerate(ordered):
        mine = [
            each for each in own.get(person.user_id, ()) if is_watched(each, person, slack_days)
        ]
        found = [(each, _first_opening(each, person.opened, slack_days)) for each in mine]
        hits = [(each, opened) for each, opened in found if opened is not None]
        leads += [(index, opened - each.start, each.end - opened) for each, opened in hits]
        useful = sum(_is_useful(opened, mine, slack_days) for opened in person.opened)
        counts.append(_Counts(len(mine), len(hits), len(person.opened), useful, person.months))
    return counts, leads


def share_of_busiest(episodes: Sequence[int]) -> float | None:
    """Share of all episodes that the busiest tenth of people have; None without an episode."""
    total = sum(episodes)
    if not total:
        return None
    busiest = sorted(episodes, reverse=True)[: math.ceil(BUSIEST_SHARE * len(episodes))]
    return sum(busiest) / total


def _labels_by_person(labels: Iterable[Label]) -> Mapping[str, list[Label]]:
    found: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        found[label.user_id].append(label)
    return found


def _first_opening(label: Label, opened: Iterable[int], slack_days: int) -> int | None:
    inside = [date for date in opened if label.start <= date <= label.end + slack_days]
    return min(inside, default=None)


def _is_useful(opened: int, labels: Iterable[Label], slack_days: int) -> bool:
    return any(label.start <= opened <= label.end + slack_days for label in labels)


def _figures(counts: Sequence[_Counts], leads: Sequence[tuple[int, int, int]]) -> Figures:
    columns = np.array(
        [(c.labels, c.hits, c.episodes, c.useful, c.months) for c in counts], dtype=np.float64
    ).reshape(-1, 5)
    draws = _draws(len(counts))
    labels, hits, episodes, useful, months = columns.T
    return Figures(
        people=len(counts),
        person_months=math.fsum(months.tolist()),
        labels=int(labels.sum()),
        labels_hit=int(hits.sum()),
        episodes=int(episodes.sum()),
        episodes_in_label=int(useful.sum()),
        sensitivity=_ratio(hits, labels, draws),
        precision=_ratio(useful, episodes, draws),
        episodes_per_person_month=_ratio(episodes, months, draws),
        opened_after_start_days=_median([(who, after) for who, after, _ in leads], draws),
        opened_before_end_days=_median([(who, before) for who, _, before in leads], draws),
        busiest_tenth_share=share_of_busiest([each.episodes for each in counts]),
        lead_days=sorted(after for _, after, _ in leads),
    )


def _draws(people: int) -> Floats:
    """How often each person is in each sample, of shape (draws, people)."""
    if not people:
        return np.zeros((DRAWS, 0))
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(people, np.full(people, 1.0 / people), size=DRAWS)
    return drawn.astype(np.float64)


def _ratio(above: Floats, below: Floats, draws: Floats) -> Estimate:
    if not below.sum():
        return Estimate()
    totals = draws @ below
    known = totals > 0.0
    sampled = (draws @ above)[known] / totals[known]
    return _estimate(float(above.sum() / below.sum()), sampled)


def _median(pairs: Sequence[tuple[int, int]], draws: Floats) -> Estimate:
    """Median of the values of (person, value), each as often as its person was drawn."""
    if not pairs:
        return Estimate()
    values = np.array([value for _, value in pairs], dtype=np.float64)
    order = np.argsort(values, kind="stable")
    weights = draws[:, np.array([who for who, _ in pairs])[order]]
    totals = weights.sum(axis=1)
    known = totals > 0.0
    reached = np.cumsum(weights[known], axis=1)
    half = totals[known, None] / 2.0
    # The mean of the two middle values where there is an even number of them.
    low, high = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
    ordered = values[order]
    return _estimate(float(np.median(values)), (ordered[low] + ordered[high]) / 2.0)


def _estimate(value: float, sampled: Floats) -> Estimate:
    if not sampled.size:
        return Estimate(value, value, value)
    low, high = np.quantile(sampled, INTERVAL).tolist()
    # Few people can draw a skewed sample; what was seen is always one of the possible values.
    return Estimate(value, min(low, value), max(high, value))
