"""Ticks for what was not recorded with any: the in-band clock at the pace of ``timeReceived``."""

import math
from collections.abc import Iterable, Iterator
from operator import attrgetter

import msgspec
from msgspec import Struct

from connectors.kcat import RecordingMessage
from streams.events import INGEST_TOPICS, TICK_KEY, encode_tick
from streams.events.ranges import EpochSeconds

HOUR_S = 3_600.0

SETTLING_S = (72 + 48) * HOUR_S
"""For how long ticks go on after the last message (s).

A day is settled 72 h (the default lateness) after it has ended everywhere on earth, which is at
most 36 h after an instant of it; the rest is a margin.
"""


LONG_SILENCE_S = 7 * 24 * HOUR_S
"""After so long (s) without any message a recording has fewer ticks."""

LONG_SILENCE_STEP_S = 12 * HOUR_S
"""Time between two ticks (s) in a long silence."""


class Unplaced(Struct, frozen=True, gc=False):
    """A message that has no place in a log yet; ``time_received`` in s UTC."""

    topic: str
    partition: int
    time_received: float
    key: bytes | None
    value: bytes | None


class TickPace(Struct, frozen=True, kw_only=True):
    """How ticks are laid.

    ``partitions`` of each ingest topic. ``every_s``: the shortest time between two ticks while
    messages come, at most an hour; while none come there is one an hour, and after a week of
    silence one in twelve hours. ``settling_s``: how long ticks go on after the last message.
    """

    partitions: int
    every_s: float = HOUR_S
    settling_s: float = SETTLING_S


def paced(messages: Iterable[Unplaced], pace: TickPace) -> Iterator[RecordingMessage]:
    """Lay messages and ticks into logs that begin at offset 0.

    Parameters
    ----------
    messages
        In order of ``time_received``, which is not checked: a message that is behind just gets no
        tick before it.
    pace
        How ticks are laid. The first ones lie before the first message.
    """
    log = _Logs(pace.partitions)
    clock = last = -math.inf
    for message in messages:
        now = message.time_received
        if clock == -math.inf:
            clock = max(0.0, math.floor(now / HOUR_S) * HOUR_S - HOUR_S)
            yield from log.ticks(clock)
            last = now
        while now - clock > (step_s := _silent_step_s(clock - last)):
            clock = _next(clock, step_s)
            yield from log.ticks(clock)
        if now - clock >= pace.every_s:
            clock = math.floor(now / pace.every_s) * pace.every_s
            yield from log.ticks(clock)
        last = now
        yield log.append(message)
    end = clock + pace.settling_s
    while clock < end:
        clock = _next(clock, HOUR_S)
        yield from log.ticks(clock)


def _next(clock: float, step_s: float) -> float:
    """The next whole multiple of a step."""
    return (math.floor(clock / step_s) + 1) * step_s


def _silent_step_s(silence_s: float) -> float:
    return HOUR_S if silence_s < LONG_SILENCE_S else LONG_SILENCE_STEP_S


class _Logs:
    """Next offsets of all topic-partitions."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._next: dict[tuple[str, int], int] = {}

    def append(self, message: Unplaced) -> RecordingMessage:
        place = message.topic, message.partition
        offset = self._next.get(place, 0)
        self._next[place] = offset + 1
        timestamp_ms = round(message.time_received * 1000.0)
        return RecordingMessage(*place, offset, timestamp_ms, message.key, message.value)

    def ticks(self, time: float) -> Iterator[RecordingMessage]:
        value = encode_tick(time, self._partitions)
        for topic in INGEST_TOPICS:
            for partition in range(self._partitions):
                yield self.append(Unplaced(topic, partition, time, TICK_KEY, value))


class _Received(Struct, rename="camel"):
    time_received: EpochSeconds


_RECEIVED = msgspec.json.Decoder(_Received)


def with_ticks(
    messages: Iterable[RecordingMessage], partitions: int, *, every_s: float = HOUR_S
) -> Iterator[RecordingMessage]:
    """Give a recording without ticks the ticks that its ``timeReceived`` imply.

    The messages are held in memory and ordered by the largest ``timeReceived`` so far in their
    topic-partition: without ticks, the order in which a file holds different logs says nothing of
    time. Offsets are numbered anew from 0. An envelope that says no ``timeReceived`` goes with
    the one before it.

    Parameters
    ----------
    messages
        In the order of their logs per topic-partition.
    partitions
        Of each ingest topic.
    every_s
        The shortest time between two ticks (s); at most an hour.
    """
    reached: dict[tuple[str, int], float] = {}
    unplaced: list[Unplaced] = []
    for message in messages:
        place = message.topic, message.partition
        reached[place] = time = max(reached.get(place, -math.inf), _time_received(message))
        unplaced.append(Unplaced(*place, time, message.key, message.value))
    known = [message.time_received for message in unplaced if message.time_received > -math.inf]
    start = min(known, default=0.0)
    unplaced = [
        message
        if message.time_received >= start
        else msgspec.structs.replace(message, time_received=start)
        for message in unplaced
    ]
    # A stable order that does not depend on how the file interleaves its logs.
    rank = {topic: number for number, topic in enumerate(INGEST_TOPICS)}
    unplaced.sort(key=lambda message: (rank[message.topic], message.partition))
    unplaced.sort(key=attrgetter("time_received"))
    yield from paced(unplaced, TickPace(partitions=partitions, every_s=every_s))


def _time_received(message: RecordingMessage) -> float:
    try:
        return _RECEIVED.decode(message.value or b"").time_received
    except (msgspec.DecodeError, UnicodeDecodeError):
        return -math.inf
