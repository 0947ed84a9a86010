"""The normal distribution's tail, both ways."""

import math
from statistics import NormalDist

_STANDARD = NormalDist()
_SMALLEST = 1e-300
_SQRT2 = math.sqrt(2.0)


def tail_of(z: float) -> float:
    """Probability (0..1) that a standard normal number lies above ``z``."""
    return 0.5 * math.erfc(z / _SQRT2)


def deviate_of(tail: float) -> float:
    """The ``z`` above which a standard normal number lies with probability ``tail``.

    Tails beyond 1e-300, and within as much of one as floats can tell, are taken as that.
    """
    return -_STANDARD.inv_cdf(min(max(tail, _SMALLEST), 1.0 - 1e-15))


def corrected(z: float, count: int) -> float:
    """Strength of the largest of ``count`` independent normal numbers, if it is ``z``.

    Sidak 1967: ``1 - (1 - tail) ** count`` is the tail of the largest.
    """
    tail = min(tail_of(z), 1.0 - 1e-15)
    return deviate_of(-math.expm1(count * math.log1p(-tail)))
