"""Figures with their bootstrap intervals over people."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

DRAWS = 2_000
SEED = 20_261_125
LEVEL = (2.5, 97.5)
MONTH_DAYS = 30.0

Counts = NDArray[np.float64]
Drawn = NDArray[np.int64]


class Interval(Struct, frozen=True):
    """A figure with its 95 % interval over people."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As it stands in a table."""
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def rate_of(counts: Mapping[str, int], days: Mapping[str, int]) -> Interval:
    """Alerts per 30 watched days."""
    users = [user for user in sorted(days) if days[user]]
    told = np.array([counts.get(user, 0) for user in users], dtype=float)
    of = np.array([days[user] for user in users], dtype=float)
    return _resampled(len(users), lambda drawn: MONTH_DAYS * told[drawn].sum() / of[drawn].sum())


def share_of(by_person: Mapping[str, Sequence[float]]) -> Interval:
    """Mean over all of everybody's figures."""
    told, of = _sums(by_person, sorted(by_person))
    return _resampled(len(told), lambda drawn: told[drawn].sum() / of[drawn].sum())


def share_difference(
    first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]]
) -> Interval:
    """Difference of two shares in the same people."""
    users = sorted({*first, *second})
    told, of = _sums(first, users)
    told_second, of_second = _sums(second, users)

    def difference(drawn: Drawn) -> float:
        ours = told[drawn].sum() / max(of[drawn].sum(), 1.0)
        return float(ours - told_second[drawn].sum() / max(of_second[drawn].sum(), 1.0))

    return _resampled(len(users), difference)


def _sums(by_person: Mapping[str, Sequence[float]], users: Sequence[str]) -> tuple[Counts, Counts]:
    told = [float(sum(by_person.get(user, ()))) for user in users]
    of = [float(len(by_person.get(user, ()))) for user in users]
    return np.array(told), np.array(of)


def _resampled(count: int, figure: Callable[[Drawn], float]) -> Interval:
    chance = np.random.default_rng(SEED)
    draws = [figure(chance.integers(0, count, count)) for _ in range(DRAWS)]
    low, high = np.percentile(draws, LEVEL)
    return Interval(float(figure(np.arange(count))), float(low), float(high))
