"""Goal: what is recorded is what was published, byte for byte, and recording ends when it should.

Method: there and back through the embedded broker.
"""

import asyncio

import pytest

from connectors.broker import EmbeddedBroker, free_port
from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from connectors.publisher import publish
from connectors.recorder import Span, record
from connectors.recordings import RecordingMessage
from streams.errors import BrokerMismatch, BrokerUnavailable
from streams.events import INGEST_TOPICS, TICK_KEY, encode_tick
from tests.broker_fixtures import (
    PARTITIONS,
    broker_with_topics,
    eventually,
    numbered,
    read_all,
    run,
    send,
)

pytestmark = pytest.mark.broker

LARGE_BYTES = 4 * 1024 * 1024


def recording() -> list[RecordingMessage]:
    """Messages of every topic and partition: ticks, text, bytes that are no text, nothing, much."""
    values = (encode_tick(1.0, PARTITIONS), b'{"a": 1.0}', b"\xff\x00\xfe", None, b"")
    keys = (TICK_KEY, b"p01", b"\xf0", b"p02", None)
    messages = [
        RecordingMessage(topic, partition, offset, 1_600_000_000_000, key, value)
        for topic in INGEST_TOPICS
        for partition in range(PARTITIONS)
        for offset, (key, value) in enumerate(zip(keys, values, strict=True))
    ]
    large = b"x" * LARGE_BYTES
    messages.append(RecordingMessage("sleep", 0, len(values), 1_600_000_000_000, b"p01", large))
    return messages


def places(
    messages: list[RecordingMessage],
) -> dict[tuple[str, int, int], tuple[bytes | None, ...]]:
    return {(m.topic, m.partition, m.offset): (m.key, m.value) for m in messages}


def test_published_recording_is_recorded_byte_for_byte() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            published = recording()
            async with Outbox(address) as outbox:
                assert await publish(published, outbox) == len(published)
            recorded = await read_all(address, INGEST_TOPICS)
            assert len(recorded) == len(published)
            assert places(recorded) == places(published)
            # Old timestamps would invite deletion by retention.
            assert all(m.timestamp_ms > 1_700_000_000_000 for m in recorded)

    run(main())


def test_recording_ends_at_the_end_of_a_log_of_many_fetches() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            await send(address, numbered("sleep", 1, range(100_000)))
            recorded = await read_all(address, INGEST_TOPICS)
            assert [int(m.value or b"") for m in recorded] == [*range(100_000)]

    run(main())


def test_recording_goes_on_from_given_offsets_until_idle() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            await send(address, numbered("sleep", 0, range(100)))
            messages: list[RecordingMessage] = []
            span = Span(asyncio.Event(), idle_s=0.5, after={("sleep", 0): 90})
            assert await record(address, ["sleep"], messages.append, span=span) == 10
            assert [m.offset for m in messages] == [*range(90, 100)]

    run(main())


def test_recording_ends_when_told_to_and_has_what_came_by_then() -> None:
    async def main() -> None:
        async with broker_with_topics() as address:
            stop = asyncio.Event()
            messages: list[RecordingMessage] = []
            task = asyncio.ensure_future(
                record(address, ["sleep"], messages.append, span=Span(stop))
            )
            await send(address, numbered("sleep", 0, range(10)))
            await eventually(lambda: len(messages) == 10)
            stop.set()
            assert await task == 10

    run(main())


def test_missing_topics_and_missing_broker_are_told() -> None:
    async def main() -> None:
        async with EmbeddedBroker() as broker:
            with pytest.raises(BrokerMismatch, match="no topic sleep"):
                await read_all(broker.address, ["sleep"])
        absent = f"127.0.0.1:{free_port()}"
        with pytest.raises(BrokerUnavailable):
            await read_all(absent, ["sleep"])
        with pytest.raises(BrokerUnavailable, match=f"no broker answers at {absent}"):
            await send(absent, [OutboundMessage("sleep", 0, b"k", b"v")])

    run(main())
