"""The state topic: fences, the records of a checkpoint, and reading a partition's log back."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from aiokafka import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaConsumer,
    TopicPartition,
)
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # it has no py.typed

from connectors.kafka import STATE_TOPIC
from connectors.outbox import MESSAGE_BYTES_MAX, Outbox
from connectors.outputs import OutboundMessage
from streams.errors import BrokerUnavailable

LogEntry = tuple[int, str, bytes | None]
"""Offset, key and value; a value of None takes the record of the same key back."""

_POLL_MS = 500
_FETCH_BYTES = 16 * 1024 * 1024


class StateTopic:
    """Reads and writes the state of partitions.

    Parameters
    ----------
    address
        The broker.
    outbox
        What sends.
    """

    def __init__(self, address: str, outbox: Outbox) -> None:
        self._address = address
        self._outbox = outbox

    async def fence(self, partition: int, key_of: Callable[[str], str]) -> int:
        """Append a fence of one's own and give its offset, which is the epoch of its owner.

        Raises
        ------
        BrokerUnavailable
            If the broker does not take it in time.
        """
        return await self.append(partition, key_of(uuid.uuid4().hex), b"")

    async def write(self, partition: int, records: Iterable[tuple[str, bytes | None]]) -> int:
        """Append records, wait until they are safe, and give how many bytes they hold.

        Raises
        ------
        BrokerUnavailable
            If the broker does not take them in time.
        """
        messages = [
            OutboundMessage(STATE_TOPIC, partition, key.encode(), value) for key, value in records
        ]
        await self._outbox.send(messages)
        return sum(len(message.value or b"") for message in messages)

    async def append(self, partition: int, key: str, value: bytes) -> int:
        """Append one record, wait until it is safe, and give its offset.

        Raises
        ------
        BrokerUnavailable
            If the broker does not take it in time.
        """
        message = OutboundMessage(STATE_TOPIC, partition, key.encode(), value)
        return await self._outbox.append(message)

    async def read(
        self, partition: int, until: int, *, since: int = 0
    ) -> AsyncIterator[list[LogEntry]]:
        """Give what is left of a partition's log from offset ``since`` up to and with ``until``.

        Raises
        ------
        BrokerUnavailable
            If the broker does not answer.
        """
        place = TopicPartition(STATE_TOPIC, partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._address,
            enable_auto_commit=False,
            max_partition_fetch_bytes=max(_FETCH_BYTES, MESSAGE_BYTES_MAX),
        )
        try:
            await consumer.start()
            consumer.assign([place])
            # Compaction may have taken the first record there was; reading goes on behind it.
            beginnings = await consumer.beginning_offsets([place])
            consumer.seek(place, max(since, beginnings[place]))
            reached = -1
            while reached < until:
                fetched = await consumer.getmany(place, timeout_ms=_POLL_MS)
                records = fetched.get(place, [])
                if records:
                    reached = records[-1].offset
                    yield [_entry(record) for record in records if record.offset <= until]
        except (KafkaError, OSError) as error:
            raise BrokerUnavailable(
                f"the state cannot be read from the broker at {self._address}: {error}"
            ) from error
        finally:
            await consumer.stop()


def _entry(record: Any) -> LogEntry:  # noqa: ANN401 - aiokafka is untyped
    return record.offset, (record.key or b"").decode(), record.value
