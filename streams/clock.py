"""The in-band clocks of one partition number: ticks per topic, their minimum, who leads.

Time is data here: nothing reads a wall clock, so that a replay sees what the worker saw.
"""

import math
from collections.abc import Iterable


class Clocks:
    """Clocks of the topics of one partition number (s UTC; minus infinity before a first tick)."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._ticks = dict.fromkeys(topics, -math.inf)
        self._minimum = -math.inf

    def __getitem__(self, topic: str) -> float:
        """Clock of one topic: its largest tick."""
        return self._ticks[topic]

    @property
    def minimum(self) -> float:
        """The clock that windows follow: the least of all topics."""
        return self._minimum

    def advance(self, topic: str, time: float) -> bool:
        """Take a tick of a topic; True when the minimum moved. An older tick changes nothing."""
        if time <= self._ticks[topic]:
            return False
        self._ticks[topic] = time
        minimum = min(self._ticks.values())
        moved = minimum > self._minimum
        self._minimum = minimum
        return moved

    def to_state(self) -> dict[str, float]:
        """Clocks by topic, of those that have had a tick."""
        return {topic: time for topic, time in self._ticks.items() if time > -math.inf}

    def leads(self, topic: str, skew_s: float) -> bool:
        """Whether a topic is more than ``skew_s`` ahead of the minimum, and so has to wait."""
        clock = self._ticks[topic]
        # Before all topics have a tick there is no minimum to be ahead of by a number.
        return clock > -math.inf and clock - self._minimum > skew_s
