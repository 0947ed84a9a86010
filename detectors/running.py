"""Running means that forget, how they begin with a cohort's prior, and their explicit state."""

import math

from msgspec import Struct
from river.stats import Mean

from detectors.cohort import Prior

PRIOR_SCALE_COUNT = 10.0
"""Own values that the cohort's scale is worth."""

PRIOR_COUNT_MAX = 14.0
"""Most own values that the cohort's centre is worth; fewer where people differ much."""

SD_OF_DEVIATION = math.sqrt(math.pi / 2.0)
"""Standard deviation of a normal distribution whose mean absolute deviation is one."""


class Running(Struct, gc=False):
    """River's running mean as its two numbers: there are hundreds of them for each person.

    An object of River's own takes four times as much memory.

    >>> mean = Running()
    >>> for bpm in (60.0, 62.0):
    ...     mean.update(bpm)
    >>> mean.n, mean.get()
    (2.0, 61.0)
    """

    n: float = 0.0
    _mean: float = 0.0

    def update(self, x: float, w: float = 1.0) -> None:
        """Take in a value, as if it were ``w`` of them."""
        Mean.update(self, x, w)  # type: ignore[arg-type]  # it has River's two numbers

    def get(self) -> float:
        """The mean; 0 before any value."""
        return self._mean


def centre_of(prior: Prior | None) -> Running:
    """A centre that begins with the cohort's, which is worth little where people differ much."""
    centre = Running()
    if prior is not None:
        weight = min((prior.scale / prior.spread) ** 2, PRIOR_COUNT_MAX)
        centre.update(prior.centre, w=weight)
    return centre


def update(mean: Running, value: float, horizon: int) -> None:
    """Take in a value; beyond ``horizon`` values the oldest are forgotten exponentially."""
    # A mean whose count stops growing forgets.
    mean.n = min(mean.n, horizon - 1.0)
    mean.update(value)


def numbers_of(mean: Running) -> list[float]:
    """Count and value: all that a running mean remembers."""
    return [mean.n, mean.get()]
