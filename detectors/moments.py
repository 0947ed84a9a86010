"""Running mean and variance of one feature, as three numbers."""

import math
from typing import Self

PRIOR_COUNT = 14.0
"""Observations that the unit of a standardised residual is worth in ``Moments.scale``."""


class Moments:
    """Mean and sum of squared deviations of the values so far, old ones forgotten on demand.

    River's ``Var`` cannot be put back from numbers, so the update is written out here.

    Source: West 1979, Communications of the ACM 22(9):532-535.

    >>> moments = Moments()
    >>> for bpm in (58.0, 60.0, 62.0):
    ...     moments.update(bpm)
    >>> moments.mean, moments.sd()
    (60.0, 2.0)
    """

    __slots__ = ("mean", "n", "squares")

    def __init__(self) -> None:
        self.n = 0.0
        self.mean = 0.0
        self.squares = 0.0

    def update(self, value: float, horizon: float = math.inf) -> None:
        """Take in ``value``; from ``horizon`` observations on, the oldest fade exponentially."""
        if self.n >= horizon:
            self.squares *= (horizon - 1.0) / self.n
            self.n = horizon - 1.0
        residual = value - self.mean
        self.n += 1.0
        self.mean += residual / self.n
        self.squares += residual * (value - self.mean)

    def sd(self) -> float:
        """Sample standard deviation; 0 before two values."""
        return math.sqrt(self.squares / (self.n - 1.0)) if self.n > 1.0 else 0.0

    def scale(self) -> float:
        """Standard deviation, with a deviation of 1 believed as ``PRIOR_COUNT`` observations.

        Made for standardised residuals: a few alike ones do not make the next one a wonder.
        """
        return math.sqrt((PRIOR_COUNT + self.squares) / (PRIOR_COUNT + self.n))

    def to_numbers(self) -> list[float]:
        """Count, mean and sum of squares."""
        return [self.n, self.mean, self.squares]

    @classmethod
    def from_numbers(cls, numbers: list[float]) -> Self:
        """Moments as they were."""
        moments = cls()
        moments.n, moments.mean, moments.squares = numbers
        return moments
