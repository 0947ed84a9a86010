"""Writes the in-band clock: a small message into every topic-partition that a worker owns.

Who keeps the clock is said by one word: ``live`` is the time of day; ``recorded`` writes nothing,
for what is fed carries its ticks; ``START:SPEED`` is a clock that starts at START (s since the
epoch, UTC) and runs SPEED times as fast, so that a recording of the past can be lived through.
"""

import asyncio
import math
from collections.abc import Callable, Collection

from msgspec import Struct

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from streams.errors import BadInput
from streams.events import TICK_KEY, encode_tick

TICK_INTERVAL_S = 5.0
"""How often a tick is written (s)."""

# A faster clock ticks more often, so that a step stays small, but not at any rate.
_INTERVAL_MIN_S = 0.25

Clock = Callable[[], float]
"""A clock in s since the epoch, UTC."""


class TickPlan(Struct, frozen=True):
    """Where a tick clock starts (s UTC; absent: now) and how fast it runs (1 is real time)."""

    start: float | None = None
    speed: float = 1.0

    @property
    def interval_s(self) -> float:
        """Real time between two ticks (s)."""
        return min(TICK_INTERVAL_S, max(TICK_INTERVAL_S / self.speed, _INTERVAL_MIN_S))

    def clock(self, now: Clock) -> Clock:
        """The tick clock that starts at this moment of the clock ``now``."""
        begun = now()
        start = begun if self.start is None else self.start
        return lambda: start + (now() - begun) * self.speed


def parse_ticks(text: str) -> TickPlan | None:
    """Read ``live``, ``recorded`` (None: write no ticks) or ``START:SPEED``.

    Raises
    ------
    BadInput
        If it is none of these.
    """
    if text == "live":
        return TickPlan()
    if text == "recorded":
        return None
    start, _, speed = text.partition(":")
    try:
        start_s, factor = float(start), float(speed)
    except ValueError:
        start_s = factor = math.nan
    if not (0.0 <= start_s < math.inf and 0.0 < factor < math.inf):
        raise BadInput(
            "ticks are live, recorded or START:SPEED (such as 1700000000:3600 for an hour a "
            f"second from that instant), not {text!r}"
        )
    return TickPlan(start_s, factor)


class TickWriter:
    """Writes one tick into every owned topic-partition, again and again.

    Parameters
    ----------
    outbox
        Where to send.
    partitions
        Number of partitions of the topics; it goes into the tick.
    clock
        The time (s UTC) that the ticks carry.
    owned
        Gives the (topic, partition) pairs that this worker owns at the moment.
    """

    def __init__(
        self,
        outbox: Outbox,
        partitions: int,
        *,
        clock: Clock,
        owned: Callable[[], Collection[tuple[str, int]]],
    ) -> None:
        self._outbox = outbox
        self._partitions = partitions
        self._clock = clock
        self._owned = owned

    async def write(self) -> None:
        """Write one round of ticks and wait until the broker has them."""
        value = encode_tick(self._clock(), self._partitions)
        await self._outbox.send(
            OutboundMessage(topic, partition, TICK_KEY, value)
            for topic, partition in sorted(self._owned())
        )

    async def run(self, interval_s: float) -> None:
        """Write a round every ``interval_s`` seconds until cancelled."""
        while True:
            await self.write()
            await asyncio.sleep(interval_s)
