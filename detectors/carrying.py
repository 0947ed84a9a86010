"""Which days of a shift carry it: those that a care team can see to lie to its side."""

from collections.abc import Sequence

from detectors.baseline import Usual
from detectors.shifts import Day, Part

CLEAR_SHARE = 0.5
"""Part of the way from the middle of the usual to its end beyond which a day clearly carries."""


def carrying(part: Part, usual: Usual | None) -> tuple[Day, ...]:
    """The days that carry a part of a shift, in their order; never none.

    They lie clearly to its side of the middle of the usual, or, where none does, at least to that
    side. Where all lie to the other side, as in a return from far, they are those beyond what the
    days before them let expect.
    """
    if usual is not None:
        end = usual.high if part.side > 0 else usual.low
        clear = usual.median + CLEAR_SHARE * (end - usual.median)
        for bound in (clear, usual.median):
            found = tuple(day for day in part.days if part.side * (day.value - bound) > 0.0)
            if found:
                return found
    return tuple(day for day in part.days if part.side * day.innovation > 0.0) or part.days


def mean_value(days: Sequence[Day]) -> float:
    """Mean of what days told, in the feature's unit."""
    return sum(day.value for day in days) / len(days)
