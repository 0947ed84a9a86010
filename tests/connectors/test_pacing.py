"""Goal: ticks follow ``timeReceived`` and never get ahead of it. Method: properties of the logs."""

import math
import random
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.pacing import HOUR_S, SETTLING_S
from connectors.recordings import RecordingMessage, with_ticks
from streams.events import INGEST_TOPICS, MESSAGE_TYPE, TICK_KEY, Tick

PARTITIONS = 2
DECODER = msgspec.json.Decoder(MESSAGE_TYPE)


def _message(topic: str, partition: int, offset: int, time: float) -> RecordingMessage:
    value = b'{"timeReceived":%f}' % time if time >= 0 else b"broken"
    return RecordingMessage(topic, partition, offset, 0, b"alder", value)


@st.composite
def _logs(draw: st.DrawFn) -> list[list[RecordingMessage]]:
    topics = draw(st.lists(st.sampled_from(INGEST_TOPICS), min_size=1, max_size=3, unique=True))
    times = st.lists(st.floats(0, 30 * HOUR_S) | st.just(-1.0), min_size=1, max_size=6)
    return [
        [_message(topic, partition, o, time) for o, time in enumerate(draw(times))]
        for topic in topics
        for partition in range(PARTITIONS)
    ]


@settings(max_examples=40)
@given(_logs(), st.sampled_from([60.0, 300.0, HOUR_S]), st.randoms(use_true_random=False))
def test_every_log_has_the_same_ticks_none_ahead_of_what_was_received(
    logs: list[list[RecordingMessage]], every_s: float, chance: random.Random
) -> None:
    shuffled = [log[:] for log in logs]
    interleaved = []
    while shuffled := [log for log in shuffled if log]:
        interleaved.append(chance.choice(shuffled).pop(0))
    one_by_one = [message for log in logs for message in log]
    laid = list(with_ticks(one_by_one, PARTITIONS, every_s=every_s))
    assert laid == list(with_ticks(interleaved, PARTITIONS, every_s=every_s))

    ticks: dict[tuple[str, int], list[float]] = {}
    offsets: dict[tuple[str, int], list[int]] = {}
    received = 0.0
    kept = []
    for message in laid:
        place = message.topic, message.partition
        offsets.setdefault(place, []).append(message.offset)
        if message.key == TICK_KEY:
            tick = DECODER.decode(message.value or b"")
            assert isinstance(tick, Tick)
            ticks.setdefault(place, []).append(tick.time)
        else:
            assert place in ticks
            received = max(received, message.timestamp_ms / 1000)
            assert ticks[place][-1] <= message.timestamp_ms / 1000 + 0.001
            assert ticks[place][-1] > message.timestamp_ms / 1000 - every_s - 0.001
            kept.append((*place, message.value))
    assert sorted(kept) == sorted((m.topic, m.partition, m.value) for m in one_by_one)
    assert all(numbers == list(range(len(numbers))) for numbers in offsets.values())
    times = ticks["heart-rate", 0]
    assert len(ticks) == PARTITIONS * len(INGEST_TOPICS)
    assert all(other == times for other in ticks.values())
    assert all(0 < late - early <= HOUR_S for early, late in pairwise(times))
    assert times[-1] >= received + SETTLING_S - HOUR_S
    assert math.isfinite(times[0])
