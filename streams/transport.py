"""A Faust transport that hands an agent each fetched partition batch as one message.

Stock Faust creates four tasks per message; a batch at a time the same worker is ten times faster.
Importing this module registers the transport: give an app the broker URL ``batch://host:port``.
An agent then sees one event per topic-partition and fetch, whose value is a `Batch`. It takes
``stream.noack().events()``, checks `Continuity`, and acknowledges the events of a topic-partition
in order; that is all a commit rests on. ``stream_buffer_maxsize`` counts batches (16 at most).

Which gaps are legitimate. Offsets inside a fetch, or between two fetches, may be absent on the
broker: transaction markers, records of aborted transactions, records that compaction removed. The
client skips these in its own reading, so they are accounted to the batch that follows
(``first_offset``). Not legitimate: records that retention deleted before they were read (the log
now begins behind what is expected), a log that was cut, and a batch that got lost on its way from
the fetch to the agent. Each of these stops the worker.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, cast

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # it has no py.typed
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as KafkaConsumer
from faust.transport.drivers.aiokafka import Transport as KafkaTransport
from faust.types import TP, ConsumerMessage
from msgspec import Struct

from streams.errors import WakelineError

SCHEME = "batch"
"""Scheme of the broker URL that selects this transport."""

STREAM_BUFFER_BATCHES = 16
"""Most batches that may wait for the agent; for an app's ``stream_buffer_maxsize``."""

# Partitions that the agent lets go on must not wait a second for the fetch to look again.
PAUSED_POLL_S = 0.1

# Nor for one that is under way: the client asks a broker one thing at a time, and stock has the
# broker wait a second and a half for more of topics that have ended, while others come free.
FETCH_WAIT_MS = 100


class Record(Protocol):
    """A record as the client gives it (aiokafka's ``ConsumerRecord``; ``timestamp`` in ms)."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class OffsetGap(WakelineError):
    """Raised when records of a partition are missing that were never processed.

    Nothing more is acknowledged; after a restart the worker reads again from its last commit.
    """


class Batch(Struct, frozen=True, kw_only=True):
    """The records of one topic-partition that one fetch brought, in the order of the log.

    It accounts for the offsets from ``first_offset`` up to, not including, ``next_offset``; those
    in between without a record do not exist on the broker. ``restarted`` marks the first batch
    after an assignment or a seek, which need not continue any other.
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    records: Sequence[Record]
    restarted: bool


class Continuity:
    """Holds, on the agent's side, that no batch of a topic-partition is missing."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def check(self, batch: Batch) -> None:
        """Take note of a batch.

        Raises
        ------
        OffsetGap
            If it does not begin where the one before it ended.
        """
        place = (batch.topic, batch.partition)
        expected = self._next.get(place)
        if not batch.restarted and expected != batch.first_offset:
            raise OffsetGap(
                f"{batch.topic}[{batch.partition}]: expected offset {expected}, "
                f"got a batch from {batch.first_offset}"
            )
        self._next[place] = batch.next_offset


class ReadFrom(Protocol):
    """Says where to start reading, instead of at the committed offsets."""

    async def __call__(self, consumer: "BatchConsumer", assigned: frozenset[TP]) -> dict[TP, int]:
        """First offset to read of each topic-partition just assigned."""
        ...


class BatchConsumerThread(AIOKafkaConsumerThread):
    """The thread that fetches, waiting little; it also ends in order when its broker has gone."""

    def _create_worker_consumer(self, transport: KafkaTransport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - Faust has no setting for it
        return consumer

    async def on_thread_stop(self) -> None:
        """Stop the client."""
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            # The client cancels a fetch that waits to try again, and awaits it without care. Left
            # to itself the thread would not say that it has ended, and the app would wait for it.
            self.log.info("a fetch was waiting for the broker")


class BatchConsumer(KafkaConsumer):
    """Yields one message per topic-partition and fetch; its offset is the last record's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on as it is
        # Where the next fetch of a topic-partition has to begin; absent after a seek.
        self._fetch_from: dict[TP, int] = {}
        # How often it was said where to read on.
        self._seeks = 0
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch, and yield what came as one message per topic-partition."""
        wait_s = min(timeout, PAUSED_POLL_S) if self._paused_partitions else timeout
        # Before the wait: what comes of a fetch from before a seek, however late, is not what the
        # agent reads next, and would hide what lies between.
        generation, seeks = self.app.consumer_generation_id, self._seeks
        fetched, _ = await self._wait_next_records(wait_s)
        if not fetched or self.should_stop:
            return
        # All are counted before the first is handed on: what gets lost from here on is a gap.
        batches = [(tp, await self._batch(tp, records)) for tp, records in fetched.items()]
        if self._is_moving(generation) or self._seeks != seeks:
            await self._seek_back()
            return
        # Stock leaves out partitions that were paused since the fetch, and so loses their records.
        # Here they are handed on: pausing stops further fetches.
        for tp, batch in batches:
            if self._is_moving(generation):
                return
            yield tp, self._batch_message(tp, batch)

    def _is_moving(self, generation: int) -> bool:
        """Whether a rebalance stopped the flow, or another assignment came meanwhile."""
        return not self.flow_active or self.app.consumer_generation_id != generation

    async def _seek_back(self) -> None:
        """Read again what a fetch brought while a rebalance had stopped the flow."""
        try:
            await self.perform_seek()
        except Exception as error:  # partitions may be gone by now, in many ways
            self.log.info("no seek while partitions move: %r", error)

    async def perform_seek(self) -> None:
        """Seek to where reading starts; called after each assignment."""
        self._seeks += 1
        self._fetch_from.clear()
        await super().perform_seek()
        read_from = cast(BatchTransport, self.transport).read_from
        if read_from is not None:
            assigned = frozenset(self.assignment())
            await self.seek_wait(await read_from(self, assigned))
            self._seeks += 1
            self._fetch_from.clear()

    async def seek(self, partition: TP, offset: int) -> None:
        """Seek one topic-partition; its next batch need not continue the last."""
        self._seeks += 1
        self._fetch_from.pop(partition, None)
        await super().seek(partition, offset)

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the full buffer of the one agent blocks the fetch loop as a whole.

        Stock would take the partitions out of the fetch, and sleep a second once all are out.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing (see `on_buffer_full`)."""

    def _new_offset(self, tp: TP) -> int | None:
        """Offset to commit: batches are acknowledged in order, so the highest counts."""
        acked = self._acked[tp]
        if not acked:
            return None
        offset = max(acked)
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return offset + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the distance between two batches is no gap; `Continuity` finds those."""

    async def _batch(self, tp: TP, records: Sequence[Record]) -> Batch:
        first = records[0].offset
        expected = self._fetch_from.get(tp)
        if expected is not None and first != expected:
            await self._require_legitimate(tp, expected, first)
        next_offset = records[-1].offset + 1
        self._fetch_from[tp] = next_offset
        return Batch(
            topic=tp.topic,
            partition=tp.partition,
            first_offset=first if expected is None else expected,
            next_offset=next_offset,
            records=records,
            restarted=expected is None,
        )

    async def _require_legitimate(self, tp: TP, expected: int, first: int) -> None:
        """Refuse a hole before a fetch unless the broker still holds the log before it."""
        beginning = (await self.earliest_offsets(tp))[tp]
        if first < expected or beginning > expected:
            raise OffsetGap(
                f"{tp.topic}[{tp.partition}]: expected offset {expected}, got {first}, and the "
                f"log begins at {beginning}: records were deleted before they were read"
            )

    def _batch_message(self, tp: TP, batch: Batch) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            # Faust's raw serializer hands on whatever is not text as it is.
            cast(bytes, batch),
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )


class BatchTransport(KafkaTransport):
    """The transport behind ``batch://``; ``read_from`` may be set before the app starts."""

    Consumer = BatchConsumer
    read_from: ReadFrom | None = None


TRANSPORTS.aliases[SCHEME] = f"{__name__}:{BatchTransport.__name__}"
