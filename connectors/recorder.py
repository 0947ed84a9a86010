"""Records topics: every message of every partition from the start of its log, ticks included."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaConsumer,
    TopicPartition,
)
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # aiokafka has no py.typed
from msgspec import Struct

from connectors.kafka import partition_counts
from connectors.recordings import RecordingMessage
from streams.errors import BrokerMismatch, BrokerUnavailable

POLL_MS = 200

Place = tuple[str, int]
"""A topic and a partition number."""


class Span(Struct, frozen=True):
    """What to record of the logs; it ends at the latest when ``stop`` is set.

    ``idle_s``: end after so many seconds without a message. ``at_end``: end once everything has
    been read that the logs held when reading began. ``after``: first offset to read of a
    topic-partition; absent means the start of its log.
    """

    stop: asyncio.Event
    idle_s: float = math.inf
    at_end: bool = False
    after: Mapping[Place, int] = {}


async def record(
    address: str,
    topics: Iterable[str],
    write: Callable[[RecordingMessage], None],
    *,
    span: Span,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Hand every message of ``topics`` to ``write`` and return their number.

    Parameters
    ----------
    address
        The broker, as host:port.
    topics
        What to record; each must exist.
    write
        Takes the messages, in the order of the log per topic-partition.
    span
        What to record, and when to end.
    on_progress
        Called with the number of messages after each fetch, once all of them are written.

    Raises
    ------
    BrokerMismatch
        If a topic is missing.
    BrokerUnavailable
        If the broker does not answer.
    """
    places = await _places(address, tuple(topics))
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, group_id=None, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        consumer.assign(places)
        for place, offset in span.after.items():
            consumer.seek(TopicPartition(*place), offset)
        return await _read(consumer, write, span, on_progress)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"the broker at {address} does not answer: {error}") from error
    finally:
        await consumer.stop()


async def _places(address: str, topics: tuple[str, ...]) -> list[Any]:
    counts = await partition_counts(address, topics)
    missing = [topic for topic in topics if topic not in counts]
    if missing:
        raise BrokerMismatch(
            f"the broker at {address} has no topic {', '.join(missing)}: create the topics with "
            "`wakeline topics`"
        )
    return [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]


async def _read(
    consumer: Any,  # noqa: ANN401 - aiokafka is untyped
    write: Callable[[RecordingMessage], None],
    span: Span,
    on_progress: Callable[[int], None],
) -> int:
    ends: dict[Any, int] = {}
    count = 0
    last_message_at = time.monotonic()
    while not span.stop.is_set() and time.monotonic() - last_message_at < span.idle_s:
        fetched = await consumer.getmany(timeout_ms=POLL_MS)
        for records in fetched.values():
            for record_ in records:
                write(_message(record_))
        fetched_count = sum(map(len, fetched.values()))
        if fetched_count:
            last_message_at = time.monotonic()
            count += fetched_count
            on_progress(fetched_count)
        if span.at_end and await _has_reached(consumer, ends):
            break
    return count


async def _has_reached(consumer: Any, ends: dict[Any, int]) -> bool:  # noqa: ANN401 - aiokafka is untyped
    """Whether all partitions were read up to where they ended when reading began."""
    for place in consumer.assignment():
        # The high watermark of a fetch is right on every broker; the end offset that some answer
        # to the question for the latest one is not.
        highwater = consumer.highwater(place)
        if highwater is None:
            return False
        if await consumer.position(place) < ends.setdefault(place, highwater):
            return False
    return True


def _message(record_: Any) -> RecordingMessage:  # noqa: ANN401 - aiokafka is untyped
    return RecordingMessage(
        topic=record_.topic,
        partition=record_.partition,
        offset=record_.offset,
        timestamp_ms=record_.timestamp,
        key=record_.key,
        value=record_.value,
    )
