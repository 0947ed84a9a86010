"""Goal: what is seen of a broker is what is there, and looking changes nothing.

Method: topics, ticks and a group of our own on the embedded broker and on Apache Kafka.
"""

import time
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaConsumer,
    TopicPartition,
)

from connectors.broker import EmbeddedBroker, free_port
from connectors.inspection import describe_broker, describe_group, describe_logs, read_values
from connectors.kafka import ALL_TOPICS, ensure_topics
from connectors.outputs import OutboundMessage
from streams.errors import BrokerUnavailable
from streams.events import TICK_KEY
from tests.broker_fixtures import PARTITIONS, committed, numbered, run, send
from tests.servers.kafka import KafkaServer

GROUP = "watchers"
PLACES = [("sleep", 0), ("sleep", 1)]


async def see(address: str) -> None:
    """Look at a broker with a few messages, and at the same broker again."""
    before = await describe_broker(address, [*ALL_TOPICS, "absent"])
    assert (before.nodes, before.topics) == (1, {})
    await ensure_topics(address, PARTITIONS)
    messages = numbered("sleep", 0, range(3_000))
    begun_s = time.time()
    await send(address, [*messages, OutboundMessage("sleep", 0, TICK_KEY, b"{}"), *messages[:5]])
    await commit(address, 1_000)

    view = await describe_broker(address, ["state", "sleep", "absent"])
    assert set(view.topics) == {"state", "sleep"}
    state = view.topics["state"]
    assert (state.partitions, state.replicas, state.in_sync, state.leaderless) == (2, 1, 1, 0)
    assert state.settings["cleanup.policy"] == "compact"
    assert state.settings["min.compaction.lag.ms"] == "3600000"

    logs = await describe_logs(address, PLACES, limit_s=10.0)
    assert {place: (one.first_offset, one.end_offset) for place, one in logs.items()} == {
        ("sleep", 0): (0, 3_006),
        ("sleep", 1): (0, 0),
    }
    last_s = logs["sleep", 0].last_tick_s
    assert last_s is not None
    assert begun_s - 1.0 <= last_s <= time.time() + 1.0
    assert logs["sleep", 1].last_tick_s is None

    group = await describe_group(address, GROUP, PLACES)
    assert (group.members, group.committed) == (0, {("sleep", 0): 1_000})
    values: list[bytes] = []
    assert await read_values(address, PLACES, values.append, limit_s=10.0)
    assert len(values) == 3_005
    assert await committed(address, GROUP, "sleep") == {0: 1_000, 1: None}


async def commit(address: str, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition("sleep", 0)
        consumer.assign([place])
        await consumer.commit({place: offset})
    finally:
        await consumer.stop()


@pytest.mark.broker
def test_embedded_broker_is_seen_as_it_is() -> None:
    async def main() -> None:
        async with EmbeddedBroker() as broker:
            await see(broker.address)

    run(main())


@pytest.mark.kafka
def test_kafka_is_seen_as_it_is(empty_kafka: KafkaServer) -> None:
    run(see(empty_kafka.address))


@pytest.mark.kafka
def test_kafka_tells_which_sessions_it_takes_and_who_is_in_a_group(
    empty_kafka: KafkaServer,
) -> None:
    async def main() -> None:
        address = empty_kafka.address
        await ensure_topics(address, PARTITIONS)
        view = await describe_broker(address, [])
        assert view.settings["group.min.session.timeout.ms"] == "6000"
        consumer = AIOKafkaConsumer("sleep", bootstrap_servers=address, group_id=GROUP)
        await consumer.start()
        try:
            assert (await describe_group(address, GROUP, PLACES)).members == 1
        finally:
            await consumer.stop()

    run(main())


def test_broker_that_is_not_there_is_one_clear_line() -> None:
    address = f"127.0.0.1:{free_port()}"
    looks: list[Callable[[], Awaitable[object]]] = [
        lambda: describe_broker(address, ALL_TOPICS),
        lambda: describe_group(address, GROUP, PLACES),
        lambda: describe_logs(address, PLACES, limit_s=1.0),
    ]

    async def main() -> None:
        for look in looks:
            with pytest.raises(BrokerUnavailable, match="does not answer"):
                await look()

    run(main())
