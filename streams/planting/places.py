"""Where changes are planted: stretches of dates inside a person's data, drawn with a seed."""

import zlib
from collections.abc import Set as AbstractSet

import numpy as np
from msgspec import Struct


class Places(Struct, frozen=True, kw_only=True):
    """How stretches are drawn.

    ``days``: dates in a stretch. ``per_person``: most stretches of one person. ``gap_days``: fewest
    dates between two of them. ``first_day``: valid dates that go before the first one, so that
    detection has learned what is usual.
    """

    days: int
    per_person: int = 1
    gap_days: int = 21
    first_day: int = 28
    seed: int = 0


class Stretch(Struct, frozen=True, order=True):
    """Dates (days since the epoch) from ``first`` to ``last``, both included."""

    first: int
    last: int

    def __contains__(self, date: int) -> bool:
        """Whether a date lies in it."""
        return self.first <= date <= self.last


def possible_starts(valid: AbstractSet[int], places: Places) -> list[int]:
    """Dates at which a stretch can begin: all of its dates are valid, and enough go before."""
    ordered = sorted(valid)
    return [
        date
        for count, date in enumerate(ordered)
        if count >= places.first_day and all(date + day in valid for day in range(places.days))
    ]


def draw(valid: AbstractSet[int], places: Places, user_id: str) -> tuple[Stretch, ...]:
    """Stretches of one person in order of date; fewer than asked for, or none, if they do not fit.

    The draw depends on the seed, the person and their valid dates alone, so that taking people out
    of a recording moves nobody's.
    """
    starts = possible_starts(valid, places)
    generator = np.random.default_rng([places.seed, zlib.crc32(user_id.encode())])
    chosen: list[int] = []
    for index in generator.permutation(len(starts)).tolist():
        if len(chosen) == places.per_person:
            break
        apart = places.days + places.gap_days
        if all(abs(starts[index] - other) >= apart for other in chosen):
            chosen.append(starts[index])
    return tuple(Stretch(start, start + places.days - 1) for start in sorted(chosen))
