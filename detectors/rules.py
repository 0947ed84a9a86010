"""What the published rules for single features have in common.

They are here to be compared with; each scores 0.5 at its published threshold.
"""

from collections.abc import Iterator, Mapping

from detectors.base import CONTEXT


def watched(x: Mapping[str, float], feature: str | None) -> Iterator[tuple[str, float]]:
    """The named feature of ``x`` if it is there; without a name, all features of ``x``."""
    for name, value in x.items():
        if name not in CONTEXT and feature in {None, name}:
            yield name, value


def half_at(value: float, threshold: float) -> float:
    """``value / (value + threshold)``: 0 for 0 and below, 0.5 at the threshold, below 1.

    It rises with ``value``, so that a sweep over scores is a sweep over values.

    >>> half_at(3.0, 3.0), half_at(-1.0, 3.0)
    (0.5, 0.0)
    """
    return value / (value + threshold) if value > 0.0 else 0.0
