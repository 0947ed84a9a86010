"""What can be seen of workers from outside: committed offsets, sealed checkpoints, results."""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # no py.typed
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]  # no py.typed
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # no py.typed

from connectors.kafka import STATE_TOPIC
from streams.app import PROCESS_GROUP
from streams.checkpoint import PartitionHead
from streams.events import INGEST_TOPICS
from streams.state_log import StateLog, unpack

Place = tuple[str, int]
"""A topic and a partition number."""

POLL_S = 0.3
FETCH_MS = 200


class Watch:
    """Holds that no committed offset is beyond what a sealed checkpoint holds.

    ``faults``: where that did not hold, and where a later checkpoint went back behind an earlier
    one. ``looks``: how often it was looked. ``epochs``: fences seen, by partition number.
    """

    def __init__(self, address: str, partitions: int) -> None:
        self.faults: list[str] = []
        self.looks = 0
        self._address = address
        self._partitions = partitions
        self._logs = {number: StateLog() for number in range(partitions)}
        self._sealed: dict[int, PartitionHead] = {}

    @property
    def epochs(self) -> dict[int, int]:
        """How many fences every partition number has had."""
        return {number: len(log.fences) for number, log in self._logs.items()}

    @property
    def seals(self) -> dict[int, tuple[int, int]]:
        """Stamp of the last sealed checkpoint, by partition number."""
        found = {number: log.partition for number, log in self._logs.items()}
        return {number: sealed[0] for number, sealed in found.items() if sealed is not None}

    def sealed_offsets(self) -> dict[Place, int]:
        """First offset of each ingest topic-partition that no sealed checkpoint holds."""
        return {
            (topic, number): head.offsets.get(topic, 0)
            for number, head in self._sealed.items()
            for topic in INGEST_TOPICS
        }

    async def run(self) -> None:
        """Look again and again, until cancelled; a broker that is away is waited for."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._address, enable_auto_commit=False)
        admin = AIOKafkaAdminClient(bootstrap_servers=self._address, request_timeout_ms=5_000)
        await consumer.start()
        await admin.start()
        try:
            places = [TopicPartition(STATE_TOPIC, number) for number in range(self._partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            while True:
                try:
                    await self._look(consumer, admin)
                except (KafkaError, OSError, TimeoutError):
                    await asyncio.sleep(1.0)
                await asyncio.sleep(POLL_S)
        finally:
            await consumer.stop()
            await admin.close()

    async def _look(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        # First what is committed, then all that was sealed by then.
        committed = await admin.list_consumer_group_offsets(PROCESS_GROUP)
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, records in (await consumer.getmany(timeout_ms=FETCH_MS)).items():
                for record in records:
                    self._read(place.partition, record)
        self._compare({tuple(place): entry.offset for place, entry in committed.items()})
        self.looks += 1

    def _read(self, number: int, record: object) -> None:
        log = self._logs[number]
        before = log.partition
        key = (record.key or b"").decode()  # type: ignore[attr-defined]  # aiokafka is untyped
        log.read(record.offset, key, record.value)  # type: ignore[attr-defined]  # as above
        if log.partition is None or log.partition is before:
            return
        stamp, packed = log.partition
        head = msgspec.msgpack.decode(unpack(packed), type=PartitionHead)
        known = self._sealed.get(number)
        for topic, offset in ({} if known is None else known.offsets).items():
            if head.offsets.get(topic, 0) < offset:
                self.faults.append(
                    f"checkpoint {stamp} of partition {number} goes back in {topic}: "
                    f"{head.offsets.get(topic, 0)} after {offset}"
                )
        self._sealed[number] = head

    def _compare(self, committed: Mapping[Place, int]) -> None:
        sealed = self.sealed_offsets()
        for place, offset in sorted(committed.items()):
            if offset > sealed.get(place, 0):
                self.faults.append(
                    f"{place[0]}[{place[1]}]: committed {offset}, and sealed {sealed.get(place, 0)}"
                )


def clocks(results: Path) -> dict[int, float]:
    """Minimum clock (s UTC) of each partition number as the results have it."""
    if not results.exists():
        return {}
    connection = sqlite3.connect(f"{results.resolve().as_uri()}?mode=ro", uri=True)
    try:
        return dict(connection.execute("SELECT partition, time FROM clocks").fetchall())
    except sqlite3.OperationalError:
        return {}  # no table yet
    finally:
        connection.close()


async def lag(address: str, group: str, places: list[Place]) -> int:
    """Messages in topic-partitions behind what a group has committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=None)
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await consumer.start()
    await admin.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(*place) for place in places])
        committed = await admin.list_consumer_group_offsets(group)
    finally:
        await consumer.stop()
        await admin.close()
    known = {tuple(place): entry.offset for place, entry in committed.items()}
    return sum(max(0, end - max(0, known.get(tuple(place), 0))) for place, end in ends.items())


async def surviving(address: str, below: Mapping[int, int]) -> int:
    """Records that compaction has left in the state topic below an offset of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=None)
    await consumer.start()
    count = 0
    try:
        places = [TopicPartition(STATE_TOPIC, number) for number in below]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        while any([await consumer.position(place) < below[place.partition] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=FETCH_MS)).items():
                count += sum(record.offset < below[place.partition] for record in records)
    finally:
        await consumer.stop()
    return count


async def state_ends(address: str, partitions: int) -> dict[int, int]:
    """Where the state topic ends, by partition number."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=None)
    await consumer.start()
    try:
        places = [TopicPartition(STATE_TOPIC, number) for number in range(partitions)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await consumer.stop()
