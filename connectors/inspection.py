"""Looks at a broker without changing anything: topics, their settings, logs, groups, ticks."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaConsumer,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]  # no py.typed
from aiokafka.admin.config_resource import (  # type: ignore[import-untyped]  # no py.typed
    ConfigResource,
    ConfigResourceType,
)
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # no py.typed
from msgspec import Struct

from streams.errors import BrokerMismatch, BrokerUnavailable
from streams.events import TICK_KEY

Place = tuple[str, int]
"""Topic and partition number."""

TAIL_MESSAGES = 2_000
"""How far back from the end of a log the last tick is looked for; workers write one every 5 s."""

_REQUEST_TIMEOUT_MS = 10_000
_POLL_MS = 200


class TopicView(Struct, frozen=True, kw_only=True):
    """A topic: ``replicas`` and ``in_sync`` of its worst partition, ``leaderless`` partitions.

    ``settings`` are those the broker tells; some tell only what was set for the topic.
    """

    partitions: int
    replicas: int
    in_sync: int
    leaderless: int
    settings: Mapping[str, str]


class BrokerView(Struct, frozen=True, kw_only=True):
    """A broker: how many nodes answer for it, the settings of one of them, and topics."""

    nodes: int
    settings: Mapping[str, str]
    topics: Mapping[str, TopicView]


class LogView(Struct, frozen=True, kw_only=True):
    """A log: the offsets between which it lies, and when its last tick was written (s UTC)."""

    first_offset: int
    end_offset: int
    last_tick_s: float | None


class GroupView(Struct, frozen=True, kw_only=True):
    """A consumer group: how many workers are in it, and what they have committed."""

    members: int
    committed: Mapping[Place, int]


async def describe_broker(address: str, topics: Iterable[str]) -> BrokerView:
    """Say which of ``topics`` a broker has, and how.

    Raises
    ------
    BrokerUnavailable
        If it does not answer.
    """
    async with _answering(address):
        admin = AIOKafkaAdminClient(
            bootstrap_servers=address, request_timeout_ms=_REQUEST_TIMEOUT_MS
        )
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
            node = str(cluster["brokers"][0]["node_id"])
            # Asking for a topic by name may create it.
            names = sorted(set(await admin.list_topics()) & set(topics))
            described = await admin.describe_topics(names) if names else []
            settings = await _settings(admin, node, names)
        finally:
            await admin.close()
    views = {
        entry["topic"]: _topic_view(entry["partitions"], settings.get(entry["topic"], {}))
        for entry in described
    }
    return BrokerView(nodes=len(cluster["brokers"]), settings=settings.get(node, {}), topics=views)


async def require_session(address: str, timeout_s: float) -> None:
    """Refuse a broker that takes no sessions of this length: it would never let a worker in.

    Raises
    ------
    BrokerMismatch
        With the bounds that the broker sets. One that tells none is not asked further.
    BrokerUnavailable
        If it does not answer.
    """
    settings = (await describe_broker(address, ())).settings
    low_s = float(settings.get("group.min.session.timeout.ms", "0")) / 1_000.0
    high_s = float(settings.get("group.max.session.timeout.ms", "inf")) / 1_000.0
    if not low_s <= timeout_s <= high_s:
        raise BrokerMismatch(
            f"the broker at {address} takes sessions of {low_s:g} to {high_s:g} s, and "
            f"{timeout_s:g} s are configured: set WAKELINE_SESSION_TIMEOUT_S"
        )


async def describe_group(address: str, group: str, places: Sequence[Place]) -> GroupView:
    """Say who is in a consumer group, and how far it has come.

    Raises
    ------
    BrokerUnavailable
        If the broker does not answer.
    """
    committed: dict[Place, int] = {}
    async with _answering(address):
        admin = AIOKafkaAdminClient(
            bootstrap_servers=address, request_timeout_ms=_REQUEST_TIMEOUT_MS
        )
        try:
            await admin.start()
            answers = await admin.describe_consumer_groups([group])
        finally:
            await admin.close()
        async with _reading(address, group) as consumer:
            consumer.assign([TopicPartition(*place) for place in places])
            for place in places:
                offset = await consumer.committed(TopicPartition(*place))
                if offset is not None:
                    committed[place] = offset
    # A group is (error, name, state, protocol type, protocol, members, ...).
    members = sum(len(found[5]) for answer in answers for found in answer.groups)
    return GroupView(members=members, committed=committed)


async def describe_logs(
    address: str, places: Sequence[Place], limit_s: float
) -> dict[Place, LogView]:
    """Say where logs begin and end, and when their last ticks came; within ``limit_s`` seconds.

    A log whose end was not reached in time is left out.

    Raises
    ------
    BrokerUnavailable
        If the broker does not answer.
    """
    ticks: dict[Place, float] = {}

    def note(record: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
        if record.key == TICK_KEY:
            ticks[record.topic, record.partition] = record.timestamp / 1_000.0

    async with _answering(address), _reading(address, None) as consumer:
        parts = [TopicPartition(*place) for place in places]
        consumer.assign(parts)
        firsts = await consumer.beginning_offsets(parts)
        ends = await consumer.end_offsets(parts)
        for part in parts:
            consumer.seek(part, max(firsts[part], ends[part] - TAIL_MESSAGES))
        reached = await _read_to_end(consumer, note, limit_s)
    return {
        (part.topic, part.partition): LogView(
            first_offset=firsts[part],
            end_offset=end,
            last_tick_s=ticks.get((part.topic, part.partition)),
        )
        for part, end in reached.items()
    }


async def read_values(
    address: str, places: Sequence[Place], take: Callable[[bytes], None], limit_s: float
) -> bool:
    """Hand out the values of logs from their beginnings, ticks left out, for so long at most.

    Returns
    -------
    bool
        Whether all was read that was there.

    Raises
    ------
    BrokerUnavailable
        If the broker does not answer.
    """

    def note(record: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
        if record.key != TICK_KEY and record.value is not None:
            take(record.value)

    async with _answering(address), _reading(address, None) as consumer:
        parts = [TopicPartition(*place) for place in places]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        return len(await _read_to_end(consumer, note, limit_s)) == len(parts)


async def _read_to_end(
    consumer: Any,  # noqa: ANN401 - aiokafka is untyped
    note: Callable[[Any], None],
    limit_s: float,
) -> dict[Any, int]:
    """Read until the ends of all logs, or as long as there is time; give the ends reached."""
    reached: dict[Any, int] = {}
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                note(record)
        for part in consumer.assignment() - reached.keys():
            # That of a fetch is right on every broker; answers to the question for it are not.
            end = consumer.highwater(part)
            if end is not None and await consumer.position(part) >= end:
                reached[part] = end
                consumer.pause(part)
        if len(reached) == len(consumer.assignment()):
            break
    return reached


async def _settings(
    admin: Any,  # noqa: ANN401 - aiokafka is untyped
    node: str,
    topics: Sequence[str],
) -> dict[str, dict[str, str]]:
    """Settings by name of a topic, and of a node."""
    resources = [ConfigResource(ConfigResourceType.BROKER, node)]
    resources += [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    return {
        name: {entry[0]: entry[1] for entry in entries if entry[1] is not None}
        for answer in await admin.describe_configs(resources)
        for _, _, _, name, entries in answer.resources
    }


def _topic_view(partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str]) -> TopicView:
    return TopicView(
        partitions=len(partitions),
        replicas=min(len(one["replicas"]) for one in partitions),
        in_sync=min(len(one["isr"]) for one in partitions),
        leaderless=sum(one["leader"] < 0 for one in partitions),
        settings=settings,
    )


@asynccontextmanager
async def _reading(address: str, group: str | None) -> AsyncIterator[Any]:
    """A consumer that commits nothing and joins no group."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _answering(address: str) -> AsyncIterator[None]:
    try:
        yield
    except (TimeoutError, KafkaError, OSError) as error:
        raise BrokerUnavailable(f"the broker at {address} does not answer: {error}") from error
