"""The broker's side of the topics: is it there, which topics has it, with how many partitions."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import stamina
from aiokafka.admin import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaAdminClient,
    NewTopic,
)
from aiokafka.errors import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from connectors.outbox import MESSAGE_BYTES_MAX
from streams.errors import BadInput, BrokerMismatch, BrokerUnavailable
from streams.events import (
    INGEST_TOPICS,
    OUTPUT_TOPICS,
    SCHEMA_OF_TYPE,
    TOPIC_OF_SCHEMA,
    AlertAction,
    CareContext,
    Subject,
)

STATE_TOPIC = "state"
"""Topic of the workers' state; nobody else reads it."""

ALL_TOPICS: tuple[str, ...] = (
    *INGEST_TOPICS,
    *dict.fromkeys(OUTPUT_TOPICS.values()),
    STATE_TOPIC,
)
"""Every topic that Wakeline reads or writes; all have the same number of partitions."""

KEPT_TOPICS = frozenset(
    TOPIC_OF_SCHEMA[SCHEMA_OF_TYPE[kind]] for kind in (Subject, CareContext, AlertAction)
)
"""Topics whose whole history a rebuild needs; they are kept for ever."""

COMPACTION_LAG_S = 3_600.0
"""How long the broker leaves a record of the state topic alone; see `state_settings`."""

CONNECT_TIMEOUT_S = 30.0
_REQUEST_TIMEOUT_MS = 15_000
_CREATE_TIMEOUT_MS = 10_000
_LISTED_TIMEOUT_S = 10.0
_COMPACTION_LAG_FACTOR = 2
_SEGMENT_BYTES = 64 * 1024 * 1024

# The library says in several lines what BrokerUnavailable says in one.
_CLIENT_LOG = logging.getLogger("aiokafka")


class _NotListed(BrokerUnavailable):
    """Raised while the broker does not list new topics yet."""


async def wait_for_broker(address: str, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Return as soon as something takes connections at ``host:port`` (the first of a list).

    Raises
    ------
    BadInput
        If the address is not one.
    BrokerUnavailable
        If nothing does within ``timeout_s`` seconds.
    """
    host, port = _host_and_port(address)
    retries = stamina.retry_context(
        on=OSError,
        attempts=None,
        timeout=timeout_s,
        wait_initial=0.1,
        wait_max=2.0,
        wait_jitter=0.1,
    )
    try:
        async for attempt in retries:
            with attempt:
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                await writer.wait_closed()
    except OSError as error:
        raise BrokerUnavailable(
            f"no broker answers at {address} (tried for {timeout_s:.0f} s): is it running, and is "
            "the address right?"
        ) from error


async def partition_counts(address: str, topics: Iterable[str]) -> dict[str, int]:
    """Number of partitions of those of ``topics`` that exist.

    Raises
    ------
    BrokerUnavailable
        If the broker does not answer.
    """
    async with _admin(address) as admin:
        return await _partition_counts(admin, topics)


async def require_partitions(address: str, topics: Iterable[str], partitions: int) -> None:
    """Refuse a broker that lacks one of the topics or has another number of partitions.

    Raises
    ------
    BrokerMismatch
        With instructions what to do.
    BrokerUnavailable
        If the broker does not answer.
    """
    wanted = tuple(topics)
    counts = await partition_counts(address, wanted)
    missing = [topic for topic in wanted if topic not in counts]
    if missing:
        raise BrokerMismatch(
            f"the broker at {address} has no topic {', '.join(missing)}: create the topics with "
            f"`wakeline topics --partitions {partitions}`"
        )
    _refuse_other_counts(address, counts, partitions)


async def ensure_topics(address: str, partitions: int, replication: int = 1) -> list[str]:
    """Create the topics that are missing, all with ``partitions``; return their names.

    Raises
    ------
    BrokerMismatch
        If a topic exists with another number of partitions, or cannot be created.
    BrokerUnavailable
        If the broker does not answer.
    """
    async with _admin(address) as admin:
        counts = await _partition_counts(admin, ALL_TOPICS)
        _refuse_other_counts(address, counts, partitions)
        missing = [topic for topic in ALL_TOPICS if topic not in counts]
        if missing:
            await _create(admin, missing, partitions, replication)
            await _wait_until_listed(admin, address, partitions)
    return missing


def topic_settings(topic: str, compaction_lag_s: float = COMPACTION_LAG_S) -> dict[str, str]:
    """Broker settings with which a topic is created.

    The state topic is compacted, so that it holds little more than the state itself; and not
    before ``compaction_lag_s``, in half of which a new owner has written what it took over anew.
    Small segments and an upper limit keep what a restore has to read short.
    """
    settings = {"cleanup.policy": "delete", "max.message.bytes": str(MESSAGE_BYTES_MAX)}
    if topic in KEPT_TOPICS:
        settings["retention.ms"] = "-1"
    if topic == STATE_TOPIC:
        lag_ms = int(compaction_lag_s * 1_000)
        settings |= {
            "cleanup.policy": "compact",
            "min.compaction.lag.ms": str(lag_ms),
            "max.compaction.lag.ms": str(_COMPACTION_LAG_FACTOR * lag_ms),
            "segment.bytes": str(_SEGMENT_BYTES),
            "min.cleanable.dirty.ratio": "0.1",
        }
    return settings


def _refuse_other_counts(address: str, counts: Mapping[str, int], partitions: int) -> None:
    other = {topic: count for topic, count in counts.items() if count != partitions}
    if other:
        found = ", ".join(f"{topic} has {count}" for topic, count in sorted(other.items()))
        if len(other) == len(counts) and len(set(other.values())) == 1:
            found = f"every topic has {next(iter(other.values()))}"
        raise BrokerMismatch(
            f"{partitions} partitions are configured, but on the broker at {address} {found}. "
            "All topics need the same number, for ever: a person's events would change places. "
            "Set --partitions (WAKELINE_PARTITIONS) to that number, or record the topics, "
            "delete them, create them anew and publish the recording imported for that number."
        )


async def _create(admin: Any, topics: list[str], partitions: int, replication: int) -> None:  # noqa: ANN401 - aiokafka is untyped
    new = [
        NewTopic(topic, partitions, replication, topic_configs=topic_settings(topic))
        for topic in topics
    ]
    response = await admin.create_topics(new, timeout_ms=_CREATE_TIMEOUT_MS)
    for topic, code, *reason in response.topic_errors:
        # Another process may be creating them, too.
        if code not in {0, TopicAlreadyExistsError.errno}:
            detail = reason[0] if reason and reason[0] else for_code(code).__name__
            raise BrokerMismatch(f"the broker did not create the topic {topic}: {detail}")


async def _wait_until_listed(admin: Any, address: str, partitions: int) -> None:  # noqa: ANN401 - aiokafka is untyped
    """Wait until the broker lists what was created, which may be after it has said so.

    Another process may have created the topics at the same time, with another number.
    """
    retries = stamina.retry_context(
        on=_NotListed, attempts=None, timeout=_LISTED_TIMEOUT_S, wait_initial=0.05, wait_max=0.5
    )
    counts: dict[str, int] = {}
    async for attempt in retries:
        with attempt:
            counts = await _partition_counts(admin, ALL_TOPICS)
            if len(counts) < len(ALL_TOPICS):
                raise _NotListed("the broker does not list all topics it said it created")
    _refuse_other_counts(address, counts, partitions)


async def _partition_counts(admin: Any, topics: Iterable[str]) -> dict[str, int]:  # noqa: ANN401 - aiokafka is untyped
    # Asking for a topic by name may create it, so only names that the broker lists are asked for.
    existing = sorted(set(await admin.list_topics()) & set(topics))
    if not existing:
        return {}
    described = await admin.describe_topics(existing)
    return {entry["topic"]: len(entry["partitions"]) for entry in described}


@asynccontextmanager
async def _admin(address: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    level = _CLIENT_LOG.level
    _CLIENT_LOG.setLevel(logging.CRITICAL)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"the broker at {address} does not answer: {error}") from error
    finally:
        await admin.close()
        _CLIENT_LOG.setLevel(level)


def _host_and_port(address: str) -> tuple[str, int]:
    first = address.split(",", maxsplit=1)[0].strip()
    host, separator, port = first.rpartition(":")
    if not separator or not host or not port.isdecimal():
        raise BadInput(f"a broker's address is host:port, such as 127.0.0.1:9092, not {address!r}")
    return host.strip("[]"), int(port)
