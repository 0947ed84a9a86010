"""What tests against the embedded broker share: topics, messages in, messages and offsets out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaConsumer,
    TopicPartition,
)

from connectors.broker import EmbeddedBroker
from connectors.kafka import ensure_topics
from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from connectors.recorder import Span, record
from connectors.recordings import RecordingMessage

PARTITIONS = 2

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], timeout_s: float = 60.0) -> T:
    """Run a test's coroutine, for so long at most."""
    return asyncio.run(asyncio.wait_for(work, timeout_s))


@asynccontextmanager
async def broker_with_topics() -> AsyncIterator[str]:
    """Address of an embedded broker that has all topics, empty."""
    async with EmbeddedBroker() as broker:
        await ensure_topics(broker.address, PARTITIONS)
        yield broker.address


async def send(address: str, messages: Iterable[OutboundMessage]) -> None:
    """Send messages and wait until the broker has them."""
    async with Outbox(address) as outbox:
        await outbox.send(messages)


def numbered(topic: str, partition: int, numbers: Iterable[int]) -> list[OutboundMessage]:
    """Messages whose value is a number, for one topic-partition."""
    return [OutboundMessage(topic, partition, b"key", b"%d" % number) for number in numbers]


async def read_all(address: str, topics: Sequence[str]) -> list[RecordingMessage]:
    """Everything that the topics hold."""
    messages: list[RecordingMessage] = []
    span = Span(asyncio.Event(), at_end=True)
    await record(address, topics, messages.append, span=span)
    return messages


async def committed(address: str, group: str, topic: str) -> dict[int, int | None]:
    """Committed offset of a group for each partition of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        return {place.partition: await consumer.committed(place) for place in places}
    finally:
        await consumer.stop()


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until a condition holds; the test's own timeout is the limit."""
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.02)
