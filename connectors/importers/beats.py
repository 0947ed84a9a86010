"""Times for beats that are known to the second only."""

from collections.abc import Sequence
from itertools import groupby

_LAST_S = 0.999
"""Where the last beat of a second lies at the latest (s)."""


def placed_beats(beats: Sequence[tuple[float, float]], previous_s: float) -> list[float]:
    """Times of beats (s) that go up, never leave their second, and are as far apart as they say.

    A beat lies its interval after the one before it where the second allows; else the beats of a
    second are moved together, and when their intervals do not fit into a second, spread evenly.

    Parameters
    ----------
    beats
        (second of the beat, interval that it ended), both in s, in order.
    previous_s
        Time of the beat before the first one; 0 if there is none.

    >>> placed_beats([(10.0, 0.5), (10.0, 0.25), (11.0, 0.5)], 9.75)
    [10.25, 10.5, 11.0]
    """
    times: list[float] = []
    last = previous_s
    for second, group in groupby(beats, key=lambda beat: beat[0]):
        intervals = [interval_s for _, interval_s in group]
        within = sum(intervals[1:])
        latest = second + _LAST_S - within
        if latest < second:
            step = _LAST_S / len(intervals)
            placed = [second + step * number for number in range(len(intervals))]
        else:
            placed = [min(max(last + intervals[0], second), latest)]
            for interval_s in intervals[1:]:
                placed.append(placed[-1] + interval_s)
        # To the millisecond, which is what the intervals are given in.
        times += [round(time, 3) for time in placed]
        last = times[-1]
    return times
