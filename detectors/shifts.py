"""How strongly the last days of several features tell of a level that shifted: pure statistics.

Of each feature there are its last days' innovations (`detectors.level_shift`). A shift that began
on a given day makes each of them larger by a known gain, so the root of the likelihood ratio is
their sum, weighted by gain. It is normal with variance one where nothing changed.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache

from msgspec import Struct

from detectors.config import Concern
from detectors.normal import corrected, tail_of
from detectors.patterns import DOMAINS_MIN, PATTERNS, Domain, Pattern

SPAN_DAYS = 5
"""Days within which a shift is looked for; what comes slower is a matter of `drift`."""

STEPS = 1_024.0
"""Steps to one of a unit, or of a standard deviation, in which what days told is kept."""

SHARE_MIN = 0.1
"""Parts of a pattern below this share of the score are not told."""


class Day(Struct, frozen=True, gc=False):
    """What one day told of a feature.

    ``value`` is in the feature's unit, ``expected`` what the days before let expect of it.
    ``innovation`` is in standard deviations of its own, clipped. ``onset`` and ``after`` are what a
    shift by one standard deviation of the feature adds to it on its first day, and on later ones.
    """

    day: int
    value: float
    expected: float
    innovation: float
    onset: float
    after: float


_KEPT = struct.Struct("<idq3h")
_STEPS_MAX = 2**62


def keep(before: bytes, day: Day) -> bytes:
    """The days that a later look needs, packed: those within the span, and ``day`` as the last.

    All but the value is rounded to `STEPS`, so that a day is the same one wherever it is read.
    """
    kept = [old for old in _KEPT.iter_unpack(before) if day.day - SPAN_DAYS < old[0] < day.day]
    expected = max(-_STEPS_MAX, min(_STEPS_MAX, day.expected * STEPS))
    in_sd = (round(part * STEPS) for part in (day.innovation, day.onset, day.after))
    new = _KEPT.pack(day.day, day.value, round(expected), *in_sd)
    return b"".join([*(_KEPT.pack(*old) for old in kept), new])


def last_before(kept: bytes, today: int) -> tuple[int, float] | None:
    """Number and value of the last day that is kept before ``today``, None without one."""
    before = [(day, value) for day, value, *_ in _KEPT.iter_unpack(kept) if day < today]
    return before[-1] if before else None


def days_of(kept: bytes) -> tuple[Day, ...]:
    """Days as they were kept, in their order."""
    return tuple(
        Day(day, value, expected / STEPS, innovation / STEPS, onset / STEPS, after / STEPS)
        for day, value, expected, innovation, onset, after in _KEPT.iter_unpack(kept)
    )


def numbers_of_days(kept: bytes, last_day: int) -> list[list[float]]:
    """Days as numbers: days before the last one, value, and the rest in steps."""
    return [[last_day - day, *told] for day, *told in _KEPT.iter_unpack(kept)]


def days_of_numbers(numbers: Sequence[Sequence[float]], last_day: int) -> bytes:
    """Days as they were kept."""
    return b"".join(
        _KEPT.pack(last_day - int(before), value, *map(int, parts))
        for before, value, *parts in numbers
    )


class Role(Struct, frozen=True):
    """To which sides a feature is of concern, and what it tells of."""

    concern: Concern = Concern.BOTH
    domain: Domain = Domain.OTHER


class Part(Struct, frozen=True):
    """A feature's part in a shift: side (1 up, -1 down), share (0..1) of the score, its days."""

    feature: str
    side: int
    share: float
    days: tuple[Day, ...]


class Shift(Struct, frozen=True):
    """The most telling shift: which pattern (None: one feature alone), since when, and of what.

    ``z``: strength in standard deviations, corrected for the number of statistics looked at.
    ``since``: number of the day on which it is most likely to have begun. ``parts``: the largest
    share first.
    """

    z: float
    pattern: str | None
    since: int
    parts: tuple[Part, ...]

    @property
    def score(self) -> float:
        """Probability (0..1) that chance alone stays below this."""
        return 1.0 - tail_of(self.z)


class _Statistic(Struct, frozen=True):
    """One direction to look in: by feature its weight; features of one domain share theirs."""

    pattern: str | None
    weights: dict[str, float]
    domains: dict[str, Domain]

    def strength(self, strengths: Mapping[str, float], lasting: Set[str]) -> float:
        """In standard deviations; minus infinity where nothing has lasted."""
        if self.pattern is None:
            ((feature, weight),) = self.weights.items()
            return weight * strengths[feature] if feature in lasting else -math.inf
        if lasting.isdisjoint(self.weights):
            return -math.inf
        told = [feature for feature in self.weights if feature in strengths]
        of_domain = self._counts(told)
        if len(of_domain) < DOMAINS_MIN:
            return -math.inf
        return sum(self._shares(strengths, of_domain)) / math.sqrt(len(of_domain))

    def parts(self, strengths: Mapping[str, float]) -> list[tuple[str, float]]:
        """Features that speak for it, and their share of its strength, the largest first."""
        told = [feature for feature in self.weights if feature in strengths]
        shares = dict(zip(told, self._shares(strengths, self._counts(told)), strict=True))
        total = sum(share for share in shares.values() if share > 0.0)
        found = [
            (feature, share / total)
            for feature, share in shares.items()
            if share > 0.0 and share >= SHARE_MIN * total
        ]
        return sorted(found, key=lambda part: (-part[1], part[0]))

    def _counts(self, told: Sequence[str]) -> dict[Domain, int]:
        counts: dict[Domain, int] = {}
        for feature in told:
            counts[self.domains[feature]] = counts.get(self.domains[feature], 0) + 1
        return counts

    def _shares(self, strengths: Mapping[str, float], counts: dict[Domain, int]) -> list[float]:
        return [
            weight * strengths[feature] / counts[self.domains[feature]]
            for feature, weight in self.weights.items()
            if feature in strengths
        ]


def most_telling(
    recent: Mapping[str, Sequence[Day]], roles: Mapping[str, Role], today: int, days_min: int
) -> Shift | None:
    """The strongest statistic over features, patterns and first days of a shift.

    Parameters
    ----------
    recent
        By feature the days that are known of it, in order, none after ``today``.
    roles
        By feature, for all of ``recent``.
    today
        Number of the day that is looked at.
    days_min
        Fewest days of a feature, or of one in a pattern, that have to tell of a shift.

    Returns
    -------
    Shift
        None when there is no statistic to look at, since no feature is of concern to any side.
    """
    statistics = _statistics(tuple(roles.items()))
    best = -math.inf
    choice: tuple[int, _Statistic, dict[str, float]] | None = None
    for since in range(today - SPAN_DAYS + 1, today - days_min + 2):
        told = {name: told for name, days in recent.items() if (told := _since(days, since))}
        strengths = {feature: _strength(days) for feature, days in told.items()}
        lasting = {feature for feature, days in told.items() if len(days) >= days_min}
        for statistic in statistics:
            z = statistic.strength(strengths, lasting)
            if choice is None or z > best:
                best, choice = z, (since, statistic, strengths)
    if choice is None:
        return None
    since, statistic, strengths = choice
    parts = [
        Part(feature, 1 if strengths[feature] > 0.0 else -1, share, _since(recent[feature], since))
        for feature, share in statistic.parts(strengths)
    ]
    return Shift(corrected(best, len(statistics)), statistic.pattern, since, tuple(parts))


def _since(days: Sequence[Day], since: int) -> tuple[Day, ...]:
    # Mostly one day after the other is there: what comes before is quickly skipped.
    first = next((place for place, day in enumerate(days) if day.day >= since), len(days))
    return tuple(days[first:])


def _strength(days: Sequence[Day]) -> float:
    """Signed root of the likelihood ratio of a shift that began on the first of these days."""
    told, signal = days[0].onset * days[0].innovation, days[0].onset ** 2
    for day in days[1:]:
        told += day.after * day.innovation
        signal += day.after**2
    return told / math.sqrt(signal)


@lru_cache(maxsize=256)
def _statistics(told: tuple[tuple[str, Role], ...]) -> tuple[_Statistic, ...]:
    """What there is to look at for some features, the same for everybody who has these."""
    roles = dict(told)
    return (*_singles(roles), *_patterns(roles))


def _singles(roles: Mapping[str, Role]) -> Iterator[_Statistic]:
    for feature, role in roles.items():
        domains = {feature: role.domain}
        if role.concern in {Concern.UP, Concern.BOTH}:
            yield _Statistic(None, {feature: 1.0}, domains)
        if role.concern in {Concern.DOWN, Concern.BOTH}:
            yield _Statistic(None, {feature: -1.0}, domains)


def _patterns(roles: Mapping[str, Role]) -> Iterator[_Statistic]:
    for pattern in PATTERNS:
        weights = {
            feature: float(pattern.signs[role.domain])
            for feature, role in roles.items()
            if role.domain in pattern.signs and _may_go(role, pattern)
        }
        domains = {feature: roles[feature].domain for feature in weights}
        if len(set(domains.values())) >= DOMAINS_MIN:
            yield _Statistic(pattern.name, weights, domains)


def _may_go(role: Role, pattern: Pattern) -> bool:
    """Whether a feature is of concern to the side that a pattern has it go."""
    side = Concern.UP if pattern.signs[role.domain] > 0 else Concern.DOWN
    return role.concern in {side, Concern.BOTH}
