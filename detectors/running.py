"""Running means that forget, how they begin with a cohort's prior, and their explicit state."""

import math

from river.stats import Mean

from detectors.cohort import Prior

PRIOR_SCALE_COUNT = 10.0
"""Own values that the cohort's scale is worth."""

PRIOR_COUNT_MAX = 14.0
"""Most own values that the cohort's centre is worth; fewer where people differ much."""

SD_OF_DEVIATION = math.sqrt(math.pi / 2.0)
"""Standard deviation of a normal distribution whose mean absolute deviation is one."""


def centre_of(prior: Prior | None) -> Mean:
    """A centre that begins with the cohort's, which is worth little where people differ much."""
    centre = Mean()
    if prior is not None:
        weight = min((prior.scale / prior.spread) ** 2, PRIOR_COUNT_MAX)
        centre.update(prior.centre, w=weight)
    return centre


def update(mean: Mean, value: float, horizon: int) -> None:
    """Take in a value; beyond ``horizon`` values the oldest are forgotten exponentially."""
    # A mean whose count stops growing forgets.
    mean.n = min(mean.n, horizon - 1.0)
    mean.update(value)


def numbers_of(mean: Mean) -> list[float]:
    """Count and value: all that a running mean remembers."""
    return [mean.n, mean.get()]


def mean_of(n: float, value: float) -> Mean:
    """A running mean as it was."""
    mean = Mean()
    if n > 0.0:
        mean.update(value, w=n)
    return mean
