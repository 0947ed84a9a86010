"""Running means that forget, and their explicit state."""

from river.stats import Mean


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
