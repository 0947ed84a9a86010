"""How strongly the last days of several features tell of a level that shifted: pure statistics.

Of each feature there are its last days' innovations (`detectors.level_shift`). A shift that began
on a given day makes each of them larger by a known gain, so the root of the likelihood ratio is
their sum, weighted by gain. It is normal with variance one where nothing changed.
"""

import math
import struct
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

from msgspec import Struct

from detectors.config import Concern
from detectors.normal import corrected, tail_of
from detectors.patterns import DOMAINS_MIN, PATTERNS, Domain

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
_DAY_OF = struct.Struct("<i").unpack_from
_STEPS_MAX = 2**62


def keep(before: bytes, day: Day) -> bytes:
    """The days that a later look needs, packed: those within the span, and ``day`` as the last.

    All but the value is rounded to `STEPS`, so that a day is the same one wherever it is read.
    """
    start, stop = 0, _stop_before(before, day.day)
    while start < stop and _DAY_OF(before, start)[0] <= day.day - SPAN_DAYS:
        start += _KEPT.size
    expected = max(-_STEPS_MAX, min(_STEPS_MAX, day.expected * STEPS))
    return before[start:stop] + _KEPT.pack(
        day.day,
        day.value,
        round(expected),
        round(day.innovation * STEPS),
        round(day.onset * STEPS),
        round(day.after * STEPS),
    )


def last_before(kept: bytes, today: int) -> tuple[int, float] | None:
    """Number and value of the last day that is kept before ``today``, None without one."""
    stop = _stop_before(kept, today)
    return _KEPT.unpack_from(kept, stop - _KEPT.size)[:2] if stop else None


def _stop_before(kept: bytes, today: int) -> int:
    """Where the days before ``today`` end."""
    stop = len(kept)
    while stop and _DAY_OF(kept, stop - _KEPT.size)[0] >= today:
        stop -= _KEPT.size
    return stop


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


class _Weighed(Struct, frozen=True):
    """A pattern with the features that tell of it, each with its sign, by domain."""

    name: str
    domains: tuple[tuple[tuple[str, float], ...], ...]

    def strength(self, strengths: Mapping[str, float], lasting: Set[str]) -> float:
        """In standard deviations; minus infinity where nothing has lasted."""
        total, count, has_lasted = 0.0, 0, False
        for domain in self.domains:
            told = [sign * strengths[name] for name, sign in domain if name in strengths]
            if told:
                total += sum(told) / len(told)
                count += 1
                has_lasted = has_lasted or any(name in lasting for name, _ in domain)
        return total / math.sqrt(count) if has_lasted and count >= DOMAINS_MIN else -math.inf

    def shares(self, strengths: Mapping[str, float]) -> dict[str, float]:
        """By feature what it adds, the features of one domain sharing its weight."""
        shares: dict[str, float] = {}
        for domain in self.domains:
            told = {name: sign * strengths[name] for name, sign in domain if name in strengths}
            shares |= {name: strength / len(told) for name, strength in told.items()}
        return shares


class _Found(Struct, frozen=True):
    """The strongest so far: of a shift since a day, of one feature (its share) or a pattern."""

    z: float = -math.inf
    since: int = 0
    pattern: str | None = None
    shares: dict[str, float] = {}
    strengths: dict[str, float] = {}


def most_telling(
    recent: Mapping[str, bytes], roles: Mapping[str, Role], today: int, days_min: int
) -> Shift | None:
    """The strongest statistic over features, patterns and first days of a shift.

    Parameters
    ----------
    recent
        By feature the days that are known of it (`keep`), in order, none after ``today``.
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
    patterns = _patterns(tuple(roles.items()))
    count = sum(len(_SIDES[role.concern]) for role in roles.values()) + len(patterns)
    if not count:
        return None
    firsts = range(today - SPAN_DAYS + 1, today - days_min + 2)
    told = {feature: _strengths(_in_steps(kept), firsts) for feature, kept in recent.items()}
    best = _Found(since=firsts[0])
    for place, since in enumerate(firsts):
        known = {feature: at[place] for feature, at in told.items() if at[place][1]}
        strengths = {feature: strength / STEPS for feature, (strength, _) in known.items()}
        lasting = {feature for feature, (_, days) in known.items() if days >= days_min}
        best = _strongest(best, since, strengths, roles=roles, lasting=lasting)
        for pattern in patterns:
            z = pattern.strength(strengths, lasting)
            if z > best.z:
                shares = pattern.shares(strengths)
                best = _Found(z, since, pattern.name, shares, strengths)
    return Shift(corrected(best.z, count), best.pattern, best.since, _parts(best, recent))


def _strongest(
    best: _Found,
    since: int,
    strengths: dict[str, float],
    *,
    roles: Mapping[str, Role],
    lasting: Set[str],
) -> _Found:
    """The strongest side of a single feature, where that is more than the best so far."""
    for feature, strength in strengths.items():
        for side in _SIDES[roles[feature].concern]:
            z = side * strength
            if z > best.z and feature in lasting:
                best = _Found(z, since, None, {feature: z}, strengths)
    return best


def _parts(found: _Found, recent: Mapping[str, bytes]) -> tuple[Part, ...]:
    """Features that speak for what was found, the largest share first."""
    total = sum(share for share in found.shares.values() if share > 0.0)
    told = [
        (share / total, feature)
        for feature, share in found.shares.items()
        if share > 0.0 and share >= SHARE_MIN * total
    ]
    return tuple(
        Part(
            feature,
            1 if found.strengths[feature] > 0.0 else -1,
            share,
            tuple(day for day in days_of(recent[feature]) if day.day >= found.since),
        )
        for share, feature in sorted(told, key=lambda part: (-part[0], part[1]))
    )


Told = tuple[int, float, float, float]
"""What of a day tells of a shift: its number, innovation, and gain at the onset and after it."""


def _strengths(days: Sequence[Told], firsts: Sequence[int]) -> list[tuple[float, int]]:
    """How strongly days tell of a shift that began on each of some first days, in their order.

    The signed root of its likelihood ratio, in the days' units, and how many days tell of it; 0
    where none does.
    """
    told = signal = strength = 0.0
    found = [(0.0, 0)] * len(firsts)
    count, last = 0, len(days) - 1
    for place in range(len(firsts) - 1, -1, -1):
        while count <= last and days[last - count][0] >= firsts[place]:
            _, innovation, onset, after = days[last - count]
            # The earliest of them is the day of the onset; each later one has its smaller gain.
            strength = (told + onset * innovation) / math.sqrt(signal + onset**2)
            told += after * innovation
            signal += after**2
            count += 1
        found[place] = strength, count
    return found


def _in_steps(kept: bytes) -> list[Told]:
    return [(day, *told) for day, _, _, *told in _KEPT.iter_unpack(kept)]


_SIDES: Mapping[Concern, tuple[float, ...]] = {
    Concern.UP: (1.0,),
    Concern.DOWN: (-1.0,),
    Concern.BOTH: (1.0, -1.0),
    Concern.NONE: (),
}


@lru_cache(maxsize=256)
def _patterns(told: tuple[tuple[str, Role], ...]) -> tuple[_Weighed, ...]:
    """The patterns that some features can tell of, the same for everybody who has these."""
    found = []
    for pattern in PATTERNS:
        by_domain: dict[Domain, list[tuple[str, float]]] = {}
        for feature, role in told:
            sign = pattern.signs.get(role.domain)
            if sign in _SIDES[role.concern]:
                by_domain.setdefault(role.domain, []).append((feature, float(sign)))
        if len(by_domain) >= DOMAINS_MIN:
            found.append(_Weighed(pattern.name, tuple(map(tuple, by_domain.values()))))
    return tuple(found)
