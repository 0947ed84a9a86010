"""Nights of sleep made up minute by minute, as the stages that a device would send."""

from collections.abc import Sequence
from itertools import groupby

from hypothesis import strategies as st

from streams.events import SleepLevel, SleepStage
from tests.streams.features.worlds import clock_s

ASLEEP = {SleepLevel.DEEP, SleepLevel.LIGHT, SleepLevel.REM, SleepLevel.ASLEEP}
AWAKE = {SleepLevel.AWAKE, SleepLevel.RESTLESS}

BED_S = clock_s("22:30", days=-1)
"""When all of them go to bed."""

Hypnogram = list[SleepLevel]
"""The level of each minute in bed."""

KNOWN = [level for level in SleepLevel if level is not SleepLevel.UNKNOWN]


def hypnograms(levels: Sequence[SleepLevel]) -> st.SearchStrategy[Hypnogram]:
    """Nights of up to twelve hours with at least one minute asleep."""
    runs = st.lists(st.tuples(st.sampled_from(levels), st.integers(1, 60)), min_size=1, max_size=12)
    nights = runs.map(lambda parts: [level for level, minutes in parts for _ in range(minutes)])
    return nights.filter(lambda night: bool(ASLEEP.intersection(night)))


def stages(night: Hypnogram) -> list[SleepStage]:
    """A night as stages: a stretch of equal minutes each."""
    found = []
    minute = 0
    for level, group in groupby(night):
        length = len(list(group))
        found.append(SleepStage(time=BED_S + minute * 60.0, duration=length * 60.0, level=level))
        minute += length
    return found


def sleeping(night: Hypnogram) -> tuple[int, int]:
    """Minutes in bed at which sleep begins and ends."""
    asleep = [minute for minute, level in enumerate(night) if level in ASLEEP]
    return asleep[0], asleep[-1] + 1
