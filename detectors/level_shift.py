"""A level that shifted within the last days, in one feature or in several at once.

A person's daily figures wander about their usual: today partly continues yesterday. What is new in
a day is the innovation, its difference from what the day before let expect; of the likelihood of a
shift given the innovations of the last days, `detectors.shifts` tells.

Sources: Willsky & Jones 1976 and Basseville & Nikiforov 1993, section 7.2.4 (likelihood ratio of a
jump in a whitened signal); Sidak 1967 (correction for the number of statistics that are looked at).
"""

import copy
import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import msgspec
from msgspec import Struct

from detectors.base import CONTEXT, DAY, FEATURES_MAX, State, detector, refuse_unknown
from detectors.cohort import Prior
from detectors.config import Concern
from detectors.features import Shape, from_shape, to_shape
from detectors.patterns import Domain
from detectors.running import (
    PRIOR_SCALE_COUNT,
    SD_OF_DEVIATION,
    Running,
    centre_of,
    numbers_of,
    update,
)
from detectors.shifts import (
    Day,
    Role,
    Shift,
    days_of,
    days_of_numbers,
    keep,
    last_before,
    most_telling,
    numbers_of_days,
)

WARM_UP_DAYS = 14
"""Values of its own before a feature counts, unless a site decides otherwise."""

DAYS_MIN = 2
"""Fewest days that have to tell of a shift, unless a site decides otherwise."""

HORIZON = 42
"""Observations over which a person's usual is forgotten: six weeks of days."""

CLIP = 3.0
"""Innovations count up to here (in standard deviations), so that no day decides alone."""

LEARN_CLIP = 2.5
"""Deviations are learned up to here (in standard deviations), as in Huber's estimator."""


class Term(Struct, frozen=True):
    """How a feature enters: its shape, its smallest standard deviation in its unit, its role.

    ``prior`` carries the ``persistence`` from day to day (0..0.95); without one there is none.
    ``fresh``: share of a day's variance that is new in it.
    """

    shape: Shape = Shape.LINEAR
    floor: float = 1.0
    role: Role = Role()
    prior: Prior | None = None
    persistence: float = 0.0
    fresh: float = 1.0

    def __post_init__(self) -> None:
        """Work out what is asked for with every value."""
        persistence = 0.0 if self.prior is None else self.prior.persistence
        msgspec.structs.force_setattr(self, "persistence", persistence)
        msgspec.structs.force_setattr(self, "fresh", 1.0 - persistence**2)

    def carried(self, days: int) -> float:
        """Share of a deviation that is left after some days."""
        left: float = self.persistence**days
        return left


TermOf = Callable[[str], Term | None]
"""Feature -> how it enters; None: the feature is not for this detector."""


def _any_term(feature: str) -> Term | None:
    return _TERM


_TERM = Term(role=Role(Concern.BOTH, Domain.OTHER))


class _Usual:
    """Where a feature usually lies and how much is new in a day, on the scale of its shape."""

    __slots__ = ("centre", "count", "deviation")

    def __init__(self, term: Term) -> None:
        self.deviation = Running()
        scale = 2.0 * term.floor if term.prior is None else term.prior.scale
        new = scale * math.sqrt(term.fresh) / SD_OF_DEVIATION
        self.deviation.update(new, w=PRIOR_SCALE_COUNT)
        self.start(term)

    def start(self, term: Term) -> None:
        """Begin with the cohort's centre: worth little where people differ much."""
        self.count = 0
        self.centre = centre_of(term.prior)

    def scale(self, term: Term) -> float:
        """Standard deviation of what is new in a day, never below the floor at this centre."""
        middle = self.centre.get()
        floor = to_shape(term.shape, from_shape(term.shape, middle) + term.floor) - middle
        return max(self.deviation.get() * SD_OF_DEVIATION, floor * math.sqrt(term.fresh))


class _News(Struct, frozen=True):
    """What is new in a value, on the scale of its shape.

    ``residual`` is its distance from the centre and ``innovation`` from what was expected; ``sd``
    is the innovation's standard deviation, ``scale`` what it is after a gap of one day.
    """

    residual: float
    innovation: float
    sd: float
    scale: float
    day: Day


@detector
class LevelShift:
    """Likelihood ratio of a level shift within the last days, of each feature and of patterns.

    With persistence p, g days since the last value, and u = value - centre, the innovation is
    u - p**g u_last, with variance s2 (1 - p**(2 g)) / (1 - p**2). A shift d that began on a day
    adds d to the first innovation from then on, and d (1 - p**g) to each later one. ``score =
    (1 - tail(z))**m``: how often the largest of m such statistics stays below z by chance.

    Only features with ``warm_up_days`` values of their own count; without any the score is 0. At
    least ``days_min`` days have to tell of a shift. ``x`` may carry ``DAY``; without it each call
    is the next day.

    >>> shift = LevelShift()
    >>> for day in range(28):
    ...     shift.learn_one({"sleep_duration_min": 440.0 + 12.0 * (day % 3 - 1)})
    >>> shift.score_one({"sleep_duration_min": 430.0}) < 0.9
    True
    >>> shift.learn_one({"sleep_duration_min": 380.0})
    >>> shift.score_one({"sleep_duration_min": 385.0}) > 0.99
    True
    """

    name: ClassVar[str] = "level_shift"
    version: ClassVar[str] = "1"

    __slots__ = ("_days_min", "_recent", "_term_of", "_usual", "_warm_up_days")

    def __init__(
        self,
        term_of: TermOf = _any_term,
        warm_up_days: int = WARM_UP_DAYS,
        days_min: int = DAYS_MIN,
    ) -> None:
        self._term_of = term_of
        self._warm_up_days = warm_up_days
        self._days_min = days_min
        self._usual: dict[str, _Usual] = {}
        # Never changed, only replaced, so that twins can share it. Days are kept packed.
        self._recent: Mapping[str, bytes] = {}

    def score_one(self, x: Mapping[str, float]) -> float:
        """How often chance alone stays below what ``x`` and the days before it tell."""
        refuse_unknown(x)
        shift = self.look(x)
        return 0.0 if shift is None else shift.score

    def look(self, x: Mapping[str, float], told: Mapping[str, bytes] | None = None) -> Shift | None:
        """The most telling shift with ``x`` taken in; None while no feature has warmed up.

        ``told``: what `told` says of ``x``, where it was asked already.
        """
        today = self._day_of(x)
        recent = {**self._recent, **(self.told(x) if told is None else told)}
        known = {name: recent[name] for name in sorted(recent) if self._is_known(name)}
        roles = {feature: self._term(feature).role for feature in known}
        return most_telling(known, roles, today, self._days_min) if known else None

    def told(self, x: Mapping[str, float]) -> dict[str, bytes]:
        """By feature of ``x`` its last days with ``x`` as the last, packed; of known features."""
        today = self._day_of(x)
        return {
            feature: keep(self._recent.get(feature, b""), self._news(feature, value, today).day)
            for feature, value in x.items()
            if feature in self._usual
        }

    def ahead(self) -> Self:
        """A twin that can observe rows which are not to be learned; this one stays as it is."""
        return copy.copy(self)

    def observe_one(self, x: Mapping[str, float]) -> None:
        """Keep what a day told for the days after it, without changing what is usual."""
        refuse_unknown(x)
        self.observe(self.told(x))

    def observe(self, told: Mapping[str, bytes]) -> None:
        """Keep what `told` said of a day for the days after it."""
        self._recent = {**self._recent, **told}

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Keep what a day told, and take it into what is usual."""
        refuse_unknown(x)
        today = self._day_of(x)
        recent = dict(self._recent)
        for feature, value in x.items():
            term = self._term_of(feature)
            if term is None or feature in CONTEXT:
                continue
            if feature not in self._usual:
                if len(self._usual) >= FEATURES_MAX:
                    continue
                self._usual[feature] = _Usual(term)
            news = self._news(feature, value, today)
            recent[feature] = keep(recent.get(feature, b""), news.day)
            _learn(self._usual[feature], term, news)
        self._recent = recent

    def relearn(self, features: frozenset[str] | None = None) -> None:
        """Forget where the centre lies and warm up again; how much is new in a day stays."""
        for feature, usual in self._usual.items():
            if features is None or feature in features:
                usual.start(self._term(feature))
        self._recent = {
            feature: days
            for feature, days in self._recent.items()
            if not (features is None or feature in features)
        }

    def to_state(self) -> State:
        """By feature: count, (n, mean) of centre and deviation; and its days up to the last."""
        usual = {
            feature: [own.count, *numbers_of(own.centre), *numbers_of(own.deviation)]
            for feature, own in sorted(self._usual.items())
        }
        last_day = self._last_day()
        recent = {
            feature: numbers_of_days(kept, last_day)
            for feature, kept in sorted(self._recent.items())
        }
        return {"usual": usual, "last_day": last_day, "recent": recent}

    @classmethod
    def from_state(
        cls,
        state: State,
        term_of: TermOf = _any_term,
        warm_up_days: int = WARM_UP_DAYS,
        days_min: int = DAYS_MIN,
    ) -> Self:
        """A detector as it was; all but ``state`` is configuration."""
        shift = cls(term_of, warm_up_days, days_min)
        recent: dict[str, bytes] = {}
        for feature, (count, *means) in state["usual"].items():
            term = term_of(feature)
            if term is None:
                continue
            own = shift._usual[feature] = _Usual(term)
            own.count = int(count)
            own.centre, own.deviation = Running(*means[:2]), Running(*means[2:])
            if feature in state["recent"]:
                recent[feature] = days_of_numbers(state["recent"][feature], state["last_day"])
        shift._recent = recent
        return shift

    def _is_known(self, feature: str) -> bool:
        return self._usual[feature].count >= self._warm_up_days

    def _term(self, feature: str) -> Term:
        return self._term_of(feature) or _TERM

    def _day_of(self, x: Mapping[str, float]) -> int:
        if DAY in x:
            return int(x[DAY])
        return self._last_day() + 1

    def _last_day(self) -> int:
        """Number of the last day that is kept of any feature; -1 before any."""
        return max((days_of(kept)[-1].day for kept in self._recent.values()), default=-1)

    def _news(self, feature: str, value: float, today: int) -> _News:
        usual, term = self._usual[feature], self._term(feature)
        count, fresh = usual.centre.n, term.fresh
        shaped = to_shape(term.shape, value)
        centre = usual.centre.get() if count > 0.0 else shaped
        before = last_before(self._recent.get(feature, b""), today)
        carried = left = 0.0
        if before is not None:
            carried = term.carried(today - before[0])
            left = carried * (to_shape(term.shape, before[1]) - centre)
        scale = usual.scale(term)
        doubt = 1.0 + (1.0 - carried) ** 2 / max(count, 0.5)
        sd = scale * math.sqrt((1.0 - carried**2) / fresh * doubt)
        innovation = shaped - centre - left
        gain = scale / math.sqrt(fresh) / sd
        day = Day(
            today,
            value,
            from_shape(term.shape, centre + left),
            max(-CLIP, min(CLIP, innovation / sd)),
            gain,
            gain * (1.0 - carried),
        )
        return _News(shaped - centre, innovation, sd, scale, day)


def _learn(usual: _Usual, term: Term, news: _News) -> None:
    usual.count += 1
    reach = LEARN_CLIP * news.sd
    new = min(abs(news.innovation), reach) * news.scale / news.sd
    whole = LEARN_CLIP * news.scale / math.sqrt(term.fresh)
    centre = usual.centre.get() + max(-whole, min(whole, news.residual))
    if usual.centre.n > 0.0:
        update(usual.deviation, new, HORIZON)
        update(usual.centre, centre, HORIZON)
    else:
        usual.centre.update(to_shape(term.shape, news.day.value))
